/** Reads what waits of one class from the journal, as far as it goes into one batch. */
import type { SealLimits } from '../../batch/limits.ts';
import type { OpClass } from '../../model/class.ts';
import { classOfEntry, peekEntry } from '../waiting/peek-entry.ts';
import type { JournalReader, Lsn } from '../ports.ts';
import type { Breather } from '../waiting/breather.ts';
import type { Packing } from './packer.ts';

/** Of a step: the seal of each is opened, for as much as ten entries cost; where devices are few it holds a single one. */
const STEP_BLOCKS = 8;

/** What is to be gathered. */
interface Wanted {
  readonly class: OpClass;
  /** So many ops wait, the first at or behind `fromLsn`, none behind `endLsn`. */
  readonly ops: number;
  readonly fromLsn: Lsn;
  readonly endLsn: Lsn;
  readonly limits: SealLimits;
}

export interface Gathered {
  readonly ops: number;
  /** Of their entries. */
  readonly bytes: number;
  readonly throughLsn: Lsn;
  /** The first one that had no room. */
  readonly next: { readonly lsn: Lsn; readonly stampMs: number } | undefined;
}

/** Undefined where nothing was found. */
export async function gather(
  journal: JournalReader,
  breather: Pick<Breather, 'begin' | 'step'>,
  { class: opClass, ops: waiting, fromLsn, endLsn, limits }: Wanted,
  packing: Pick<Packing, 'step' | 'add'>,
): Promise<Gathered | undefined> {
  breather.begin();
  const { step } = packing;
  const cursor = journal.cursor(fromLsn);
  let [ops, bytes, throughLsn] = [0, 0, 0];
  let [stepEntries, stepBytes, stepBlocks] = [0, 0, 0];
  let block: Uint8Array | undefined;
  while (ops < waiting) {
    if (stepEntries >= step.entries || stepBytes >= step.bytes || stepBlocks >= STEP_BLOCKS) {
      const rest = breather.step();
      if (rest !== undefined) await rest;
      stepEntries = stepBytes = stepBlocks = 0;
    }
    if (!cursor.step()) break;
    const { lsn, bytes: from, start, end } = cursor;
    if (lsn > endLsn) break;
    const entryBytes = end - start;
    stepEntries += 1;
    stepBytes += entryBytes;
    if (from !== block) stepBlocks += 1;
    block = from;
    if (classOfEntry(from, start, end) !== opClass) continue;
    // The first op always goes in: what is larger than the limit must travel too.
    const isFull = ops >= limits.opsMax || bytes + entryBytes > limits.opBytesMax;
    if (isFull && ops > 0) {
      const stampMs = peekEntry(from.subarray(start, end))?.stampMs ?? 0;
      return { ops, bytes, throughLsn, next: { lsn, stampMs } };
    }
    packing.add(from, start, end);
    ops += 1;
    bytes += entryBytes;
    throughLsn = lsn;
  }
  return ops === 0 ? undefined : { ops, bytes, throughLsn, next: undefined };
}
