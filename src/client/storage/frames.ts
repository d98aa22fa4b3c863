/** The log of a device as bytes of a file (KEPT.md): a torn end shows, and is left out; damage shows, and costs what it hit. */
import { concatBytes } from '../../base/bytes.ts';

const HEAD_BYTES = 8;
const ENTRY_BYTES_MAX = 2 << 20;
const MAJOR_TYPE = 0xe0;
const ARRAY = 0x80;

export function frameEntries(entries: readonly Uint8Array[]): Uint8Array {
  return concatBytes(entries.map((entry) => frame(entry)));
}

/** Bytes behind their length and their sum. */
export function frame(bytes: Uint8Array): Uint8Array {
  const framed = new Uint8Array(HEAD_BYTES + bytes.length);
  const view = new DataView(framed.buffer);
  view.setUint32(0, bytes.length);
  view.setUint32(4, crc32(bytes));
  framed.set(bytes, HEAD_BYTES);
  return framed;
}

/** What `frame` was given; undefined where these are other bytes. */
export function unframe(framed: Uint8Array): Uint8Array | undefined {
  if (framed.length < HEAD_BYTES) return undefined;
  const view = new DataView(framed.buffer, framed.byteOffset);
  const bytes = framed.subarray(HEAD_BYTES);
  return view.getUint32(0) === bytes.length && view.getUint32(4) === crc32(bytes)
    ? bytes
    : undefined;
}

interface ReadFrames {
  readonly entries: readonly Uint8Array[];
  /** What lies between them, or at the end, and was written once. */
  readonly damaged: readonly Uint8Array[];
  /** Behind it nothing was ever promised. */
  readonly end: number;
}

/** The entries that are whole, also those behind damage. */
export function readFrames(bytes: Uint8Array): ReadFrames {
  const entries: Uint8Array[] = [];
  const damaged: Uint8Array[] = [];
  let end = 0;
  for (let at = 0; at < bytes.length;) {
    const entry = entryAt(bytes, at);
    if (entry === undefined) {
      at += 1;
      continue;
    }
    if (at > end) damaged.push(bytes.slice(end, at));
    entries.push(entry);
    at += HEAD_BYTES + entry.length;
    end = at;
  }
  const tail = bytes.slice(end);
  if (isTorn(tail)) return { entries, damaged, end };
  return { entries, damaged: [...damaged, tail], end: bytes.length };
}

function entryAt(bytes: Uint8Array, at: number): Uint8Array | undefined {
  const start = at + HEAD_BYTES;
  // Entries are arrays: most places where none begins need no sum.
  if (((bytes[start] ?? 0) & MAJOR_TYPE) !== ARRAY) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEAD_BYTES);
  const length = view.getUint32(0);
  if (length > ENTRY_BYTES_MAX || start + length > bytes.length) return undefined;
  const entry = bytes.slice(start, start + length);
  return crc32(entry) === view.getUint32(4) ? entry : undefined;
}

/** Whether it is what an append leaves that a power cut ended: a part of an entry, or space that nothing was written to. */
function isTorn(tail: Uint8Array): boolean {
  if (tail.length < HEAD_BYTES || tail.every((byte) => byte === 0)) return true;
  const length = new DataView(tail.buffer).getUint32(0);
  return length <= ENTRY_BYTES_MAX && HEAD_BYTES + length > tail.length;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb88320;
  return crc >>> 0;
});

/** CRC-32 of IEEE 802.3, as in gzip. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] as number);
  return (crc ^ 0xffffffff) >>> 0;
}
