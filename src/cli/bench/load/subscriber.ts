/** The subscribing connection of a load: counts what it gets, and acknowledges QoS 1 in one write a read. */
import { type LoadSocket, openLoadSocket } from '../../../platform/network/load-socket.ts';
import {
  CONNACK,
  connectPacket,
  DISCONNECT,
  FrameScanner,
  PUBACK,
  PUBLISH,
  SUBACK,
  subscribePacket,
} from './packets.ts';

const FILTER = 'bench/#';
const CLIENT_ID = 'bench-subscriber';

interface SubscriberOptions {
  readonly host: string;
  readonly port: number;
  readonly qos: 0 | 1;
  /** False: the session stays when the connection goes. */
  readonly clean: boolean;
  /** Called after every read that brought messages, with how many there were so far. */
  readonly onDelivered: (delivered: number) => void;
}

export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #scanner = new FrameScanner();
  #socket: LoadSocket | undefined;
  #delivered = 0;
  #onFirst: Partial<Record<number, () => void>> = {};

  private constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  /** Connects; what waits in its session comes from then on. */
  static async open(options: SubscriberOptions): Promise<Subscriber> {
    const subscriber = new Subscriber(options);
    subscriber.#socket = await openLoadSocket({
      host: options.host,
      port: options.port,
      onData: (bytes) => subscriber.#read(bytes),
      onDrain: () => undefined,
      onClose: () => undefined,
    });
    await subscriber.#ask(CONNACK, connectPacket(CLIENT_ID, options.clean));
    return subscriber;
  }

  async subscribe(): Promise<void> {
    await this.#ask(SUBACK, subscribePacket(1, FILTER, this.#options.qos));
  }

  /** Takes leave, so that no will and no error is left behind. */
  leave(): void {
    this.#socket?.write(DISCONNECT);
    this.close();
  }

  close(): void {
    this.#socket?.destroy();
  }

  #ask(answer: number, packet: Uint8Array): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      this.#onFirst[answer] = resolve;
    });
    this.#socket?.write(packet);
    return answered;
  }

  #read(bytes: Uint8Array): void {
    const acks: number[] = [];
    const before = this.#delivered;
    this.#scanner.feed(bytes, (frame) => {
      if (frame.type === PUBLISH) {
        this.#delivered += 1;
        if (frame.qos === 1) acks.push(PUBACK, 2, frame.packetId >> 8, frame.packetId & 0xff);
      } else this.#onFirst[frame.type]?.();
    });
    if (acks.length > 0) this.#socket?.write(Uint8Array.from(acks));
    if (this.#delivered > before) this.#options.onDelivered(this.#delivered);
  }
}
