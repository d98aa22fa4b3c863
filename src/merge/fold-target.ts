/** What the fold needs of the state that it folds into. */
import type { VersionVector } from '../model/version-vector.ts';
import type { DocChange } from './doc/read-update.ts';
import type { OpId } from './op-id.ts';
import type { WriteOrder } from './order.ts';
import type { FieldWrite, RecordState, RecordWrite } from './record.ts';
import type { RecordOps } from './record/record-ops.ts';

/** The newest event of a key. */
export interface EventWrite {
  readonly order: WriteOrder;
  readonly body: Uint8Array;
}

/** State that ops are folded into: memory on a device, tables on a hub. */
export interface FoldTarget {
  /** The ops of a record, as they are kept at this moment. */
  opsOf(key: string): RecordOps;
  /** Order of the newest event of `key`. */
  eventOrder(key: string): WriteOrder | undefined;
  putEvent(key: string, write: EventWrite): void;
  /** Keeps the op; false where it was kept before. */
  addWrite(key: string, write: RecordWrite): boolean;
  /** Forgets the ops that the vector covers, horizons excepted, and of the horizons those in `gone`. */
  dropWrites(key: string, vector: VersionVector, gone: readonly RecordWrite[]): void;
  /** Keeps `write` in the place of `before`, which is the same op. */
  replaceWrite(key: string, before: RecordWrite, write: RecordWrite): void;
  /** The record's tombstone. */
  tombstone(key: string): WriteOrder | undefined;
  fieldOrder(key: string, field: string): WriteOrder | undefined;
  putField(key: string, field: string, write: FieldWrite): void;
  dropField(key: string, field: string): void;
  /** With one increment more, or less. */
  addToCounter(key: string, field: string, delta: bigint, count: 1 | -1): void;
  /** Replaces tombstone, fields and counters. */
  putRecord(key: string, state: RecordState): void;
  /** Takes an update into the document, and notes that the op is in it. */
  mergeDoc(key: string, change: DocChange, op: OpId): void;
}
