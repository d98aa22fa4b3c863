/**
 * The records that a batch touches, as they stand in the database and as the fold of merge/ changes them. What the tables
 * hold is loaded before; the ops of a record, of which there may be many, only where the fold asks for them: then
 * `WritesNotLoaded` says for which record, and the fold begins anew with them.
 */
import { must } from '../../../base/assert.ts';
import { type Conflict, conflictsOf, isPlainWrite } from '../../../merge/conflicts.ts';
import type { FoldTarget } from '../../../merge/fold-target.ts';
import { fold, foldAgain } from '../../../merge/fold.ts';
import { isSameOp, type OpId, textOfOpId } from '../../../merge/op-id.ts';
import type { WriteOrder } from '../../../merge/order.ts';
import {
  type Counter,
  type FieldWrite,
  NO_COUNTER,
  plus,
  type RecordState,
  type RecordWrite,
} from '../../../merge/record.ts';
import { keptOf } from '../../../merge/record/fold-record.ts';
import { ListedOps, type RecordOps } from '../../../merge/record/record-ops.ts';
import { readRegisterWrites } from '../../../merge/register-writes.ts';
import { LOG } from '../../../model/class.ts';
import { CONTROL, type StampedOp, UNDO } from '../../../model/op.ts';

/** A record as it was loaded. */
export interface StoredRecord {
  readonly id: number;
  readonly tombstone: WriteOrder | undefined;
  readonly fields: ReadonlyMap<string, FieldWrite>;
  readonly counters: ReadonlyMap<string, Counter>;
  /** Whether there is an undo or a horizon among its ops. */
  readonly hasUndo: boolean;
  readonly hasOpenConflict: boolean;
}

export interface ChangedRecord {
  readonly id: number;
  tombstone: WriteOrder | undefined;
  fields: Map<string, FieldWrite>;
  counters: Map<string, Counter>;
  hasUndo: boolean;
  readonly hasOpenConflict: boolean;
  /** What stands in the tables goes before what changed is written. */
  isReplaced: boolean;
  readonly changedFields: Set<string>;
  readonly changedCounters: Set<string>;
  readonly added: RecordWrite[];
  /** Ops that stand there with a larger stamp, and go. */
  readonly replaced: RecordWrite[];
  /** When its conflicts are to be compared: moment of the last op that may have changed them. */
  lookMs: number | undefined;
}

/** The open conflicts of a record in which they may have changed. */
export interface RecordConflicts extends Pick<ChangedRecord, 'id'> {
  readonly lookMs: number;
  readonly found: readonly Conflict[];
}

export class WritesNotLoaded extends Error {
  readonly key: string;

  constructor(key: string) {
    super(`the ops of ${key} are needed`);
    this.key = key;
  }
}

const NONE: readonly never[] = [];

/** The ops of a record that were not loaded: whoever asks for them has to begin anew. */
class OpsNotLoaded implements RecordOps {
  readonly #key: string;
  readonly #hasUndo: boolean;

  /** Without `hasUndo` it is known that there is no undo and no horizon among them. */
  constructor(key: string, hasUndo: boolean) {
    this.#key = key;
    this.#hasUndo = hasUndo;
  }

  writeOf(): never {
    return this.#missing();
  }

  registerWrites(): never {
    return this.#missing();
  }

  removes(): never {
    return this.#missing();
  }

  writesAbove(): never {
    return this.#missing();
  }

  namersOf(): never {
    return this.#missing();
  }

  orders(): never {
    return this.#missing();
  }

  undosOf(): readonly OpId[] {
    return this.#hasUndo ? this.#missing() : NONE;
  }

  horizons(): readonly RecordWrite[] {
    return this.#hasUndo ? this.#missing() : NONE;
  }

  #missing(): never {
    throw new WritesNotLoaded(this.#key);
  }
}

export class WorkingSet implements FoldTarget {
  readonly records = new Map<string, ChangedRecord>();
  readonly #listedByKey = new Map<string, ListedOps>();
  readonly #writesByKey: ReadonlyMap<string, readonly RecordWrite[]>;

  constructor(
    stored: ReadonlyMap<string, StoredRecord>,
    writesByKey: ReadonlyMap<string, readonly RecordWrite[]>,
  ) {
    this.#writesByKey = writesByKey;
    for (const [key, record] of stored) {
      this.records.set(key, {
        ...record,
        fields: new Map(record.fields),
        counters: new Map(record.counters),
        isReplaced: false,
        changedFields: new Set(),
        changedCounters: new Set(),
        added: [],
        replaced: [],
        lookMs: undefined,
      });
    }
  }

  /** Folds an op that was not folded before. */
  take(stamped: StampedOp): void {
    const { op, stamp } = stamped;
    if (op.class === LOG) return;
    const record = this.#record(op.key);
    const surroundings = {
      isOpen: () => record.hasOpenConflict || record.lookMs !== undefined,
      standingOf: (field: string) => this.fieldOrder(op.key, field),
    };
    const written = readRegisterWrites(op.kind, op.body);
    if (!isPlainWrite(stamped, written, surroundings)) record.lookMs = stamp.hlc.ms;
    fold(this, stamped, written);
  }

  /** Takes an op that was folded before, maybe with a larger stamp. */
  takeAgain(stamped: StampedOp): void {
    if (!this.records.has(stamped.op.key) || !foldAgain(this, stamped)) return;
    this.#record(stamped.op.key).lookMs = stamped.stamp.hlc.ms;
  }

  /** Open conflicts of the records in which they may have changed. */
  conflicts(): RecordConflicts[] {
    return [...this.records].flatMap(([key, { id, lookMs }]) =>
      lookMs === undefined ? [] : [{ id, lookMs, found: conflictsOf(this.writes(key)) }],
    );
  }

  /** Events are told apart by the database itself: the one of the greatest rank stands. */
  eventOrder(): WriteOrder | undefined {
    return undefined;
  }

  putEvent(): void {
    throw new Error('events do not come here');
  }

  mergeDoc(): void {
    throw new Error('documents do not come here');
  }

  opsOf(key: string): RecordOps {
    if (this.#writesByKey.has(key)) return this.#listed(key);
    return new OpsNotLoaded(key, this.#record(key).hasUndo);
  }

  addWrite(key: string, write: RecordWrite): boolean {
    const record = this.#record(key);
    record.added.push(write);
    if (write.kind === UNDO || write.kind === CONTROL) record.hasUndo = true;
    this.#listedByKey.get(key)?.add(write);
    return true;
  }

  /** The tables keep all ops, for those who ask how a record came to be; they count no more. */
  dropWrites(key: string): void {
    this.#listedByKey.delete(key);
  }

  replaceWrite(key: string, before: RecordWrite, write: RecordWrite): void {
    const { added, replaced } = this.#record(key);
    const at = added.findIndex(({ order }) => isSameOp(order, write.order));
    if (at < 0) replaced.push(before);
    else added.splice(at, 1);
    added.push(write);
    this.#listedByKey.get(key)?.replace(write);
  }

  /** All ops on the record, those below a horizon included. */
  writes(key: string): RecordWrite[] {
    const stored = this.#writesByKey.get(key);
    if (stored === undefined) throw new WritesNotLoaded(key);
    const { added } = this.#record(key);
    const names = new Set(added.map(({ order }) => textOfOpId(order)));
    return [...stored.filter(({ order }) => !names.has(textOfOpId(order))), ...added];
  }

  tombstone(key: string): WriteOrder | undefined {
    return this.#record(key).tombstone;
  }

  fieldOrder(key: string, field: string): WriteOrder | undefined {
    return this.#record(key).fields.get(field)?.order;
  }

  putField(key: string, field: string, write: FieldWrite): void {
    const record = this.#record(key);
    record.fields.set(field, write);
    record.changedFields.add(field);
  }

  dropField(key: string, field: string): void {
    const { tombstone, fields, counters } = this.#record(key);
    const left = new Map(fields);
    left.delete(field);
    this.putRecord(key, { tombstone, fields: left, counters });
  }

  addToCounter(key: string, field: string, delta: bigint, count: 1 | -1): void {
    const record = this.#record(key);
    const { tombstone, fields, counters } = record;
    const counter = plus(counters.get(field) ?? NO_COUNTER, delta, count);
    if (counter.adds > 0) {
      counters.set(field, counter);
      record.changedCounters.add(field);
      return;
    }
    counters.delete(field);
    this.putRecord(key, { tombstone, fields, counters });
  }

  putRecord(key: string, { tombstone, fields, counters }: RecordState): void {
    const record = this.#record(key);
    record.isReplaced = true;
    record.tombstone = tombstone;
    record.fields = new Map(fields);
    record.counters = new Map(counters);
    record.changedFields.clear();
    record.changedCounters.clear();
    for (const field of fields.keys()) record.changedFields.add(field);
    for (const field of counters.keys()) record.changedCounters.add(field);
  }

  #listed(key: string): ListedOps {
    let listed = this.#listedByKey.get(key);
    if (listed === undefined) {
      listed = new ListedOps(keptOf(this.writes(key)));
      this.#listedByKey.set(key, listed);
    }
    return listed;
  }

  #record(key: string): ChangedRecord {
    return must(this.records.get(key), 'a record that is folded was loaded');
  }
}
