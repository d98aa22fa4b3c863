/**
 * What a peer's ops become here (PEERS.md §3): one at a time, in the order of their pages. A lane that does not get on is left
 * alone for the rest of the exchange, and a peer that makes such lanes up is told apart from one that has a few.
 */
import { opIdOf } from '../../merge/op-id.ts';
import type { OpStamp } from '../../merge/op-stamps.ts';
import { EVENT, type StampedOp } from '../../model/op.ts';
import { type Lane, laneOf } from '../../model/origin.ts';
import type { Lsn, PeerDoor, PeerStamps } from './contract.ts';
import type { PeerOp } from './peer-message.ts';

export interface TakingParts {
  readonly door: PeerDoor;
  readonly stamps: PeerStamps;
  /** Stamps were taken over that others may not have. */
  readonly onStamps: (stamps: readonly OpStamp[]) => void;
  /** Something is missing here that others may have. */
  readonly onHole: () => void;
  /** Both have the op now. */
  readonly onHeld: (lane: Lane, seq: number) => void;
  /** An op on a record is here already: its stamp may be another one. */
  readonly onStamp: (stamp: OpStamp) => void;
  /** The event stands here with a greater stamp, which the peer lacks. */
  readonly onGreaterHere: (stamped: StampedOp) => void;
  /** More lanes than a hub keeps track of do not get on. */
  readonly onFlood: () => void;
}

const STUCK_LANES_MAX = 10_000;

export class Taking {
  readonly #parts: TakingParts;
  readonly #stuck = new Set<Lane>();
  #opsTaken = 0;

  constructor(parts: TakingParts) {
    this.#parts = parts;
  }

  /** Ops that were new here. */
  get opsTaken(): number {
    return this.#opsTaken;
  }

  get stuckLanes(): number {
    return this.#stuck.size;
  }

  /** What must be durable before the peer is told; `later` where there is no room now. */
  take({ stamped, previous }: PeerOp): Lsn | 'later' {
    const { door, onHeld, onHole, onFlood } = this.#parts;
    const { origin, class: opClass, seq } = stamped.op;
    const lane = laneOf(origin, opClass);
    if (this.#stuck.has(lane)) return 0;
    const verdict = door.acceptPeerOp(stamped, previous);
    if (verdict.kind === 'later') return 'later';
    if (verdict.kind === 'gap' || verdict.kind === 'never') {
      this.#stuck.add(lane);
      if (this.#stuck.size > STUCK_LANES_MAX) onFlood();
      return 0;
    }
    onHeld(lane, seq);
    if (verdict.kind === 'known') return Math.max(verdict.lsn, this.#takeAgain(stamped));
    this.#opsTaken += 1;
    if (previous !== undefined) onHole();
    return verdict.lsn;
  }

  /** An op that is here already: its stamp may be another one. LSN of a new entry, 0 where there is none. */
  #takeAgain(stamped: StampedOp): Lsn {
    const { stamps, onStamp, onStamps, onGreaterHere } = this.#parts;
    const { hub, hlc, authority } = stamped.stamp;
    const stamp = { op: opIdOf(stamped.op), authority, hub, hlc };
    if (stamped.op.kind !== EVENT) {
      onStamp(stamp);
      return 0;
    }
    const { lsn, greaterHere } = stamps.takeEvent(stamped);
    if (lsn > 0) onStamps([stamp]);
    if (greaterHere !== undefined) onGreaterHere(greaterHere);
    return lsn;
  }
}
