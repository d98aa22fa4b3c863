/**
 * Class and stamp time of a journal entry, without decoding it: the backlog looks at every entry that is ever
 * journaled, on the machine that acknowledges them. Entries come from our own journal, whose checksums
 * were verified; what has not the usual form is decoded the long way.
 */
import { decodeEntry, LOCAL_ENTRY, OP_ENTRY } from '../../model/entry.ts';
import type { OpClass } from '../../model/class.ts';

interface Peeked {
  readonly class: OpClass;
  readonly stampMs: number;
}

/** `[0, [h'origin', class …` begins so: array of 3, 0, array of 8, 8 bytes of origin, class. */
const CLASS_AT = 12;
/** `… [h'hub', h'hlc', authority, epoch]` ends so, where authority and epoch are below 24. */
const HLC_FROM_END = 10;
const STAMP_FROM_END = 21;
const LEAST_BYTES = CLASS_AT + STAMP_FROM_END;

/** Undefined for a local entry, which never travels, and for a copy, which the region has. */
export function peekEntry(entry: Uint8Array): Peeked | undefined {
  if (entry[0] === 0x82 && entry[1] === LOCAL_ENTRY) return undefined;
  if (!isUsual(entry, 0, entry.length)) return peekSlowly(entry);
  const hlcAt = entry.length - HLC_FROM_END;
  let stampMs = 0;
  for (let i = 0; i < 6; i++) stampMs = stampMs * 256 + (entry[hlcAt + i] as number);
  return { class: entry[CLASS_AT] as OpClass, stampMs };
}

/** The class alone, of the entry that lies there in `bytes`; undefined as above. */
export function classOfEntry(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): OpClass | undefined {
  if (isUsual(bytes, start, end)) return bytes[start + CLASS_AT] as OpClass;
  return peekEntry(bytes.subarray(start, end))?.class;
}

function isUsual(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start > LEAST_BYTES &&
    bytes[start] === 0x83 &&
    bytes[start + 1] === OP_ENTRY &&
    bytes[start + 2] === 0x88 &&
    bytes[start + 3] === 0x48 &&
    bytes[end - STAMP_FROM_END] === 0x84 &&
    bytes[end - STAMP_FROM_END + 1] === 0x48 &&
    bytes[end - HLC_FROM_END - 1] === 0x48 &&
    (bytes[end - 2] as number) < 24 &&
    (bytes[end - 1] as number) < 24
  );
}

function peekSlowly(entry: Uint8Array): Peeked | undefined {
  const decoded = decodeEntry(entry);
  if (decoded.type === 'local' || decoded.isCopy === true) return undefined;
  return { class: decoded.stamped.op.class, stampMs: decoded.stamped.stamp.hlc.ms };
}
