/**
 * What the hub of this line lacks of what another hub has receipted: the other one is out of reach, or lost for good. The
 * hubs get a moment to level it out themselves; then what is still here is sent again, and of what is not, the hub is
 * told up to where somebody had everything (the floor), so that the lane goes on (sync/PROTOCOL.md §2).
 */
import type { OpId } from '../../merge/op-id.ts';
import { type Lane, laneOf, splitLane } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import { type SpareOp, SpareOps } from './spare-ops.ts';

/** What a message carries beside the ops that wait. */
export interface SentAgain {
  readonly ops: readonly SpareOp[];
  readonly floors: readonly OpId[];
}

interface AgainParts {
  /** Up to where some hub has each lane. */
  readonly receipted: VersionVector;
  /** Receipted ops that are still shown, in the order of their birth: looked for only where a hub lacks something. */
  readonly shown: () => readonly SpareOp[];
  /** Lanes in which new ops wait: they find out by themselves what the hub lacks. */
  readonly waiting: ReadonlySet<Lane>;
  readonly nowMs: number;
}

interface Lack {
  /** The hub has the lane up to here. */
  known: number;
  readonly sinceMs: number;
}

/** Hubs that know each other level out within it. */
const LEVEL_MS = 1_500;

export class Resending {
  readonly spares = new SpareOps();
  readonly #lacks = new Map<Lane, Lack>();
  /** Up to here, this hub does not take what is sent again. */
  readonly #unfit = new Map<Lane, number>();
  #hub: string | undefined;
  #offers = false;
  /** This hub does not know floors. */
  #hasNoFloors = false;
  #saidFloors = false;

  /** Another line: what was heard on the last one may be true of another hub. */
  newLine(): void {
    this.#lacks.clear();
    this.#unfit.clear();
    this.#hasNoFloors = this.#saidFloors = false;
  }

  /** Who is at the other end, as far as that is known: one that was not met last is asked what it has. */
  met(hub: string | undefined): void {
    if (hub === undefined || hub !== this.#hub) this.#offers = true;
    this.#hub = hub;
  }

  /** The hub has the lane up to `known`; whether it has got on since. */
  heard(lane: Lane, known: number, receipted: number, nowMs: number): boolean {
    const lack = this.#lacks.get(lane);
    if (known >= receipted) return this.#lacks.delete(lane);
    const hasMoved = lack !== undefined && known > lack.known;
    if (lack === undefined) this.#lacks.set(lane, { known, sinceMs: nowMs });
    else lack.known = known;
    return hasMoved;
  }

  /** The hub will not take the op, which another one has: only what lies behind it may go on. */
  unfit(lane: Lane, seq: number): void {
    this.#unfit.set(lane, Math.max(seq, this.#unfit.get(lane) ?? 0));
  }

  /** The hub could not read the last message. */
  refused(): void {
    if (this.#saidFloors) this.#hasNoFloors = true;
  }

  parts({ receipted, shown, waiting, nowMs }: AgainParts): SentAgain {
    const ops: SpareOp[] = [];
    const floors: OpId[] = [];
    for (const [lane, { known, sinceMs }] of this.#lacks) {
      const upTo = seqIn(receipted, lane);
      const run = this.#runTo(lane, known, upTo, shown);
      if (nowMs - sinceMs < LEVEL_MS) {
        if (!waiting.has(lane)) ops.push(...run.slice(-1));
        continue;
      }
      const isWhole = run[0]?.op.seq === known + 1;
      if (!isWhole && (this.#hasNoFloors || (run.length === 0 && !waiting.has(lane)))) continue;
      ops.push(...run);
      if (!isWhole) floors.push({ ...splitLane(lane), seq: upTo });
    }
    if (this.#offers) ops.push(...this.#lastOnes(receipted, shown, waiting));
    this.#offers = false;
    this.#saidFloors = floors.length > 0;
    return { ops, floors };
  }

  /** The newest op of each lane in which nothing waits: what comes of it says how far the hub knows the lane. */
  #lastOnes(
    receipted: VersionVector,
    shown: () => readonly SpareOp[],
    waiting: ReadonlySet<Lane>,
  ): SpareOp[] {
    return [...receipted].flatMap(([lane, upTo]) => {
      if (waiting.has(lane) || this.#lacks.has(lane)) return [];
      return this.#runTo(lane, upTo - 1, upTo, shown);
    });
  }

  /** What is here of a lane behind `known`, without a gap up to `upTo`. */
  #runTo(lane: Lane, known: number, upTo: number, shown: () => readonly SpareOp[]): SpareOp[] {
    const bySeq = new Map<number, SpareOp>();
    for (const spare of this.spares.after(lane, known)) bySeq.set(spare.op.seq, spare);
    for (const spare of shown()) {
      const { origin, class: opClass, seq } = spare.op;
      if (seq > known && laneOf(origin, opClass) === lane) bySeq.set(seq, spare);
    }
    const least = Math.max(known, this.#unfit.get(lane) ?? 0) + 1;
    let from = upTo + 1;
    while (from > least && bySeq.has(from - 1)) from -= 1;
    return Array.from({ length: upTo - from + 1 }, (_, at) => bySeq.get(from + at) as SpareOp);
  }
}
