/**
 * The few MQTT 3.1.1 packets that a load generator needs, made once and sent many times. Deliberately apart
 * from broker/wire: the two ends of a measurement must not share their mistakes.
 */
import { concatBytes, utf8 } from '../../../base/bytes.ts';

export const CONNACK = 0x20;
export const PUBLISH = 0x30;
export const PUBACK = 0x40;
export const SUBACK = 0x90;
export const PUBACK_BYTES = 4;
export const DISCONNECT = Uint8Array.of(0xe0, 0x00);

/** CONNECT without keepalive; `clean` false keeps the session. */
export function connectPacket(clientId: string, clean: boolean): Uint8Array {
  const header = concatBytes([field(utf8('MQTT')), Uint8Array.of(4, clean ? 2 : 0, 0, 0)]);
  return packet(0x10, concatBytes([header, field(utf8(clientId))]));
}

export function subscribePacket(packetId: number, filter: string, qos: 0 | 1): Uint8Array {
  const id = Uint8Array.of(packetId >> 8, packetId & 0xff);
  return packet(0x82, concatBytes([id, field(utf8(filter)), Uint8Array.of(qos)]));
}

/** PUBLISH with QoS 1 and packet id 1, 2, 3 … `count` one behind the other; QoS 0 where `qos` is 0. */
export function publishPackets(
  topic: string,
  payloadBytes: number,
  qos: 0 | 1,
  count: number,
): Uint8Array {
  const name = field(utf8(topic));
  const payload = new Uint8Array(payloadBytes).fill(0x78);
  const packets = Array.from({ length: count }, (_, index) => {
    const id = qos === 0 ? [] : [(index + 1) >> 8, (index + 1) & 0xff];
    return packet(PUBLISH | (qos << 1), concatBytes([name, Uint8Array.from(id), payload]));
  });
  return concatBytes(packets);
}

function packet(header: number, body: Uint8Array): Uint8Array {
  const length: number[] = [];
  let left = body.length;
  do {
    length.push((left % 128) | (left >= 128 ? 0x80 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  return concatBytes([Uint8Array.of(header, ...length), body]);
}

function field(bytes: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

export interface Frame {
  readonly type: number;
  readonly qos: number;
  /** Of a PUBLISH with QoS 1. */
  readonly packetId: number;
}

/** Cuts a stream into frames, however it comes; calls back for each. */
export class FrameScanner {
  #rest: Uint8Array = new Uint8Array(0);

  feed(bytes: Uint8Array, onFrame: (frame: Frame) => void): void {
    const stream = this.#rest.length === 0 ? bytes : concatBytes([this.#rest, bytes]);
    let at = 0;
    for (;;) {
      const end = frameEnd(stream, at);
      if (end === undefined) break;
      onFrame(frameAt(stream, at));
      at = end;
    }
    this.#rest = stream.slice(at);
  }
}

/** Where the frame that begins at `at` ends, or undefined where it is not complete yet. */
function frameEnd(stream: Uint8Array, at: number): number | undefined {
  let length = 0;
  for (let digit = 0; digit < 4; digit++) {
    const byte = stream[at + 1 + digit];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** digit;
    if (byte < 0x80) {
      const end = at + 2 + digit + length;
      return end <= stream.length ? end : undefined;
    }
  }
  throw new Error('the broker sent a length of more than four bytes');
}

function frameAt(stream: Uint8Array, at: number): Frame {
  const header = stream[at] ?? 0;
  const type = header & 0xf0;
  const qos = type === PUBLISH ? (header >> 1) & 3 : 0;
  if (qos === 0) return { type, qos, packetId: 0 };
  let body = at + 1;
  while ((stream[body] ?? 0) >= 0x80) body += 1;
  body += 1;
  const topicBytes = ((stream[body] ?? 0) << 8) | (stream[body + 1] ?? 0);
  const id = body + 2 + topicBytes;
  return { type, qos, packetId: ((stream[id] ?? 0) << 8) | (stream[id + 1] ?? 0) };
}
