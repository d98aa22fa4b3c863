/** Builds the packets the broker sends. */
import type { Qos } from '../contract.ts';
import { PUBACK, PUBCOMP, PUBREC, PUBREL } from './packets.ts';

/** First bytes of the four packets that carry only an identifier; PUBREL has a reserved bit set [MQTT-3.6.1-1]. */
export const PUBACK_FIRST = PUBACK << 4;
export const PUBREC_FIRST = PUBREC << 4;
export const PUBREL_FIRST = (PUBREL << 4) | 2;
export const PUBCOMP_FIRST = PUBCOMP << 4;

export const ACK_BYTES = 4;
/** From this size on a frame is written where it lies, instead of being gathered with others. */
export const LARGE_FRAME_BYTES = 16 * 1024;
export const PINGRESP_FRAME = Buffer.from([0xd0, 0]);

/** CONNACK of MQTT 5 with reason 0x84, unsupported protocol version, so that the client can fall back. */
export const MQTT5_REFUSAL_FRAME = Buffer.from([0x20, 3, 0, 0x84, 0]);

export function connackFrame(sessionPresent: boolean, returnCode: number): Buffer {
  return Buffer.from([0x20, 2, sessionPresent ? 1 : 0, returnCode]);
}

export function subackFrame(packetId: number, returnCodes: readonly number[]): Buffer {
  const bodyBytes = 2 + returnCodes.length;
  const frame = Buffer.allocUnsafe(1 + lengthBytes(bodyBytes) + bodyBytes);
  frame[0] = 0x90;
  let at = writeLength(frame, 1, bodyBytes);
  at = frame.writeUInt16BE(packetId, at);
  frame.set(returnCodes, at);
  return frame;
}

export function unsubackFrame(packetId: number): Buffer {
  return Buffer.from([0xb0, 2, packetId >> 8, packetId & 0xff]);
}

/** First byte of a PUBLISH. */
export function publishFirst(qos: Qos, retain: boolean, dup: boolean): number {
  return 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
}

/** Bytes that the remaining length `length` takes. */
export function lengthBytes(length: number): number {
  if (length < 128) return 1;
  if (length < 16_384) return 2;
  return length < 2_097_152 ? 3 : 4;
}

/** Writes a remaining length at `at`; returns the offset behind it. */
export function writeLength(target: Buffer, at: number, length: number): number {
  let rest = length;
  let offset = at;
  while (rest >= 128) {
    target[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[offset++] = rest;
  return offset;
}
