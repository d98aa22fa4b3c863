/**
 * One message on its way to its subscribers. It starts as bytes of the publisher's packet, valid during the
 * call; what subscribers need of it is made once, when the first one asks: a frame for all who get it with
 * QoS 0, a message that may be kept for all others.
 */
import type { Lsn, Qos } from '../contract.ts';
import { LARGE_FRAME_BYTES, lengthBytes, publishFirst, writeLength } from '../wire/frames.ts';
import { bytesOfPayload, keepPayload, type Message, type Topic } from './message.ts';

/** A PUBLISH as it lies in the publisher's stream. */
export interface PublishPacket {
  readonly topic: Topic;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 at QoS 0. */
  readonly packetId: number;
  readonly buffer: Buffer;
  readonly bodyStart: number;
  readonly payloadStart: number;
  readonly end: number;
}

const PLAIN_QOS_0 = publishFirst(0, false, false);

export class Publication {
  readonly topic: Topic;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Where the frame for QoS 0 lies, after `makeFrame`. */
  frame: Buffer | undefined;
  frameStart = 0;
  frameEnd = 0;
  /** Where it lies in the log; 0 where it does not. */
  readonly lsn: Lsn;
  /** The log had it before: sessions that follow the log have it already. */
  readonly isAgain: boolean;
  #packet: PublishPacket | undefined;
  #message: Message | undefined;

  private constructor(
    source: Pick<Message, 'topic' | 'qos' | 'retain'>,
    packet: PublishPacket | undefined,
    lsn: Lsn,
    isAgain = false,
  ) {
    this.topic = source.topic;
    this.qos = source.qos;
    this.retain = source.retain;
    this.#packet = packet;
    this.lsn = lsn;
    this.isAgain = isAgain;
  }

  /** Must not outlive the call that gave the packet. */
  static ofPacket(packet: PublishPacket, lsn: Lsn, isAgain = false): Publication {
    return new Publication(packet, packet, lsn, isAgain);
  }

  /** Without the bytes: for those who read the log. */
  static ofLogged(source: Pick<Message, 'topic' | 'qos' | 'retain'>, lsn: Lsn): Publication {
    return new Publication(source, undefined, lsn);
  }

  static ofMessage(message: Message): Publication {
    const publication = new Publication(message, undefined, message.lsn);
    publication.#message = message;
    return publication;
  }

  get hasBytes(): boolean {
    return this.#packet !== undefined || this.#message !== undefined;
  }

  /** The message, in memory of its own. */
  get message(): Message {
    if (this.#message === undefined) {
      const { buffer, payloadStart, end } = this.#packet as PublishPacket;
      const payload = keepPayload(buffer, payloadStart, end);
      const { topic, qos, retain } = this;
      this.#message = { topic, payload, qos, retain, lsn: this.lsn };
    }
    return this.#message;
  }

  /** Lets go of the packet, so that this may outlive the call. */
  keep(): this {
    this.#message = this.message;
    this.#packet = undefined;
    this.frame = undefined;
    return this;
  }

  /** A copy of the payload, for code inside the hub. */
  copyPayload(): Uint8Array {
    const packet = this.#packet;
    if (packet === undefined) return new Uint8Array(bytesOfPayload(this.message.payload));
    return new Uint8Array(packet.buffer.subarray(packet.payloadStart, packet.end));
  }

  /** Makes the frame for subscribers at QoS 0: valid during the call; a large one in memory of its own. */
  makeFrame(): Buffer {
    if (this.frame !== undefined) return this.frame;
    const packet = this.#packet;
    if (packet !== undefined && packet.qos === 0) {
      const start = packet.bodyStart - 1 - lengthBytes(packet.end - packet.bodyStart);
      const isSmall = packet.end - start < LARGE_FRAME_BYTES;
      // The publisher's own frame will do, where its length took no more bytes than it needs.
      if (isSmall && packet.buffer[start] === PLAIN_QOS_0) {
        return this.#setFrame(packet.buffer, start, packet.end);
      }
    }
    const { payload } = this.message;
    const { encoded } = this.topic;
    const bodyBytes = encoded.length + payload.length;
    const frame = Buffer.allocUnsafe(1 + lengthBytes(bodyBytes) + bodyBytes);
    frame[0] = PLAIN_QOS_0;
    let at = writeLength(frame, 1, bodyBytes);
    at += encoded.copy(frame, at);
    if (typeof payload === 'string') frame.write(payload, at, 'latin1');
    else frame.set(payload, at);
    return this.#setFrame(frame, 0, frame.length);
  }

  #setFrame(frame: Buffer, start: number, end: number): Buffer {
    this.frame = frame;
    this.frameStart = start;
    this.frameEnd = end;
    return frame;
  }
}
