/**
 * The sending half of an exchange: walks this hub's journal and gives the peer what it lacks, a page at a time, the
 * next one when the last was taken. It knows what the peer holds from the vector it opened with, from what was
 * sent, and from what came from there; so nothing travels twice between two hubs, whatever the shape of the site.
 *
 * Classes that power forbids are passed over, and their place is remembered: when they are allowed again, the walk
 * goes back there. The walk is done in turns of a few milliseconds; a journal of a million ops stops nobody.
 */
import { CborError } from '../../codec/reader.ts';
import { LOG, type OpClass } from '../../model/class.ts';
import { decodeEntry, type Entry, LOCAL_ENTRY } from '../../model/entry.ts';
import { againIn, isWildEvent } from '../../merge/op-again.ts';
import { heldIn, lastOf } from '../../model/held.ts';
import { OP_BYTES_MAX, type StampedOp } from '../../model/op.ts';
import { type Lane, laneOf } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import type { PeerRange, PeerJournal } from './contract.ts';
import {
  encodePeerOp,
  PEER_PAGE_BYTES_MAX,
  PEER_PAGE_OPS_MAX,
  type PeerOp,
} from './peer-message.ts';

interface SendingOptions {
  readonly journal: PeerJournal;
  readonly peerHolds: VersionVector;
  /** What it lacks below that. */
  readonly peerHoles: readonly PeerRange[];
  /** What this hub lacks itself, at this moment. */
  readonly ownHoles: () => readonly PeerRange[];
  /** Whether the peer is to hear the stamp of an event that it holds. */
  readonly hearsAgain: (stamped: StampedOp) => boolean;
  readonly isAllowed: (opClass: OpClass) => boolean;
  readonly nowMs: () => number;
}

interface SendingPage {
  readonly ops: readonly PeerOp[];
  /** False where the journal had no more. */
  readonly hasMore: boolean;
}

const TURN_MS = 4;
const ENTRIES_PER_LOOK = 256;

export class Sending {
  readonly #options: SendingOptions;
  /** What the peer holds. */
  readonly #holds: Map<Lane, number>;
  #walk: Walk;
  /** Nothing was released before the walk began: a lane that begins late has lost its beginning. */
  readonly #isWhole: boolean;
  /** Where the walk must go back to, because of a class that was not allowed there. */
  #passed: Pick<Walk, 'lsn' | 'metByLane'> | undefined;
  /** Found, and too much for the last page. */
  #kept: PeerOp | undefined;
  /** To be told beside what the walk finds. */
  readonly #also: PeerOp[] = [];
  /** Lanes that the peer cannot get from here. */
  readonly #stuck = new Set<Lane>();
  /** Those of them of which this journal has let go. */
  readonly #released = new Set<Lane>();

  constructor(options: SendingOptions) {
    const { journal } = options;
    this.#options = options;
    this.#holds = new Map(options.peerHolds);
    const { firstLsn } = journal;
    this.#walk = { lsn: firstLsn - 1, cursor: journal.cursor(firstLsn), metByLane: new Map() };
    this.#isWhole = firstLsn === 1;
  }

  /** Lanes of which the peer lacks what this journal has let go of, or what is too large for a message. */
  get stuckLanes(): number {
    return this.#stuck.size;
  }

  /** Lanes of which the peer lacks what this journal has let go of: nothing but a state brings it on. */
  get releasedLanes(): ReadonlySet<Lane> {
    return this.#released;
  }

  /** What the peer holds, as far as we know. */
  get peerVector(): VersionVector {
    return this.#holds;
  }

  /** The peer has shown that it holds the lane up to `seq`. */
  peerHolds(lane: Lane, seq: number): void {
    if (seq > seqIn(this.#holds, lane)) this.#holds.set(lane, seq);
  }

  /** An event that both hold, as it stands here; no more of them wait than a page may bring. */
  also(stamped: StampedOp): void {
    if (this.#also.length < PEER_PAGE_OPS_MAX) this.#also.push({ stamped });
  }

  /** Classes may be allowed now that were not: the walk goes back to the first op that was passed over. */
  allowedChanged(): void {
    if (this.#passed === undefined) return;
    const { lsn, metByLane } = this.#passed;
    this.#walk = { lsn, metByLane, cursor: this.#options.journal.cursor(lsn + 1) };
    this.#passed = this.#kept = undefined;
  }

  /** Walks on for a turn; a page where one is full or the journal has ended, undefined where the turn is over. */
  step(): SendingPage | undefined {
    const { nowMs } = this.#options;
    const startMs = nowMs();
    const ops: PeerOp[] = [];
    let bytes = 0;
    for (let looked = 1; ; looked++) {
      const found = this.#kept ?? this.#also.shift() ?? this.#find();
      this.#kept = undefined;
      if (found === 'end') return { ops, hasMore: false };
      if (found !== undefined) {
        const size = encodePeerOp(found).length;
        if (ops.length > 0 && bytes + size > PEER_PAGE_BYTES_MAX) this.#kept = found;
        else {
          bytes += size;
          ops.push(found);
          const { origin, class: opClass, seq } = found.stamped.op;
          this.peerHolds(laneOf(origin, opClass), seq);
        }
        if (this.#kept !== undefined || ops.length >= PEER_PAGE_OPS_MAX) {
          return { ops, hasMore: true };
        }
      }
      if (looked % ENTRIES_PER_LOOK === 0 && nowMs() - startMs >= TURN_MS) {
        return ops.length > 0 ? { ops, hasMore: true } : undefined;
      }
    }
  }

  #isHole(lane: Lane, seq: number): boolean {
    const { peerHoles } = this.#options;
    return peerHoles.some((hole) => hole.lane === lane && seq >= hole.from && seq <= hole.to);
  }

  /** The next entry, where the peer lacks it and may get it now. */
  #find(): PeerOp | 'end' | undefined {
    const next = this.#walk.cursor.next();
    if (next === undefined) return 'end';
    const stamped = this.#opIn(next.entry);
    const isAgain = next.entry[1] === LOCAL_ENTRY;
    const before = this.#walk.lsn;
    this.#walk.lsn = next.lsn;
    if (stamped === undefined || stamped.op.class === LOG) return undefined;
    const { origin, class: opClass, seq } = stamped.op;
    const lane = laneOf(origin, opClass);
    const met = this.#walk.metByLane.get(lane);
    const known = seqIn(this.#holds, lane);
    const isHole = seq <= known && this.#isHole(lane, seq);
    const isWanted = (seq > known || isHole) && !this.#stuck.has(lane);
    if (isWanted && !this.#options.isAllowed(opClass)) {
      this.#passed ??= { lsn: before, metByLane: new Map(this.#walk.metByLane) };
      return undefined;
    }
    this.#walk.metByLane.set(lane, Math.max(seq, met ?? 0));
    if (!isWanted) return this.#tellsAgain(stamped, lane, isAgain) ? { stamped } : undefined;
    const isNext = isHole || seq === known + 1;
    const previous = isNext ? undefined : (met ?? this.#beforeFirst(lane, seq, known));
    const isSendable = previous === undefined || previous <= known;
    if (isSendable && stamped.bytes.length <= OP_BYTES_MAX) {
      return previous === undefined ? { stamped } : { stamped, previous };
    }
    this.#stuck.add(lane);
    if (!isSendable) this.#released.add(lane);
    return undefined;
  }

  /** Of an event whose maker's clock was wild both hubs have to hear both stamps (MERGE.md §4). */
  #tellsAgain(stamped: StampedOp, lane: Lane, isAgain: boolean): boolean {
    const isHeld = stamped.op.seq <= seqIn(this.#holds, lane) && !this.#stuck.has(lane);
    return isHeld && (isAgain || isWildEvent(stamped)) && this.#options.hearsAgain(stamped);
  }

  /** The next op of the own journal, where there is one at this place; a state that was taken over has many all at once. */
  #opIn(bytes: Uint8Array): StampedOp | undefined {
    const entry = entryIn(bytes);
    if (entry?.type === 'op') return entry.stamped;
    const again = entry && againIn(entry.body);
    if (again !== undefined) return again;
    const { metByLane } = this.#walk;
    for (const held of (entry && heldIn(entry.body)?.lanes) ?? []) {
      metByLane.set(held.lane, Math.max(lastOf(held), metByLane.get(held.lane) ?? 0));
    }
    return undefined;
  }

  /** What comes before the first op of a lane that this journal has: nothing, where it is whole or was told so. */
  #beforeFirst(lane: Lane, seq: number, known: number): number {
    if (this.#isWhole) return 0;
    const isIt = (hole: PeerRange): boolean =>
      hole.lane === lane && hole.from <= known + 1 && hole.to >= seq - 1;
    return this.#options.ownHoles().some(isIt) ? known : known + 1;
  }
}

interface Walk {
  /** Looked at up to here. */
  lsn: number;
  readonly cursor: ReturnType<PeerJournal['cursor']>;
  /** Seq of each lane as the walk met it last, to tell what is lost from what was released. */
  readonly metByLane: Map<Lane, number>;
}

function entryIn(bytes: Uint8Array): Entry | undefined {
  try {
    return decodeEntry(bytes);
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}
