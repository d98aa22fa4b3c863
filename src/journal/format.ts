/**
 * Bytes of the journal: segment header, block head, entries (normative text with the reasons: FORMAT.md). Every
 * head has a fixed width, so a scanner steps through a segment without decoding it, while the whole file stays a
 * CBOR sequence (RFC 8742) that any CBOR tool can read.
 *
 *   segment   header copy │ header copy │ block │ block │ … │ rest
 *             4096          4096
 *
 *   block     offset  bytes  field                               (integers are big-endian)
 *                  0      1  85           array of 5
 *                  1      5  1a + 4       tag: the CRC of this segment's header
 *                  6      9  1b + 8       LSN of the first entry
 *                 15      5  1a + 4       count of entries; 0: the journal was closed here
 *                 20      5  1a + 4       CRC-32 of the block without these five bytes
 *                 25      5  5a + 4       length n of the payload
 *                 30      n  payload      entries, each a byte string around one CBOR item; sealed as a whole
 *
 * This file only says what is there. What a block that does not check means (a torn tail, or damage to what
 * was acknowledged) is decided in recovery.ts, which alone sees the neighbours.
 */
import { crc32 } from 'node:zlib';

import { assert } from '../base/assert.ts';
import { JOURNAL_FORMAT } from '../versions.ts';

export type Lsn = number;

const MAGIC = 'heliograph journal';
export const HEADER_COPY_BYTES = 4096;
/** Where the first block begins: the header stands twice before it. */
export const BLOCKS_START = 2 * HEADER_COPY_BYTES;
export const BLOCK_HEAD_BYTES = 30;
/** Head of the byte string that covers what no block covers yet. */
export const REST_HEAD_BYTES = 5;
/** Longest head of an entry. */
export const ENTRY_HEAD_BYTES_MAX = 5;
export const JOURNAL_ID_BYTES = 8;
export const SALT_BYTES = 8;
export const KEYRING_BYTES_MAX = 3072;

const CRC_OFFSET = 80;
/** Where the CRC stands in a block. */
const CRC_ITEM = 20;
const KEYRING_OFFSET = CRC_OFFSET + 4;
const TWO_32 = 0x100000000;
const MAGIC_BYTES = Buffer.from(MAGIC, 'latin1');

export interface SegmentHeader {
  /** 1, 2, 3 …; given once in a journal's life, also where the file is a recycled one. */
  readonly segment: number;
  /** Number of the segment that this one follows, 0 for none; those between are superseded. */
  readonly previous: number;
  /** No block in here begins below it, and every LSN below it was durable when this was written. */
  readonly baseLsn: Lsn;
  readonly epoch: number;
  readonly journalId: Uint8Array;
  readonly salt: Uint8Array;
  readonly keyring: Uint8Array;
  /** CRC-32 of the header copy. It is the tag of every block, so a recycled file's old blocks never count. */
  readonly crc: number;
}

export type HeaderScan =
  | { readonly kind: 'header'; readonly header: SegmentHeader; readonly copies: 1 | 2 }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'none' };

export interface BlockHead {
  readonly tag: number;
  readonly firstLsn: Lsn;
  readonly count: number;
  readonly crc: number;
  readonly payloadBytes: number;
}

/** Both copies of a header and the head of the rest: the first bytes of a segment of `segmentBytes`. */
export function encodeSegmentStart(
  fields: Omit<SegmentHeader, 'crc'>,
  segmentBytes: number,
): { bytes: Uint8Array; header: SegmentHeader } {
  assert(fields.keyring.length <= KEYRING_BYTES_MAX, 'a keyring fits in the header');
  const bytes = new Uint8Array(BLOCKS_START + REST_HEAD_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x8b;
  bytes[1] = 0x60 | MAGIC.length;
  bytes.set(MAGIC_BYTES, 2);
  putUint32(view, 20, JOURNAL_FORMAT);
  putUint64(view, 25, fields.segment);
  putUint64(view, 34, fields.previous);
  putUint64(view, 43, fields.baseLsn);
  putUint64(view, 52, fields.epoch);
  bytes[61] = 0x48;
  bytes.set(fields.journalId, 62);
  bytes[70] = 0x48;
  bytes.set(fields.salt, 71);
  bytes[79] = 0x1a;
  const keyringEnd =
    putBytes16(bytes, KEYRING_OFFSET, fields.keyring.length) + fields.keyring.length;
  bytes.set(fields.keyring, KEYRING_OFFSET + 3);
  putBytes16(bytes, keyringEnd, HEADER_COPY_BYTES - keyringEnd - 3);
  const crc = headerCrc(bytes);
  view.setUint32(CRC_OFFSET, crc);
  bytes.copyWithin(HEADER_COPY_BYTES, 0, HEADER_COPY_BYTES);
  putRest(view, BLOCKS_START, segmentBytes);
  return { bytes, header: { ...fields, crc } };
}

/** Reads the header from the first `BLOCKS_START` bytes of a file (fewer, where it is shorter). */
export function scanHeader(bytes: Uint8Array): HeaderScan {
  const first = scanCopy(bytes, 0);
  const second = scanCopy(bytes, HEADER_COPY_BYTES);
  if (first.kind === 'header') {
    const both = second.kind === 'header' && second.header.crc === first.header.crc;
    return { ...first, copies: both ? 2 : 1 };
  }
  if (second.kind === 'header') return second;
  // A single copy that claims to be newer is damage: a newer hub writes two as well.
  return first.kind === 'newer' && second.kind === 'newer' ? first : { kind: 'none' };
}

function scanCopy(bytes: Uint8Array, at: number): HeaderScan {
  if (bytes.length < at + HEADER_COPY_BYTES) return { kind: 'none' };
  const copy = bytes.subarray(at, at + HEADER_COPY_BYTES);
  const view = new DataView(copy.buffer, copy.byteOffset, copy.length);
  if (copy[1] !== (0x60 | MAGIC.length)) return { kind: 'none' };
  if (!MAGIC_BYTES.equals(copy.subarray(2, 20))) return { kind: 'none' };
  const version = view.getUint32(21);
  if (copy[20] === 0x1a && version > JOURNAL_FORMAT) return { kind: 'newer', version };
  const crc = view.getUint32(CRC_OFFSET);
  if (crc !== headerCrc(copy)) return { kind: 'none' };
  const keyringBytes = view.getUint16(KEYRING_OFFSET + 1);
  const header: SegmentHeader = {
    segment: getUint64(view, 26),
    previous: getUint64(view, 35),
    baseLsn: getUint64(view, 44),
    epoch: getUint64(view, 53),
    journalId: copy.slice(62, 70),
    salt: copy.slice(71, 79),
    keyring: copy.slice(KEYRING_OFFSET + 3, KEYRING_OFFSET + 3 + keyringBytes),
    crc,
  };
  return { kind: 'header', header, copies: 1 };
}

/** Of everything but the CRC's own four bytes. */
function headerCrc(copy: Uint8Array): number {
  const front = crc32(copy.subarray(0, CRC_OFFSET));
  return crc32(copy.subarray(CRC_OFFSET + 4, HEADER_COPY_BYTES), front);
}

/**
 * Completes a block whose payload of `payloadBytes` stands at `BLOCK_HEAD_BYTES` of `bytes`, and appends the head of
 * the rest where there is room; `offset` is the block's place in the segment. Returns how many bytes to write.
 */
export function finishBlock(
  bytes: Uint8Array,
  head: Omit<BlockHead, 'crc'>,
  offset: number,
  segmentBytes: number,
): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = BLOCK_HEAD_BYTES + head.payloadBytes;
  const roomBytes = segmentBytes - offset - end;
  assert(roomBytes >= 0, 'a block ends within its segment');
  bytes[0] = 0x85;
  putUint32(view, 1, head.tag);
  putUint64(view, 6, head.firstLsn);
  putUint32(view, 15, head.count);
  bytes[25] = 0x5a;
  view.setUint32(26, head.payloadBytes);
  putUint32(view, CRC_ITEM, blockCrc(bytes, 0, end));
  if (roomBytes >= REST_HEAD_BYTES) {
    putRest(view, end, end + roomBytes);
    return end + REST_HEAD_BYTES;
  }
  bytes.fill(0, end, end + roomBytes); // Too short for a byte string: zeros, each an item of its own.
  return end + roomBytes;
}

/** The head at `at`, or undefined where the bytes cannot be one; `end` is the offset in `view` that no block passes. */
export function scanBlockHead(view: DataView, at: number, end: number): BlockHead | undefined {
  if (at + BLOCK_HEAD_BYTES > Math.min(end, view.byteLength)) return undefined;
  const isHead =
    view.getUint8(at) === 0x85 &&
    view.getUint8(at + 1) === 0x1a &&
    view.getUint8(at + 6) === 0x1b &&
    view.getUint8(at + 15) === 0x1a &&
    view.getUint8(at + CRC_ITEM) === 0x1a &&
    view.getUint8(at + 25) === 0x5a;
  if (!isHead) return undefined;
  const firstLsn = getUint64(view, at + 7);
  const payloadBytes = view.getUint32(at + 26);
  if (firstLsn === 0 || firstLsn > Number.MAX_SAFE_INTEGER) return undefined;
  if (payloadBytes > end - at - BLOCK_HEAD_BYTES) return undefined;
  return {
    tag: view.getUint32(at + 2),
    firstLsn,
    count: view.getUint32(at + 16),
    crc: view.getUint32(at + CRC_ITEM + 1),
    payloadBytes,
  };
}

/** The first bytes of every block of a segment: what a search for intact blocks looks for. */
export function blockPattern(tag: number): Uint8Array {
  const pattern = new Uint8Array(6);
  pattern[0] = 0x85;
  putUint32(new DataView(pattern.buffer), 1, tag);
  return pattern;
}

/** Of a whole block, from its array head to the end of its payload, without the CRC's own item. */
export function blockCrc(bytes: Uint8Array, start: number, end: number): number {
  const front = crc32(bytes.subarray(start, start + CRC_ITEM));
  return crc32(bytes.subarray(start + CRC_ITEM + 5, end), front);
}

/** True where the bytes at `at` are the head of the rest of a segment of `segmentBytes`, `offset` being their place. */
export function isRest(view: DataView, at: number, offset: number, segmentBytes: number): boolean {
  if (at + REST_HEAD_BYTES > view.byteLength || view.getUint8(at) !== 0x5a) return false;
  return view.getUint32(at + 1) === segmentBytes - offset - REST_HEAD_BYTES;
}

/** Writes one entry (a byte string) and returns the offset behind it; the caller has made room. */
export function putEntry(into: Uint8Array, at: number, entry: Uint8Array): number {
  const length = entry.length;
  let start = at + 1;
  if (length < 24) {
    into[at] = 0x40 | length;
  } else if (length < 0x100) {
    into[at] = 0x58;
    into[at + 1] = length;
    start = at + 2;
  } else if (length < 0x10000) {
    start = putBytes16(into, at, length);
  } else {
    into[at] = 0x5a;
    into[at + 1] = length >>> 24;
    into[at + 2] = length >>> 16;
    into[at + 3] = length >>> 8;
    into[at + 4] = length;
    start = at + 5;
  }
  into.set(entry, start);
  return start + length;
}

/** Where the entry at `at` begins and ends behind its head; undefined where the payload is malformed. */
export function scanEntry(
  payload: Uint8Array,
  at: number,
): { start: number; end: number } | undefined {
  const initial = payload[at];
  if (initial === undefined || initial >> 5 !== 2) return undefined;
  const info = initial & 0x1f;
  const width = info < 24 ? 0 : info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : -1;
  if (width < 0) return undefined;
  let length = width === 0 ? info : 0;
  for (let i = 1; i <= width; i++) length = length * 0x100 + (payload[at + i] ?? 0);
  const start = at + 1 + width;
  const end = start + length;
  return end <= payload.length ? { start, end } : undefined;
}

function putRest(view: DataView, at: number, segmentEnd: number): void {
  view.setUint8(at, 0x5a);
  view.setUint32(at + 1, segmentEnd - at - REST_HEAD_BYTES);
}

function putBytes16(bytes: Uint8Array, at: number, length: number): number {
  bytes[at] = 0x59;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  return at + 3;
}

function putUint32(view: DataView, at: number, value: number): void {
  view.setUint8(at, 0x1a);
  view.setUint32(at + 1, value);
}

function putUint64(view: DataView, at: number, value: number): void {
  view.setUint8(at, 0x1b);
  view.setUint32(at + 1, Math.floor(value / TWO_32));
  view.setUint32(at + 5, value % TWO_32);
}

function getUint64(view: DataView, at: number): number {
  return view.getUint32(at) * TWO_32 + view.getUint32(at + 4);
}
