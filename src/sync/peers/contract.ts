/** What peers need of the rest of the hub; `hub/sync/peers.ts` hands it over. */
import type { Clock, Timers } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { OpStamp } from '../../merge/op-stamps.ts';
import type { OpClass } from '../../model/class.ts';
import type { StampedOp } from '../../model/op.ts';
import type { Lane, Origin } from '../../model/origin.ts';
import type { SeqRange } from '../../model/seq-ranges.ts';
import type { VersionVector } from '../../model/version-vector.ts';

export type Lsn = number;

/** Seqs of a lane, as peers tell each other of them. */
export interface PeerRange extends SeqRange {
  readonly lane: Lane;
}

export interface PeerJournal {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly durableLsn: Lsn;
  cursor(fromLsn: Lsn): {
    next(): { readonly lsn: Lsn; readonly entry: Uint8Array } | undefined;
  };
  whenDurable(lsn: Lsn): Promise<void>;
}

/** What became of an op that a peer handed in; the peer may be told of it once `lsn` is durable. */
export type PeerVerdict =
  | { readonly kind: 'taken' | 'known'; readonly lsn: Lsn }
  /** Ops before it are missing here, and the peer does not say that they are lost. */
  | { readonly kind: 'gap' }
  /** This version cannot fold it; its lane waits for an update. */
  | { readonly kind: 'never'; readonly reason: string }
  /** No room now. */
  | { readonly kind: 'later'; readonly reason: string };

export interface PeerDoor {
  /** What this hub holds. */
  vector(): VersionVector;
  /** What is missing in the midst of it. */
  readonly holes: { list(): readonly PeerRange[] };
  acceptPeerOp(stamped: StampedOp, previous: number | undefined): PeerVerdict;
}

/** The stamps of the ops on records that are folded here. */
export interface PeerStamps {
  /** How far each lane is folded. */
  vector(): VersionVector;
  /** Eight bytes over the stamps of a range. */
  digest(range: PeerRange): Uint8Array;
  list(range: PeerRange): readonly OpStamp[];
  /**
   * An event that is here, with the stamp it has at a peer: LSN of the entry by which it counts here too, 0 where it changes
   * nothing; and the event as it stands here, where that is greater.
   */
  takeEvent(stamped: StampedOp): { readonly lsn: Lsn; readonly greaterHere?: StampedOp };
  /** Takes over those that are smaller than what an op has here, and gives those that are smaller here. */
  take(stamps: readonly OpStamp[]): {
    readonly taken: readonly OpStamp[];
    readonly smallerHere: readonly OpStamp[];
  };
}

/** The site's roster, in mode `enrolled`. */
export interface PeerRoster {
  readonly epoch: number;
  readonly bytes: Uint8Array;
  /** Takes a newer one; throws `HubError('enrol.untrusted')`. */
  install(bytes: Uint8Array): void;
}

/** What power allows between hubs. */
export interface PeerPolicy {
  readonly classes: ReadonlySet<OpClass>;
  /** Classes below command gather so long before they go; 0: at once. */
  readonly gatherMs: number;
}

/** A state that a hub hands over whole, because it has let go of the ops that it stands for. */
export interface OfferedState {
  /** What it says of itself, signed by its hub. */
  readonly manifest: Uint8Array;
  readonly bytes: number;
}

/** A state of this hub, as long as a peer reads it. */
export interface GivenState extends OfferedState {
  /** The ops in it, each lane as far as it has no gap. */
  readonly vector: VersionVector;
  /** At most so many bytes from `offset` on. */
  read(offset: number, bytesMax: number): Uint8Array;
  close(): void;
}

/** A state of a peer, on its way here. */
export interface TakenState {
  /** So many bytes are here. */
  readonly offset: number;
  /** The next bytes; throws `HubError` where the disk does not take them. */
  add(bytes: Uint8Array): void;
  /** Takes over what has come whole; true when that is durable, false where it is none or the hub stops. */
  finish(): Promise<boolean>;
  /** What has come stays for the next time. */
  close(): void;
}

export interface PeerStates {
  /** Formats of states that are read here; the newest is the one that is given. */
  readonly formats: { readonly from: number; readonly to: number };
  /** Undefined where there is none. */
  open(): GivenState | undefined;
  /** Undefined where it is not wanted: it brings nothing, there is no room, or another one is on its way. */
  take(offer: OfferedState, from: Origin): TakenState | undefined;
}

/** All that exchanges need of the hub in which they run. */
export interface PeerHost {
  readonly self: { readonly hub: Origin; readonly site: string };
  readonly journal: PeerJournal;
  readonly door: PeerDoor;
  readonly stamps: PeerStamps;
  readonly states: PeerStates;
  readonly roster: PeerRoster | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}
