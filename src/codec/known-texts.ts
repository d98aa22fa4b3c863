/**
 * Texts that come again and again: keys of ops, names of fields. Telling by a hash and a comparison that the bytes are
 * those of a text at hand costs a fraction of decoding them. One text for each place of a small table, the newest.
 */

interface Known {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** Longer ones are decoded each time. */
const KNOWN_BYTES_MAX = 64;
const PLACES = 1_024;
const table: (Known | undefined)[] = Array.from({ length: PLACES });

/** The text of `bytes[from … to)`, made by `make` where it is not at hand; undefined where that is. */
export function knownText(
  bytes: Uint8Array,
  from: number,
  to: number,
  make: () => string | undefined,
): string | undefined {
  if (to - from > KNOWN_BYTES_MAX) return make();
  let hash = 0;
  for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
  const place = (hash ^ (hash >>> 10)) & (PLACES - 1);
  const known = table[place];
  if (known !== undefined && isSame(known.bytes, bytes, from, to)) return known.text;
  const text = make();
  if (text !== undefined) table[place] = { bytes: bytes.slice(from, to), text };
  return text;
}

function isSame(known: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (known.length !== to - from) return false;
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[from + i]) return false;
  return true;
}
