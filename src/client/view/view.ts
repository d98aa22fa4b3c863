/**
 * What the application sees: the hub's state with this device's own ops over it, folded by the same rules. An own op
 * counts with the time it was made and the authority that the hub gives to this device; when it comes back from the
 * hub, what the hub says counts.
 */
import { must } from '../../base/assert.ts';
import { placeOf } from '../../base/halving.ts';
import { type Conflict, conflictsIn, type Dispute, isDispute } from '../../merge/conflicts.ts';
import { prevails, type WriteOrder } from '../../merge/order.ts';
import type { RecordState, RecordWrite } from '../../merge/record.ts';
import type { ListedOps } from '../../merge/record/record-ops.ts';
import { DOC, EVENT } from '../../model/op.ts';
import type { OwnOp } from '../outbox/entry.ts';
import { isOnRecord, Overlay } from './overlay.ts';
import type { Replica } from './replica.ts';

interface ViewParts {
  readonly replica: Replica;
  readonly ownByKey: () => ReadonlyMap<string, readonly OwnOp[]>;
  /** Rank of what this device makes. */
  readonly authority: () => number;
}

interface SeenEvent {
  readonly order: WriteOrder;
  readonly body: Uint8Array;
}

export class View {
  readonly #parts: ViewParts;
  readonly #overlay: Overlay;
  /** Of the fields that were asked for. */
  readonly #conflicts = new Map<string, Map<string, readonly Conflict[]>>();
  /** Keys of all records, in order; thousands may ask for a few of them each. */
  #sorted: readonly string[] | undefined;
  #known: ReadonlySet<string> = new Set();

  constructor(parts: ViewParts) {
    this.#parts = parts;
    this.#overlay = new Overlay(parts.replica.state);
  }

  /** What the hub gave of these keys has changed. */
  forget(keys: Iterable<string>): void {
    for (const key of keys) {
      this.#overlay.forget(key);
      this.#conflicts.delete(key);
      this.#meet(key);
    }
  }

  /** So have own ops on this one. */
  ownChanged(key: string): void {
    this.#conflicts.delete(key);
    this.#meet(key);
  }

  /** Living fields and counters, until something changes. */
  record(key: string): RecordState {
    return this.#overlay.record(key, this.#ownOn(key), this.#parts.authority());
  }

  /** The ops that it comes to. */
  ops(key: string): ListedOps {
    return this.#overlay.ops(key, this.#ownOn(key), this.#parts.authority());
  }

  writes(key: string): RecordWrite[] {
    return this.ops(key).all();
  }

  /** Own ops on it that the hub has not proven to have. */
  pending(key: string): number {
    return this.#ownOn(key).filter(({ stage }) => stage !== 'receipted').length;
  }

  event(key: string): SeenEvent | undefined {
    let latest: SeenEvent | undefined = this.#parts.replica.state.event(key);
    for (const { op } of this.#ownOn(key)) {
      const order = { authority: 0, hlc: op.hlc, origin: op.origin, seq: op.seq, class: op.class };
      if (op.kind === EVENT && prevails(order, latest?.order)) latest = { order, body: op.body };
    }
    return latest;
  }

  /** Keys of records that begin with `prefix`, in order; some may have nothing that lives. */
  keys(prefix: string): string[] {
    const sorted = this.#sortedKeys();
    const from = placeOf(sorted, (key) => key < prefix);
    const keys: string[] = [];
    for (let at = from; sorted[at]?.startsWith(prefix) === true; at++)
      keys.push(must(sorted[at], 'a key'));
    return keys;
  }

  #sortedKeys(): readonly string[] {
    if (this.#sorted !== undefined) return this.#sorted;
    const keys = new Set(this.#parts.replica.recordKeys);
    for (const [key, ops] of this.#parts.ownByKey()) {
      if (ops.some(({ op }) => isOnRecord(op))) keys.add(key);
    }
    this.#known = keys;
    this.#sorted = [...keys].toSorted((a, b) => (a < b ? -1 : 1));
    return this.#sorted;
  }

  /** A key that may have become that of a record. */
  #meet(key: string): void {
    if (this.#sorted === undefined || this.#known.has(key)) return;
    const isRecord = this.#parts.replica.state.opsOf(key).size > 0;
    if (isRecord || this.#ownOn(key).some(({ op }) => isOnRecord(op))) this.#sorted = undefined;
  }

  /** Open conflicts of a field; an edit asks for those of what it writes, of a record with thousands of ops. */
  conflicts(key: string, field: string): readonly Conflict[] {
    const byField = this.#conflicts.get(key) ?? new Map<string, readonly Conflict[]>();
    this.#conflicts.set(key, byField);
    let conflicts = byField.get(field);
    if (conflicts === undefined) {
      conflicts = conflictsIn(this.ops(key), field, this.record(key).tombstone);
      byField.set(field, conflicts);
    }
    return conflicts;
  }

  /** Those of the record that are for a person to decide. */
  disputes(key: string): readonly Dispute[] {
    const fields = [...this.record(key).fields.keys()];
    return fields.flatMap((field) => this.conflicts(key, field).filter((each) => isDispute(each)));
  }

  /** Updates that a document comes to, in any order. */
  docUpdates(key: string): Uint8Array[] {
    const own = this.#ownOn(key).filter(({ op }) => op.kind === DOC);
    const given = this.#parts.replica.docState(key);
    const updates = own.map(({ op }) => op.body);
    return given === undefined ? updates : [given, ...updates];
  }

  #ownOn(key: string): readonly OwnOp[] {
    return this.#parts.ownByKey().get(key) ?? [];
  }
}
