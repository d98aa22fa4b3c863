/**
 * Ops that are missing in the midst of this hub's lanes: damaged entries, and what a peer said is lost. Another hub may
 * still have them; then the door takes them though their lanes are further (sync/peers/PEERS.md §3).
 */
import { CborError } from '../codec/reader.ts';
import { pause, type Timers } from '../base/clock.ts';
import { LOG } from '../model/class.ts';
import { decodeEntry } from '../model/entry.ts';
import { type Lane, laneOf, splitLane } from '../model/origin.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { JournalPort } from './journal-port.ts';

/** Seqs `from` to `to` of a lane, ends included. */
export interface Hole {
  readonly lane: Lane;
  readonly from: number;
  readonly to: number;
}

/** Beyond it, holes are not noted: so much damage is beyond mending op by op. */
export const HOLES_MAX = 256;
const SLICE_ENTRIES = 2_000;

export class HoleBook {
  #holes: Hole[] = [];

  list(): readonly Hole[] {
    return this.#holes;
  }

  has(lane: Lane, seq: number): boolean {
    return this.#holes.some((hole) => hole.lane === lane && seq >= hole.from && seq <= hole.to);
  }

  add(lane: Lane, from: number, to: number): void {
    if (from <= to && this.#holes.length < HOLES_MAX) this.#holes.push({ lane, from, to });
  }

  /** The op has come. */
  fill(lane: Lane, seq: number): void {
    this.#holes = this.#holes.flatMap((hole) => {
      if (hole.lane !== lane || seq < hole.from || seq > hole.to) return [hole];
      const parts = [
        { ...hole, to: seq - 1 },
        { ...hole, from: seq + 1 },
      ];
      return parts.filter(({ from, to }) => from <= to);
    });
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
  const isWhole = journal.firstLsn === 1;
  const metByLane = new Map<Lane, number>();
  const cursor = journal.cursor(journal.firstLsn);
  for (let count = 1; ; count++) {
    const next = cursor.next();
    if (next === undefined) break;
    noteEntry(next.entry, metByLane, isWhole, book);
    if (count % SLICE_ENTRIES === 0) await pause(timers, 0);
  }
  for (const [lane, known] of vector) {
    const met = metByLane.get(lane) ?? (isWhole ? 0 : known);
    if (splitLane(lane).class !== LOG) book.add(lane, met + 1, known);
  }
}

function noteEntry(
  bytes: Uint8Array,
  metByLane: Map<Lane, number>,
  isWhole: boolean,
  book: HoleBook,
): void {
  try {
    const entry = decodeEntry(bytes);
    if (entry.type !== 'op' || entry.stamped.op.class === LOG) return;
    const { origin, class: opClass, seq } = entry.stamped.op;
    const lane = laneOf(origin, opClass);
    const met = metByLane.get(lane) ?? (isWhole ? 0 : seq - 1);
    // A lower one is a hole that was mended before.
    if (seq <= met) return book.fill(lane, seq);
    book.add(lane, met + 1, seq - 1);
    metByLane.set(lane, seq);
  } catch (error) {
    if (!(error instanceof CborError)) throw error;
  }
}
