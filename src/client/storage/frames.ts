/** The log of a device as bytes of a file (KEPT.md): a torn end shows, and is left out. */
import { concatBytes } from '../../base/bytes.ts';

const HEAD_BYTES = 8;
const ENTRY_BYTES_MAX = 2 << 20;

export function frameEntries(entries: readonly Uint8Array[]): Uint8Array {
  return concatBytes(
    entries.flatMap((entry) => {
      const head = new Uint8Array(HEAD_BYTES);
      const view = new DataView(head.buffer);
      view.setUint32(0, entry.length);
      view.setUint32(4, crc32(entry));
      return [head, entry];
    }),
  );
}

/** The entries that are whole, up to the first that is not, and where they end. */
export function readFrames(bytes: Uint8Array): { entries: Uint8Array[]; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at + HEAD_BYTES <= bytes.length) {
    const length = view.getUint32(at);
    const start = at + HEAD_BYTES;
    if (length > ENTRY_BYTES_MAX || start + length > bytes.length) break;
    const entry = bytes.slice(start, start + length);
    if (crc32(entry) !== view.getUint32(at + 4)) break;
    entries.push(entry);
    at = start + length;
  }
  return { entries, end: at };
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
