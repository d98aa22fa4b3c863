/**
 * What the application sees: the hub's state with this device's own ops over it, folded by the same rules. An own op
 * counts with the time it was made and the authority that the hub gives to this device; when it comes back from the
 * hub, what the hub says counts.
 */
import { type Conflict, conflictsOf } from '../../merge/conflicts.ts';
import { textOfOpId } from '../../merge/op-id.ts';
import { prevails, type WriteOrder } from '../../merge/order.ts';
import type { RecordState, RecordWrite } from '../../merge/record.ts';
import { foldRecord } from '../../merge/record/fold-record.ts';
import { carriesBytes } from '../../model/asset-bytes.ts';
import { DOC, EVENT, type Op } from '../../model/op.ts';
import type { OwnOp } from '../outbox/outbox.ts';
import type { Replica } from './replica.ts';

export interface ViewParts {
  readonly replica: Replica;
  readonly ownByKey: () => ReadonlyMap<string, readonly OwnOp[]>;
  /** Rank of what this device makes. */
  readonly authority: () => number;
}

export interface SeenRecord extends RecordState {
  /** Own ops on it that the hub has not proven to have. */
  readonly pending: number;
  readonly writes: readonly RecordWrite[];
}

export interface SeenEvent {
  readonly order: WriteOrder;
  readonly body: Uint8Array;
}

export class View {
  readonly #parts: ViewParts;
  readonly #seen = new Map<string, SeenRecord>();
  readonly #conflicts = new Map<string, readonly Conflict[]>();

  constructor(parts: ViewParts) {
    this.#parts = parts;
  }

  /** What was seen of these keys may have changed. */
  forget(keys: Iterable<string>): void {
    for (const key of keys) {
      this.#seen.delete(key);
      this.#conflicts.delete(key);
    }
  }

  record(key: string): SeenRecord {
    let seen = this.#seen.get(key);
    if (seen === undefined) {
      const writes = this.#writes(key);
      const pending = this.#ownOn(key).filter(({ stage }) => stage !== 'receipted').length;
      seen = { ...foldRecord(writes), writes, pending };
      this.#seen.set(key, seen);
    }
    return seen;
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
    const keys = new Set<string>();
    for (const key of this.#parts.replica.recordKeys) if (key.startsWith(prefix)) keys.add(key);
    for (const [key, ops] of this.#parts.ownByKey()) {
      if (key.startsWith(prefix) && ops.some(({ op }) => isOnRecord(op))) keys.add(key);
    }
    return [...keys].toSorted((a, b) => (a < b ? -1 : 1));
  }

  conflicts(key: string): readonly Conflict[] {
    let conflicts = this.#conflicts.get(key);
    if (conflicts === undefined) {
      conflicts = conflictsOf(this.record(key).writes);
      this.#conflicts.set(key, conflicts);
    }
    return conflicts;
  }

  /** Updates that a document comes to, in any order. */
  docUpdates(key: string): Uint8Array[] {
    const own = this.#ownOn(key).filter(({ op }) => op.kind === DOC);
    const given = this.#parts.replica.docState(key);
    const updates = own.map(({ op }) => op.body);
    return given === undefined ? updates : [given, ...updates];
  }

  #writes(key: string): RecordWrite[] {
    const writes = this.#parts.replica.state.writes(key);
    const own = this.#ownOn(key);
    if (own.length === 0) return writes;
    const known = new Set(writes.map(({ order }) => textOfOpId(order)));
    const authority = this.#parts.authority();
    for (const { op } of own) {
      const { hlc, origin, seq, class: opClass, kind, body } = op;
      const order = { authority, hlc, origin, seq, class: opClass };
      if (isOnRecord(op) && !known.has(textOfOpId(order))) writes.push({ order, kind, body });
    }
    return writes;
  }

  #ownOn(key: string): readonly OwnOp[] {
    return this.#parts.ownByKey().get(key) ?? [];
  }
}

function isOnRecord(op: Op): boolean {
  return op.kind !== EVENT && op.kind !== DOC && !carriesBytes(op);
}
