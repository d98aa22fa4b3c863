/**
 * A folded state in memory: what a device holds, and the yardstick that the tables of a hub are tested
 * against.
 */
import { must } from '../base/assert.ts';
import { compareBytes, utf8 } from '../base/bytes.ts';
import { CONTROL, UNDO } from '../model/op.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { LivingState } from './digest.ts';
import { DocFold, type DocState } from './doc/doc-state.ts';
import type { DocChange } from './doc/read-update.ts';
import type { EventWrite, FieldWrite, FoldTarget } from './fold.ts';
import { type OpId, textOfOpId } from './op-id.ts';
import type { WriteOrder } from './order.ts';
import { readUndo } from './patch.ts';
import { type Counter, NO_COUNTER, plus, type RecordState, type RecordWrite } from './record.ts';
import { isCovered } from './record/horizon.ts';
import { ListedOps } from './record/record-ops.ts';

interface MemoryRecord {
  readonly writes: Map<string, RecordWrite>;
  /** Of all writes, until another one comes. */
  listed: ListedOps | undefined;
  /** Asked for at every op: horizons, and undos by the names of what they name. */
  horizons: readonly RecordWrite[];
  readonly undosByTarget: Map<string, OpId[]>;
  tombstone: WriteOrder | undefined;
  fields: Map<string, FieldWrite>;
  counters: Map<string, Counter>;
}

const NO_OPS = new ListedOps([]);
const EMPTY: ReadonlyMap<string, never> = new Map<string, never>();

export class MemoryState implements FoldTarget, LivingState {
  readonly #events = new Map<string, EventWrite>();
  readonly #records = new Map<string, MemoryRecord>();
  readonly #docs = new Map<string, DocFold>();

  event(key: string): EventWrite | undefined {
    return this.#events.get(key);
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

  addWrite(key: string, write: RecordWrite): boolean {
    let record = this.#records.get(key);
    if (record === undefined) {
      record = emptyRecord();
      this.#records.set(key, record);
    }
    const name = textOfOpId(write.order);
    if (record.writes.has(name)) return false;
    record.writes.set(name, write);
    record.listed = undefined;
    if (write.kind === CONTROL) record.horizons = [...record.horizons, write];
    else if (write.kind === UNDO) noteUndo(record, write);
    return true;
  }

  dropWrites(key: string, vector: VersionVector, gone: readonly RecordWrite[]): void {
    const record = this.#recordOf(key);
    const names = new Set(gone.map(({ order }) => textOfOpId(order)));
    for (const [name, write] of record.writes) {
      if (names.has(name) || isCovered(vector, write)) record.writes.delete(name);
    }
    record.listed = undefined;
    record.horizons = record.horizons.filter(({ order }) => !names.has(textOfOpId(order)));
    // Undos that went name what went with them, or nothing that they reached: `writeOf` no longer finds them.
  }

  writeOf(key: string, op: OpId): RecordWrite | undefined {
    return this.#records.get(key)?.writes.get(textOfOpId(op));
  }

  undosOf(key: string, op: OpId): readonly OpId[] {
    return this.#records.get(key)?.undosByTarget.get(textOfOpId(op)) ?? [];
  }

  registerWrites(key: string, field: string, below?: WriteOrder): readonly RecordWrite[] {
    return this.#listed(key).registerWrites(key, field, below);
  }

  removes(key: string): Iterable<RecordWrite> {
    return this.#listed(key).removes();
  }

  writesAbove(key: string, above: WriteOrder | undefined): readonly RecordWrite[] {
    return this.#listed(key).writesAbove(key, above);
  }

  namersOf(key: string, op: OpId): readonly RecordWrite[] {
    return this.#listed(key).namersOf(key, op);
  }

  horizons(key: string): readonly RecordWrite[] {
    return this.#records.get(key)?.horizons ?? [];
  }

  replaceWrite(key: string, _before: RecordWrite, write: RecordWrite): void {
    const record = this.#recordOf(key);
    record.writes.set(textOfOpId(write.order), write);
    record.listed = undefined;
  }

  /** All ops on the record that are kept. */
  writes(key: string): RecordWrite[] {
    return [...(this.#records.get(key)?.writes.values() ?? [])];
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

  #listed(key: string): ListedOps {
    const record = this.#records.get(key);
    if (record === undefined) return NO_OPS;
    record.listed ??= new ListedOps([...record.writes.values()]);
    return record.listed;
  }

  #recordOf(key: string): MemoryRecord {
    return must(this.#records.get(key), 'a record is there once one of its ops is kept');
  }
}

function emptyRecord(): MemoryRecord {
  return {
    writes: new Map(),
    listed: undefined,
    horizons: [],
    undosByTarget: new Map(),
    tombstone: undefined,
    fields: new Map(),
    counters: new Map(),
  };
}

function noteUndo({ undosByTarget }: MemoryRecord, { order, body }: RecordWrite): void {
  for (const id of readUndo(body) ?? []) {
    const name = textOfOpId(id);
    const undos = undosByTarget.get(name);
    if (undos === undefined) undosByTarget.set(name, [order]);
    else undos.push(order);
  }
}

function byKeyBytes<T>(map: ReadonlyMap<string, T>): (readonly [string, T])[] {
  const pairs = [...map].map(([key, value]) => ({ key, bytes: utf8(key), value }));
  pairs.sort((a, b) => compareBytes(a.bytes, b.bytes));
  return pairs.map(({ key, value }) => [key, value] as const);
}
