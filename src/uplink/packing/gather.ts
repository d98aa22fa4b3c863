/** Reads what waits of one class from the journal, as far as it goes into one batch. */
import type { SealLimits } from '../../batch/limits.ts';
import type { OpClass } from '../../model/class.ts';
import { classOfEntry, peekEntry } from '../waiting/peek-entry.ts';
import type { JournalReader, Lsn } from '../ports.ts';
import type { Breather } from '../waiting/breather.ts';
import type { Packing } from './packer.ts';

/** What is to be gathered. */
export interface Wanted {
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
  breather: Breather,
  { class: opClass, ops: waiting, fromLsn, endLsn, limits }: Wanted,
  packing: Packing,
): Promise<Gathered | undefined> {
  breather.begin();
  const { step } = packing;
  const cursor = journal.cursor(fromLsn);
  let [ops, bytes, throughLsn] = [0, 0, 0];
  let [stepEntries, stepBytes] = [0, 0];
  while (ops < waiting) {
    if (stepEntries >= step.entries || stepBytes >= step.bytes) {
      const rest = breather.step();
      if (rest !== undefined) await rest;
      stepEntries = stepBytes = 0;
    }
    const item = cursor.next();
    if (item === undefined || item.lsn > endLsn) break;
    const { lsn, entry } = item;
    stepEntries += 1;
    stepBytes += entry.length;
    if (classOfEntry(entry) !== opClass) continue;
    // The first op always goes in: what is larger than the limit must travel too.
    const isFull = ops >= limits.opsMax || bytes + entry.length > limits.opBytesMax;
    if (isFull && ops > 0) {
      return { ops, bytes, throughLsn, next: { lsn, stampMs: peekEntry(entry)?.stampMs ?? 0 } };
    }
    packing.add(entry);
    ops += 1;
    bytes += entry.length;
    throughLsn = lsn;
  }
  return ops === 0 ? undefined : { ops, bytes, throughLsn, next: undefined };
}
