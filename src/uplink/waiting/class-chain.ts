/**
 * Where each class of the outbox stands: batch joins batch from the receipted line on, as the progress file and the
 * spool together say after a start, and as receipts move it, in whatever order they come.
 */
import type { BatchId } from '../../batch/batch-id.ts';
import type { OpClass } from '../../model/class.ts';
import type { Lsn } from '../ports.ts';
import type { ClassProgress } from '../progress.ts';
import type { Spool } from '../spool.ts';

/** Where a class stands in memory; `progress` is what the file may say of it. */
export interface ClassState {
  progress: ClassProgress;
  /** All ops at or below are in a batch. */
  sealedLsn: Lsn;
  lastSealedId: BatchId | undefined;
  /** Changes when the class begins a new chain: a seal that is under way is then worthless. */
  chain: number;
  isSealing: boolean;
}

/** The class as the file and the spool together say: batch joins batch from the receipted line on. */
export function joinUp(progress: ClassProgress, spool: Spool, opClass: OpClass): ClassState {
  const known = new Map(progress.beyond.map((batch) => [batch.fromLsn, batch]));
  for (const { id, manifest } of spool.list()) {
    if (manifest.class !== opClass) continue;
    known.set(manifest.fromLsn, { ...manifest, id });
  }
  let sealedLsn = progress.receiptedLsn;
  let lastSealedId = progress.lastId;
  for (;;) {
    const next = known.get(sealedLsn + 1);
    if (next === undefined) break;
    sealedLsn = next.throughLsn;
    lastSealedId = next.id;
  }
  const beyond = progress.beyond.filter(({ throughLsn }) => throughLsn <= sealedLsn);
  const joined = { ...progress, beyond };
  return { progress: joined, chain: 0, isSealing: false, sealedLsn, lastSealedId };
}

/** Notes a receipted batch, and moves the line over all that now join on to it. */
export function joinedOn(
  progress: ClassProgress,
  batch: { readonly fromLsn: Lsn; readonly throughLsn: Lsn; readonly id: BatchId },
): ClassProgress {
  const others = progress.beyond.filter(({ id }) => id !== batch.id);
  const waiting = [...others, batch].toSorted((a, b) => a.fromLsn - b.fromLsn);
  let { receiptedLsn, lastId } = progress;
  while (waiting[0]?.fromLsn === receiptedLsn + 1) {
    receiptedLsn = waiting[0].throughLsn;
    lastId = waiting[0].id;
    waiting.shift();
  }
  const beyond = waiting.filter(({ throughLsn }) => throughLsn > receiptedLsn);
  return { receiptedLsn, lastId, beyond };
}
