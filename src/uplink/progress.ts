/**
 * How far each class has come: a small file, replaced whole (old or new after a crash, never half). Only a
 * verified receipt changes what it says. Losing it is harmless: everything the journal still has is sealed
 * and sent again, and the regional node knows every op.
 *
 * Receipts may come out of order (a refused batch waits while later ones pass), so a class has a line up to which
 * all is receipted, and a few receipted batches beyond it.
 */
import type { Log } from '../base/log.ts';
import { type BatchId, batchIdOfBytes, bytesOfBatchId } from '../batch/batch-id.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { CLASSES, type OpClass, perClass } from '../model/class.ts';
import type { Files } from '../platform/files/files.ts';
import { UPLINK_PROGRESS } from '../versions.ts';
import type { Lsn } from './ports.ts';

interface ReceiptedBatch {
  readonly fromLsn: Lsn;
  readonly throughLsn: Lsn;
  readonly id: BatchId;
}

export interface ClassProgress {
  /** All ops of the class at or below are receipted. */
  readonly receiptedLsn: Lsn;
  /** The last batch at or below, which the next one names as its predecessor; undefined at a chain's start. */
  readonly lastId: BatchId | undefined;
  /** Receipted batches beyond, in order; few. */
  readonly beyond: readonly ReceiptedBatch[];
}

export type Progress = Readonly<Record<OpClass, ClassProgress>>;

export const BEYOND_MAX = 64;
export const CLASS_START: ClassProgress = { receiptedLsn: 0, lastId: undefined, beyond: [] };
const LIMITS = { depthMax: 5, itemsMax: 4_000 };

export function writeProgress(files: Files, path: string, progress: Progress): void {
  const writer = new CborWriter(256).array(2).uint(UPLINK_PROGRESS).array(CLASSES.length);
  for (const opClass of CLASSES) {
    const { receiptedLsn, lastId, beyond } = progress[opClass];
    writer.array(3).uint(receiptedLsn);
    if (lastId === undefined) writer.null();
    else writer.bytes(bytesOfBatchId(lastId));
    writer.array(beyond.length);
    for (const batch of beyond) {
      writer.array(3).uint(batch.fromLsn).uint(batch.throughLsn).bytes(bytesOfBatchId(batch.id));
    }
  }
  files.replace(path, writer.finish());
}

/** Whether the batch of the class that begins there has its receipt. */
export function isReceipted({ receiptedLsn, beyond }: ClassProgress, fromLsn: Lsn): boolean {
  return fromLsn <= receiptedLsn || beyond.some((batch) => batch.fromLsn === fromLsn);
}

interface ProgressParts {
  readonly files: Files;
  readonly path: string;
  /** Of the journal that it should be about. */
  readonly lastLsn: Lsn;
  readonly log: Log;
}

/** What the file says; the start where it says nothing, or is about another journal. */
export function openProgress({ files, path, lastLsn, log }: ProgressParts): {
  readonly progress: Progress;
  readonly isForeign: boolean;
} {
  const read = readProgress(files, path);
  if (read.kind === 'damaged') log.warn('uplink.progress.damaged', {});
  const start = perClass(() => CLASS_START);
  const progress = read.kind === 'read' ? read.progress : start;
  // The journal was begun anew.
  const isForeign = CLASSES.some((opClass) => progress[opClass].receiptedLsn > lastLsn);
  if (isForeign) log.warn('uplink.progress.foreign', { lastLsn });
  return { progress: isForeign ? start : progress, isForeign };
}

type ProgressOutcome =
  | { readonly kind: 'read'; readonly progress: Progress }
  | { readonly kind: 'none' }
  | { readonly kind: 'damaged' };

function readProgress(files: Files, path: string): ProgressOutcome {
  const bytes = files.read(path);
  if (bytes === undefined) return { kind: 'none' };
  try {
    const reader = new CborReader(bytes, 0, LIMITS);
    reader.expectArray(2);
    if (reader.uint() !== UPLINK_PROGRESS) return { kind: 'damaged' };
    reader.expectArray(CLASSES.length);
    const progress = perClass(() => readClass(reader));
    return reader.atEnd ? { kind: 'read', progress } : { kind: 'damaged' };
  } catch (error) {
    if (error instanceof CborError) return { kind: 'damaged' };
    throw error;
  }
}

function readClass(reader: CborReader): ClassProgress {
  reader.expectArray(3);
  const receiptedLsn = reader.uint();
  const lastId = reader.orNull(() => readId(reader));
  const beyond = Array.from({ length: reader.array() }, () => {
    reader.expectArray(3);
    return { fromLsn: reader.uint(), throughLsn: reader.uint(), id: readId(reader) };
  });
  return { receiptedLsn, lastId, beyond };
}

function readId(reader: CborReader): BatchId {
  const id = batchIdOfBytes(reader.bytes());
  if (id === undefined) throw new CborError('not a batch id', reader.offset);
  return id;
}
