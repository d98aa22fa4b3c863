/**
 * Ops that are missing in the midst of this hub's lanes: damaged entries, and what a peer said is lost. Another hub or the
 * region may still have them; then the door takes them though their lanes are further (sync/peers/PEERS.md §3,
 * batch/BATCH.md §12).
 */
import { CborError } from '../../codec/reader.ts';
import { pause, type Timers } from '../../base/clock.ts';
import { LOG } from '../../model/class.ts';
import { decodeEntry } from '../../model/entry.ts';
import { gapsOf, type HeldLane, heldIn, lastOf } from '../../model/held.ts';
import { type Lane, laneOf, splitLane } from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { JournalPort, Lsn } from '../journal-port.ts';

/** Seqs `from` to `to` of a lane, ends included. */
export interface Hole {
  readonly lane: Lane;
  readonly from: number;
  readonly to: number;
  /** Where the search found it: between the entries with these LSNs. Absent: a peer said it. */
  readonly between?: readonly [after: Lsn, before: Lsn];
}

/** Beyond it, holes are not noted until others are mended: so much damage is not asked for at once. */
export const HOLES_MAX = 256;
const SLICE_ENTRIES = 2_000;

export class HoleBook {
  #holes: Hole[] = [];
  /** What has come while a search was under way. */
  #filled: Hole[] | undefined;
  #hasMore = false;

  list(): readonly Hole[] {
    return this.#holes;
  }

  /** There were more than the book takes. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  has(lane: Lane, seq: number): boolean {
    return this.#holes.some((hole) => hole.lane === lane && seq >= hole.from && seq <= hole.to);
  }

  add(lane: Lane, from: number, to: number): void {
    if (from > to) return;
    if (this.#holes.length < HOLES_MAX) this.#holes.push({ lane, from, to });
    else this.#hasMore = true;
  }

  /** The op has come. */
  fill(lane: Lane, seq: number): void {
    this.#filled?.push({ lane, from: seq, to: seq });
    this.#holes = without(this.#holes, lane, seq, seq);
  }

  /** These are in a state that was taken over. */
  hold(held: HeldLane): void {
    const { lane, upTo, beyond } = held;
    for (const range of [{ from: 1, to: upTo }, ...beyond]) this.#filled?.push({ lane, ...range });
    this.#holes = withoutHeld(this.#holes, held);
  }

  /** What was asked for exists nowhere. */
  drop(lane: Lane, from: number, to: number): void {
    this.#holes = this.#holes.filter(
      (hole) => hole.lane !== lane || hole.from < from || hole.to > to,
    );
  }

  /** From here on `fill` counts for what `found` brings, too. */
  searching(): void {
    this.#filled = [];
  }

  /** What a search has found takes the place of all that stood here. */
  found(holes: readonly Hole[]): void {
    let left = [...holes];
    for (const { lane, from, to } of this.#filled ?? []) left = without(left, lane, from, to);
    this.#filled = undefined;
    this.#hasMore = left.length > HOLES_MAX;
    this.#holes = left.slice(0, HOLES_MAX);
  }
}

/**
 * Finds the holes in what the journal still has. What it has let go of is no hole: it was folded and receipted.
 * `vector`: how far the lanes are known, all of it durable.
 */
export async function findHoles(
  journal: Pick<JournalPort, 'cursor' | 'firstLsn'>,
  vector: VersionVector,
  book: HoleBook,
  timers: Timers,
): Promise<void> {
  book.searching();
  const { firstLsn } = journal;
  const search = new Search(firstLsn);
  const cursor = journal.cursor(firstLsn);
  for (let count = 1; ; count++) {
    const next = cursor.next();
    if (next === undefined) break;
    search.look(next.lsn, next.entry);
    if (count % SLICE_ENTRIES === 0) await pause(timers, 0);
  }
  book.found(search.finish(vector));
}

/** Of each lane, how far it was met, and where that stood. */
interface Met {
  seq: number;
  lsn: Lsn;
}

class Search {
  readonly #isWhole: boolean;
  readonly #metByLane = new Map<Lane, Met>();
  #nextLsn: Lsn;
  /** Entries that are missing so far: of a lane that was not met before, as many may be. */
  #lost = 0;
  #holes: Hole[] = [];

  constructor(firstLsn: Lsn) {
    this.#isWhole = firstLsn === 1;
    this.#nextLsn = firstLsn;
  }

  look(lsn: Lsn, bytes: Uint8Array): void {
    this.#lost += lsn - this.#nextLsn;
    this.#nextLsn = lsn + 1;
    try {
      const entry = decodeEntry(bytes);
      if (entry.type === 'local') {
        for (const held of heldIn(entry.body)?.lanes ?? []) this.#hold(held, lsn);
        return;
      }
      if (entry.stamped.op.class === LOG) return;
      const { origin, class: opClass, seq } = entry.stamped.op;
      this.#met(laneOf(origin, opClass), seq, lsn);
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
    }
  }

  finish(vector: VersionVector): Hole[] {
    for (const [lane, known] of vector) {
      if (splitLane(lane).class === LOG) continue;
      const met = this.#metByLane.get(lane) ?? this.#start(known + 1);
      this.#note(lane, met.seq + 1, known, [met.lsn, this.#nextLsn]);
    }
    return this.#holes;
  }

  /** What there may have been of a lane before its first op that is here. */
  #start(seq: number): Met {
    return { seq: this.#isWhole ? 0 : Math.max(0, seq - 1 - this.#lost), lsn: 0 };
  }

  #met(lane: Lane, seq: number, lsn: Lsn): void {
    const met = this.#metByLane.get(lane) ?? this.#start(seq);
    // A lower one is a hole that was mended before.
    if (seq <= met.seq) {
      if (this.#holes.length > 0) this.#holes = without(this.#holes, lane, seq, seq);
      return;
    }
    this.#note(lane, met.seq + 1, seq - 1, [met.lsn, lsn]);
    this.#metByLane.set(lane, { seq, lsn });
  }

  /** What is in a state that was taken over is met there, all at once. */
  #hold(held: HeldLane, lsn: Lsn): void {
    const { lane } = held;
    const met = this.#metByLane.get(lane) ?? { seq: 0, lsn: 0 };
    this.#holes = withoutHeld(this.#holes, held);
    for (const { from, to } of gapsOf(held)) {
      this.#note(lane, Math.max(from, met.seq + 1), to, [met.lsn, lsn]);
    }
    this.#metByLane.set(lane, { seq: Math.max(met.seq, lastOf(held)), lsn });
  }

  #note(lane: Lane, from: number, to: number, between: readonly [Lsn, Lsn]): void {
    if (from <= to) this.#holes.push({ lane, from, to, between });
  }
}

/** What is left of the holes when the lane has the seqs `from` to `to`. */
function without(holes: readonly Hole[], lane: Lane, from: number, to: number): Hole[] {
  return holes.flatMap((hole) => {
    if (hole.lane !== lane || to < hole.from || from > hole.to) return [hole];
    const parts = [
      { ...hole, to: from - 1 },
      { ...hole, from: to + 1 },
    ];
    return parts.filter((part) => part.from <= part.to);
  });
}

function withoutHeld(holes: readonly Hole[], { lane, upTo, beyond }: HeldLane): Hole[] {
  let left = without(holes, lane, 1, upTo);
  for (const { from, to } of beyond) left = without(left, lane, from, to);
  return left;
}
