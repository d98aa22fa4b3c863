/**
 * Records with own ops that have not come back from the hub: what the hub gave, with these over it. Each own op is folded once, over what
 * stood before it; a team that comes back with ten thousand edits must not have paid for each with the whole history of its record.
 */
import { fold } from '../../merge/fold.ts';
import type { RecordState } from '../../merge/record.ts';
import type { ListedOps } from '../../merge/record/record-ops.ts';
import { MemoryState } from '../../merge/state/memory-state.ts';
import { opBehind } from '../../merge/state/state-entry.ts';
import { carriesBytes } from '../../model/asset-bytes.ts';
import { isRecordKind, type Op } from '../../model/op.ts';
import type { OwnOp } from '../outbox/entry.ts';

/** How many of a record's own ops are in what is seen of it. */
interface Laid {
  readonly own: readonly OwnOp[];
  count: number;
}

export class Overlay {
  readonly #given: MemoryState;
  readonly #seen = new MemoryState();
  readonly #laidByKey = new Map<string, Laid>();

  constructor(given: MemoryState) {
    this.#given = given;
  }

  /** What was given has changed, or the rank of own ops has. */
  forget(key: string): void {
    if (this.#laidByKey.delete(key)) this.#seen.dropRecord(key);
  }

  /** The record as it stands with `own` over it: a list that grows at its end, or another one. */
  record(key: string, own: readonly OwnOp[], authority: number): RecordState {
    return stateOf(this.#with(key, own, authority), key);
  }

  /** Its ops. */
  ops(key: string, own: readonly OwnOp[], authority: number): ListedOps {
    return this.#with(key, own, authority).opsOf(key);
  }

  #with(key: string, own: readonly OwnOp[], authority: number): MemoryState {
    let laid = this.#laidByKey.get(key);
    if (laid?.own !== own) {
      this.forget(key);
      if (!own.some(({ op }) => isOnRecord(op))) return this.#given;
      laid = { own, count: 0 };
      this.#laidByKey.set(key, laid);
      for (const write of this.#given.writes(key)) this.#seen.addWrite(key, write);
      if (this.#given.opsOf(key).size > 0) this.#seen.putRecord(key, stateOf(this.#given, key));
    }
    for (; laid.count < own.length; laid.count++) {
      const { op } = own[laid.count] as OwnOp;
      const { hlc, origin, seq, class: opClass, kind, body } = op;
      const order = { authority, hlc, origin, seq, class: opClass };
      // What the hub says of an op counts.
      if (!isOnRecord(op) || this.#seen.opsOf(key).writeOf(order) !== undefined) continue;
      fold(this.#seen, opBehind(key, { order, kind, body }));
    }
    return this.#seen;
  }
}

export function isOnRecord(op: Op): boolean {
  return isRecordKind(op.kind) && !carriesBytes(op);
}

function stateOf(state: MemoryState, key: string): RecordState {
  return {
    tombstone: state.tombstone(key),
    fields: state.record(key),
    counters: state.countersOf(key),
  };
}
