/**
 * The numbers of a device's lanes: up to where they were given, and up to where a hub has shown that they were, whatever the log says: a
 * storage may have forgotten its end. Ops that were numbered before that was known get other numbers.
 */
import type { OpId } from '../../merge/op-id.ts';
import { encodeOp, EVENT, type Op } from '../../model/op.ts';
import { type Lane, laneOf, type Origin, splitLane } from '../../model/origin.ts';
import {
  joinVectors,
  SEQ_LEAP_MAX,
  seqIn,
  type VersionVector,
} from '../../model/version-vector.ts';
import type { RejectedOp } from '../../protocol/receipt-message.ts';
import type { Entry } from './entry.ts';
import type { LogEntry } from './log-entry.ts';

export class LaneNumbers {
  readonly #origin: Origin;
  readonly #given: Map<Lane, number>;
  readonly #receipted: Map<Lane, number>;
  #shown: VersionVector = new Map();

  constructor(origin: Origin, given: Map<Lane, number>, receipted: Map<Lane, number>) {
    this.#origin = origin;
    this.#given = given;
    this.#receipted = receipted;
  }

  get receipted(): VersionVector {
    return this.#receipted;
  }

  /** Up to where some hub has each lane, as far as is known here. */
  get atHubs(): VersionVector {
    return joinVectors(this.#receipted, this.#shown);
  }

  /** Lanes in which there is what no hub has receipted. */
  get waiting(): Lane[] {
    return [...this.#given.keys()].filter(
      (lane) => seqIn(this.#given, lane) > seqIn(this.#receipted, lane),
    );
  }

  /** Numbers that a hub has seen of this device are not given again. */
  saw(vector: VersionVector): void {
    const own = [...vector].filter(([lane, seq]) => this.#isOwn({ ...splitLane(lane), seq }));
    if (own.some(([lane, seq]) => seq > seqIn(this.#shown, lane))) {
      this.#shown = joinVectors(this.#shown, new Map(own));
    }
  }

  /** Of what a hub names, what this device may have made. */
  own<T extends OpId>(named: readonly T[]): T[] {
    return named.filter((each) => this.#isOwn(each));
  }

  next(lane: Lane): number {
    const known = [this.#given, this.#receipted, this.#shown];
    return Math.max(...known.map((vector) => seqIn(vector, lane))) + 1;
  }

  give(lane: Lane, seq: number): void {
    this.#given.set(lane, seq);
  }

  /** The op of this number is not kept, and not given any more. */
  takeBack({ op }: Pick<Entry, 'op'>): void {
    lower(this.#given, op);
  }

  receipt(lane: Lane, seq: number): void {
    this.#receipted.set(lane, seq);
  }

  /** Last numbers given to ops that are kept. */
  written(entries: readonly Pick<Entry, 'op' | 'stage'>[]): VersionVector {
    const lanes = new Map(this.#given);
    for (const { op, stage } of entries) if (stage === 'new') lower(lanes, op);
    return lanes;
  }

  /**
   * Refused for good, though a hub has the lane up to there and beyond: another op bears the number, of which the log knows nothing any more.
   */
  isAnothers({ class: opClass, seq, verdict }: RejectedOp): boolean {
    return verdict === 'never' && seq <= seqIn(this.#shown, laneOf(this.#origin, opClass));
  }

  #isOwn({ origin, class: opClass, seq }: OpId): boolean {
    const given = seqIn(this.#given, laneOf(origin, opClass));
    return origin === this.#origin && seq <= given + SEQ_LEAP_MAX;
  }

  /** Gives an op, which is to be written down again, the next number. */
  renumber(entry: Entry): void {
    const lane = laneOf(entry.op.origin, entry.op.class);
    const seq = this.next(lane);
    this.give(lane, seq);
    entry.op = { ...entry.op, seq };
    entry.bytes = encodeOp(entry.op);
    entry.stage = 'new';
  }
}

/** What goes in the place of an op that no hub will take by its number. */
export function voidEntry(instead: Op, device: string): LogEntry & { readonly type: 'op' } {
  const key = `devices/${device}/void`;
  const op: Op = { ...instead, kind: EVENT, key, body: new Uint8Array(0) };
  return { type: 'op', op, bytes: encodeOp(op) };
}

function lower(lanes: Map<Lane, number>, op: Op): void {
  const lane = laneOf(op.origin, op.class);
  lanes.set(lane, Math.min(seqIn(lanes, lane), op.seq - 1));
}
