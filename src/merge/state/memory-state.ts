/**
 * A folded state in memory: what a device holds, and the yardstick that the tables of a hub are tested
 * against.
 */
import { must } from '../../base/assert.ts';
import { compareBytes, utf8 } from '../../base/bytes.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { LivingState } from './digest.ts';
import { DocFold, type DocState } from '../doc/doc-state.ts';
import type { DocChange } from '../doc/read-update.ts';
import type { EventWrite, FoldTarget } from '../fold-target.ts';
import type { OpId } from '../op-id.ts';
import type { WriteOrder } from '../order.ts';
import {
  type Counter,
  type FieldWrite,
  NO_COUNTER,
  plus,
  type RecordState,
  type RecordWrite,
} from '../record.ts';
import { ListedOps } from '../record/record-ops.ts';

interface MemoryRecord {
  readonly ops: ListedOps;
  tombstone: WriteOrder | undefined;
  fields: Map<string, FieldWrite>;
  counters: Map<string, Counter>;
}

const NO_OPS = new ListedOps();
const EMPTY: ReadonlyMap<string, never> = new Map<string, never>();

export class MemoryState implements FoldTarget, LivingState {
  readonly #events = new Map<string, EventWrite>();
  readonly #records = new Map<string, MemoryRecord>();
  readonly #docs = new Map<string, DocFold>();

  event(key: string): EventWrite | undefined {
    return this.#events.get(key);
  }

  /** Keys of the records that have ops. */
  recordKeys(): string[] {
    return [...this.#records.keys()];
  }

  /** Living fields of a record; empty where there is none. */
  record(key: string): ReadonlyMap<string, FieldWrite> {
    return this.#records.get(key)?.fields ?? EMPTY;
  }

  countersOf(key: string): ReadonlyMap<string, Counter> {
    return this.#records.get(key)?.counters ?? EMPTY;
  }

  /** The document of this key; undefined where there is none. */
  doc(key: string): DocFold | undefined {
    return this.#docs.get(key);
  }

  mergeDoc(key: string, change: DocChange, op: OpId): void {
    this.#docOf(key).merge(change, op);
  }

  /** Joins what another replica has of the document. */
  joinDoc(key: string, state: DocState): void {
    this.#docOf(key).join(state);
  }

  eventOrder(key: string): WriteOrder | undefined {
    return this.#events.get(key)?.order;
  }

  putEvent(key: string, write: EventWrite): void {
    this.#events.set(key, write);
  }

  opsOf(key: string): ListedOps {
    return this.#records.get(key)?.ops ?? NO_OPS;
  }

  addWrite(key: string, write: RecordWrite): boolean {
    let record = this.#records.get(key);
    if (record === undefined) {
      record = emptyRecord();
      this.#records.set(key, record);
    }
    return record.ops.add(write);
  }

  dropWrites(key: string, vector: VersionVector, gone: readonly RecordWrite[]): void {
    this.#recordOf(key).ops.drop(vector, gone);
  }

  replaceWrite(key: string, _before: RecordWrite, write: RecordWrite): void {
    this.#recordOf(key).ops.replace(write);
  }

  /** All ops on the record that are kept. */
  writes(key: string): RecordWrite[] {
    return this.opsOf(key).all();
  }

  tombstone(key: string): WriteOrder | undefined {
    return this.#records.get(key)?.tombstone;
  }

  fieldOrder(key: string, field: string): WriteOrder | undefined {
    return this.record(key).get(field)?.order;
  }

  putField(key: string, field: string, write: FieldWrite): void {
    this.#recordOf(key).fields.set(field, write);
  }

  dropField(key: string, field: string): void {
    this.#recordOf(key).fields.delete(field);
  }

  addToCounter(key: string, field: string, delta: bigint, count: 1 | -1): void {
    const { counters } = this.#recordOf(key);
    const counter = plus(counters.get(field) ?? NO_COUNTER, delta, count);
    if (counter.adds === 0) counters.delete(field);
    else counters.set(field, counter);
  }

  putRecord(key: string, { tombstone, fields, counters }: RecordState): void {
    const record = this.#recordOf(key);
    record.tombstone = tombstone;
    record.fields = new Map(fields);
    record.counters = new Map(counters);
  }

  /** As if none of its ops had come. */
  dropRecord(key: string): void {
    this.#records.delete(key);
  }

  events(): Iterable<readonly [string, EventWrite]> {
    return byKeyBytes(this.#events);
  }

  *fields(): Iterable<readonly [string, string, FieldWrite]> {
    for (const [key, { fields }] of byKeyBytes(this.#records)) {
      for (const [field, write] of byKeyBytes(fields)) yield [key, field, write];
    }
  }

  *counters(): Iterable<readonly [string, string, Counter]> {
    for (const [key, { counters }] of byKeyBytes(this.#records)) {
      for (const [field, counter] of byKeyBytes(counters)) yield [key, field, counter];
    }
  }

  *docs(): Iterable<readonly [string, DocState]> {
    for (const [key, doc] of byKeyBytes(this.#docs)) yield [key, doc.encode()];
  }

  #docOf(key: string): DocFold {
    let doc = this.#docs.get(key);
    if (doc === undefined) {
      doc = new DocFold();
      this.#docs.set(key, doc);
    }
    return doc;
  }

  #recordOf(key: string): MemoryRecord {
    return must(this.#records.get(key), 'a record is there once one of its ops is kept');
  }
}

function emptyRecord(): MemoryRecord {
  return { ops: new ListedOps(), tombstone: undefined, fields: new Map(), counters: new Map() };
}

function byKeyBytes<T>(map: ReadonlyMap<string, T>): (readonly [string, T])[] {
  const pairs = [...map].map(([key, value]) => ({ key, bytes: utf8(key), value }));
  pairs.sort((a, b) => compareBytes(a.bytes, b.bytes));
  return pairs.map(({ key, value }) => [key, value] as const);
}
