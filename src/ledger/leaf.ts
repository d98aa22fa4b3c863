/**
 * The leaf that a journal entry is, without decoding it: every op that is ever journaled passes here. Entries
 * come from our own journal, whose checksums were verified; what has not the usual form is decoded the long way.
 */
import { decodeEntry, LOCAL_ENTRY, OP_ENTRY } from '../model/entry.ts';
import type { OpClass } from '../model/class.ts';

interface Leaf {
  readonly class: OpClass;
  /** The op's bytes; they alias the entry. */
  readonly op: Uint8Array;
}

/** `[0, op, stamp]` begins so: array of 3, 0; then the op: array of 8, 8 bytes of origin, class. */
const OP_AT = 2;
const CLASS_AT = 12;
/** A stamp `[h'hub', h'hlc', authority, epoch]` whose authority and epoch are below 24. */
const STAMP_BYTES = 21;

/** Undefined for a local entry and for a copy, which are no leaves here. Throws `CborError` where the entry is malformed. */
export function leafOf(entry: Uint8Array): Leaf | undefined {
  if (entry[0] === 0x82 && entry[1] === LOCAL_ENTRY) return undefined;
  const stampAt = entry.length - STAMP_BYTES;
  const isUsual =
    stampAt > CLASS_AT &&
    entry[0] === 0x83 &&
    entry[1] === OP_ENTRY &&
    entry[OP_AT] === 0x88 &&
    entry[OP_AT + 1] === 0x48 &&
    entry[stampAt] === 0x84 &&
    entry[stampAt + 1] === 0x48 &&
    entry[stampAt + 10] === 0x48 &&
    (entry[stampAt + 19] as number) < 24 &&
    (entry[stampAt + 20] as number) < 24;
  if (isUsual) return { class: entry[CLASS_AT] as OpClass, op: entry.subarray(OP_AT, stampAt) };
  const decoded = decodeEntry(entry);
  if (decoded.type === 'local' || decoded.isCopy === true) return undefined;
  return { class: decoded.stamped.op.class, op: decoded.stamped.bytes };
}
