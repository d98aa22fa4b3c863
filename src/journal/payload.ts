/**
 * What a block carries: entries as they are, or packed (FORMAT.md §4). A group that was made to wait so that the
 * card is spared is worth packing: meters say nearly the same again and again. One that is due at once is not.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';

import type { Lsn } from './format.ts';
import type { Unsealer } from './sealer.ts';
import type { Segment } from './segments/segment.ts';

/**
 *   packed   offset  bytes  field
 *                 0      1  82           array of 2; entries begin with the head of a byte string
 *                 1      5  1a + 4       length of the entries
 *                 6      5  5a + 4       length n of what they were deflated to
 *                11      n  raw deflate (RFC 1951)
 */
const PACKED_HEAD_BYTES = 11;
const PACKED = 0x82;
/** Entries of one packed payload: packing and unpacking is one turn of the event loop. */
export const PACKED_PLAIN_BYTES_MAX = 64 * 1024;
/** Less would not save a page of the card. */
const PACKED_PLAIN_BYTES_MIN = 512;
/** A third of the bytes of readings in JSON, 135 µs for 9 KB; higher levels save a tenth more for twice the time. */
const LEVEL = 1;

/** The entries packed; undefined where that is not worth it. */
export function pack(entries: Uint8Array): Uint8Array | undefined {
  const { length } = entries;
  if (length < PACKED_PLAIN_BYTES_MIN || length > PACKED_PLAIN_BYTES_MAX) return undefined;
  const deflated = deflateRawSync(entries, { level: LEVEL });
  if (PACKED_HEAD_BYTES + deflated.length >= length) return undefined;
  const packed = new Uint8Array(PACKED_HEAD_BYTES + deflated.length);
  const view = new DataView(packed.buffer);
  packed[0] = PACKED;
  packed[1] = 0x1a;
  view.setUint32(2, length);
  packed[6] = 0x5a;
  view.setUint32(7, deflated.length);
  packed.set(deflated, PACKED_HEAD_BYTES);
  return packed;
}

/** The entries of a payload, packed or not. What only looks packed comes back as it is, and no entry is found in it. */
export function unpack(payload: Uint8Array): Uint8Array {
  if (payload[0] !== PACKED || payload.length < PACKED_HEAD_BYTES) return payload;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const length = view.getUint32(2);
  const isWhole = view.getUint32(7) === payload.length - PACKED_HEAD_BYTES;
  if (!isWhole || length > PACKED_PLAIN_BYTES_MAX) return payload;
  try {
    const deflated = payload.subarray(PACKED_HEAD_BYTES);
    // One byte more tells an output that goes on from one that ends; a Buffer's `slice` would not copy.
    const plain = inflateRawSync(deflated, { maxOutputLength: length + 1 });
    if (plain.length !== length) return payload;
    return new Uint8Array(plain.buffer, plain.byteOffset, length);
  } catch {
    return payload;
  }
}

/** The entries of a block; undefined where its seal does not open. */
export function entriesOf(
  unsealer: Unsealer,
  { header, number }: Pick<Segment, 'header' | 'number'>,
  { firstLsn, payload }: { readonly firstLsn: Lsn; readonly payload: Uint8Array },
): Uint8Array | undefined {
  const plain = unsealer.open(header.epoch, header.keyring, number, firstLsn, payload);
  return plain === undefined ? undefined : unpack(plain);
}
