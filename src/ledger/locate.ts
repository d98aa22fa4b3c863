/**
 * Finds an op in the journal by its name. There is no index for it: who asks is a person who wants a proof, and a
 * million entries are looked through in a second or two, a slice at a time.
 */
import { bytesEqual } from '../base/bytes.ts';
import { CborError } from '../codec/reader.ts';
import { type OpClass } from '../model/class.ts';
import { decodeOp } from '../model/op.ts';
import { bytesOfOrigin, type Origin } from '../model/origin.ts';
import { leafOf } from './leaf.ts';
import type { JournalReader } from './ledger.ts';

interface OpName {
  readonly origin: Origin;
  readonly class: OpClass;
  readonly seq: number;
}

const SLICE_ENTRIES = 2_048;
/** The origin's bytes in an op. */
const ORIGIN_AT = 2;
const ORIGIN_END = 10;

/** LSN of the op; undefined where the journal has it not, or not any more. `pause` lets other work run. */
export async function locateOp(
  journal: Pick<JournalReader, 'cursor'>,
  name: OpName,
  pause: () => Promise<void>,
): Promise<number | undefined> {
  const origin = bytesOfOrigin(name.origin);
  const cursor = journal.cursor(1);
  for (let looked = 1; ; looked++) {
    if (looked % SLICE_ENTRIES === 0) await pause();
    const next = cursor.next();
    if (next === undefined) return undefined;
    if (isNamed(next.entry, name, origin)) return next.lsn;
  }
}

function isNamed(entry: Uint8Array, name: OpName, origin: Uint8Array): boolean {
  try {
    const leaf = leafOf(entry);
    if (leaf?.class !== name.class) return false;
    if (!bytesEqual(leaf.op.subarray(ORIGIN_AT, ORIGIN_END), origin)) return false;
    return decodeOp(leaf.op).seq === name.seq;
  } catch (error) {
    if (error instanceof CborError) return false;
    throw error;
  }
}
