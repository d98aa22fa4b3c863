/**
 * One publishing connection. Its packets are made once, twice as many as the window is wide, so that every
 * run of them that falls due together is one piece of memory and one write, whatever place it begins at.
 */
import { concatBytes } from '../../../base/bytes.ts';
import type { Cancel, Clock, Timers } from '../../../base/clock.ts';
import { type LoadSocket, openLoadSocket } from '../../../platform/network/load-socket.ts';
import type { Latencies } from './latencies.ts';
import {
  CONNACK,
  connectPacket,
  FrameScanner,
  PUBACK,
  PUBACK_BYTES,
  publishPackets,
} from './packets.ts';
import type { Load } from '../scenarios.ts';

/** What all publishers of a run count together. */
export interface Tally {
  acknowledged: number;
  outOfOrder: number;
  /** Latencies are kept while this is set. */
  isMeasuring: boolean;
  readonly latencies: Latencies;
  /** How many of `wanted` more messages may be sent now. */
  readonly allow: (wanted: number) => number;
}

const PACE_MS = 2;

/** Has each publisher send `ratePerS` messages a second, spread evenly over time and connections. */
export function pace(
  publishers: readonly Publisher[],
  ratePerS: number,
  { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
): Cancel {
  const perMs = (publishers.length * ratePerS) / 1_000;
  const startMs = clock.monotonicMs();
  let sent = 0;
  return timers.every(PACE_MS, () => {
    const due = Math.floor((clock.monotonicMs() - startMs) * perMs);
    for (; sent < due; sent++) publishers[sent % publishers.length]?.sendOne();
  });
}

export class Publisher {
  readonly #load: Load;
  readonly #clock: Clock;
  readonly #tally: Tally;
  readonly #packets: Uint8Array;
  readonly #packetBytes: number;
  readonly #sentAtMs: Float64Array;
  readonly #scanner = new FrameScanner();
  #socket: LoadSocket | undefined;
  #onConnected: (() => void) | undefined;
  #onLost: ((reason: Error) => void) | undefined;
  /** Slot of the next message, and how many are on their way. */
  #next = 0;
  #pending = 0;
  /** Part of an acknowledgement that the last read cut off. */
  #phase = 0;
  #idHigh = 0;
  #isPumping = false;
  #canWrite = true;

  private constructor(index: number, load: Load, clock: Clock, tally: Tally) {
    this.#load = load;
    this.#clock = clock;
    this.#tally = tally;
    const topic = `bench/${index}`;
    const packets = publishPackets(topic, load.payloadBytes, load.qos, load.window);
    this.#packets = concatBytes([packets, packets]);
    this.#packetBytes = packets.length / load.window;
    this.#sentAtMs = new Float64Array(load.window);
  }

  /** Resolves when the broker has accepted the connection; `onLost` hears of a later end. */
  static async open(
    at: { host: string; port: number; index: number },
    options: { load: Load; clock: Clock; tally: Tally; onLost: (reason: Error) => void },
  ): Promise<Publisher> {
    const publisher = new Publisher(at.index, options.load, options.clock, options.tally);
    publisher.#onLost = options.onLost;
    const accepted = new Promise<void>((resolve) => (publisher.#onConnected = resolve));
    publisher.#socket = await openLoadSocket({
      host: at.host,
      port: at.port,
      onData: (bytes) => publisher.#read(bytes),
      onDrain: () => {
        publisher.#canWrite = true;
        publisher.pump();
      },
      onClose: () => publisher.#onLost?.(new Error(`the broker closed connection ${at.index}`)),
    });
    publisher.#socket.write(connectPacket(`bench-${at.index}`, true));
    await accepted;
    return publisher;
  }

  get pending(): number {
    return this.#pending;
  }

  /** Starts to send whenever the window has room; `stop` ends it. */
  start(): void {
    this.#isPumping = true;
    this.pump();
  }

  stop(): void {
    this.#isPumping = false;
  }

  /** Sends what window, subscriber and socket allow. */
  pump(): void {
    if (!this.#isPumping || !this.#canWrite) return;
    let count = this.#tally.allow(this.#load.window - this.#pending);
    while (count > 0) {
      this.#send(count);
      // QoS 0 knows no window: on as long as socket and subscriber take it.
      count = this.#canWrite ? this.#tally.allow(this.#load.window - this.#pending) : 0;
    }
  }

  /** Sends one message where the window has room (paced loads). */
  sendOne(): boolean {
    if (this.#pending === this.#load.window) return false;
    this.#send(1);
    return true;
  }

  close(): void {
    this.#onLost = undefined;
    this.#socket?.destroy();
  }

  #send(count: number): void {
    const begin = this.#next * this.#packetBytes;
    const nowMs = this.#clock.monotonicMs();
    for (let slot = 0; slot < count; slot++) {
      this.#sentAtMs[(this.#next + slot) % this.#load.window] = nowMs;
    }
    this.#next = (this.#next + count) % this.#load.window;
    const packets = this.#packets.subarray(begin, begin + count * this.#packetBytes);
    this.#canWrite = this.#socket?.write(packets) ?? false;
    // Without acknowledgements a message is done when the socket has taken it.
    if (this.#load.qos === 0) this.#tally.acknowledged += count;
    else this.#pending += count;
  }

  #read(bytes: Uint8Array): void {
    if (this.#onConnected === undefined) this.#readAcks(bytes);
    else {
      this.#scanner.feed(bytes, (frame) => {
        if (frame.type !== CONNACK) return;
        this.#onConnected?.();
        this.#onConnected = undefined;
      });
    }
  }

  /** From here on the broker sends acknowledgements only: 0x40 0x02 and the packet id, cut anywhere. */
  #readAcks(bytes: Uint8Array): void {
    const nowMs = this.#clock.monotonicMs();
    for (const byte of bytes) {
      if (this.#phase === 0 && byte !== PUBACK) throw new Error(`not an acknowledgement: ${byte}`);
      if (this.#phase === 2) this.#idHigh = byte;
      if (this.#phase === 3) this.#acknowledge((this.#idHigh << 8) | byte, nowMs);
      this.#phase = (this.#phase + 1) % PUBACK_BYTES;
    }
    this.pump();
  }

  #acknowledge(packetId: number, nowMs: number): void {
    const slot = packetId - 1;
    const { window } = this.#load;
    const oldest = (this.#next - this.#pending + 2 * window) % window;
    if (slot !== oldest) this.#tally.outOfOrder += 1;
    this.#pending -= 1;
    this.#tally.acknowledged += 1;
    if (this.#tally.isMeasuring) this.#tally.latencies.add(nowMs - (this.#sentAtMs[slot] ?? nowMs));
  }
}
