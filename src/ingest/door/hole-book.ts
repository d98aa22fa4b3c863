/**
 * Ops that are missing in the midst of this hub's lanes: **found** are damaged entries, by a search through the journal; **told** is
 * what a peer said is lost, and what a device had handed in at another hub that is out of reach. Another hub or the
 * region may still have them; then the door takes them though their lanes are further (sync/peers/PEERS.md §3,
 * batch/BATCH.md §12). What was told stands nowhere else once the journal has let go of its neighbours, so whoever keeps it
 * is called before the op behind a hole is journaled.
 */
import { CborError } from '../../codec/reader.ts';
import { pause, type Timers } from '../../base/clock.ts';
import { LOG } from '../../model/class.ts';
import { decodeEntry } from '../../model/entry.ts';
import { gapsOf, type HeldLane, heldIn, lastOf } from '../../model/held.ts';
import { type Lane, laneOf, splitLane } from '../../model/origin.ts';
import { joinRanges, type RangesByLane, type SeqRange } from '../../model/seq-ranges.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import type { JournalPort, Lsn } from '../journal-port.ts';

/** Seqs `from` to `to` of a lane, ends included. */
export interface Hole {
  readonly lane: Lane;
  readonly from: number;
  readonly to: number;
  /** Where the search found it: between the entries with these LSNs. Absent: it was told. */
  readonly between?: readonly [after: Lsn, before: Lsn];
}

export interface ToldHole extends Hole {
  /** The device whose ops they are, where it was the one that told. */
  readonly device: string | undefined;
  /** Wall clock of this hub. */
  readonly sinceMs: number;
  /** Somebody has said that nobody has them any more: not asked for, not shown, and taken where they come all the same. */
  readonly isClosed: boolean;
}

/** Keeps what was told; at once where a receipt is to hang on it. */
type KeepHoles = (told: readonly ToldHole[], atOnce: boolean) => void;

/** Beyond it, holes are not noted until others are mended: so much damage is not asked for at once. */
export const HOLES_MAX = 256;
/** Of one device, open or closed: what it makes up fills no more than its own share. */
export const DEVICE_HOLES_MAX = 16;
const SLICE_ENTRIES = 2_000;

export class HoleBook {
  #found: Hole[] = [];
  #told: ToldHole[] = [];
  /** What has come while a search was under way. */
  #filled: Hole[] | undefined;
  #hasMore = false;
  readonly #toldListeners: (() => void)[] = [];
  #keep: KeepHoles = () => undefined;

  /** All of them, those that are closed last. */
  list(): readonly Hole[] {
    const told = this.#told.toSorted((a, b) => Number(a.isClosed) - Number(b.isClosed));
    return [...this.#found, ...told];
  }

  /** What the region and people are to know of. */
  open(): readonly Hole[] {
    return [...this.#found, ...this.#told.filter(({ isClosed }) => !isClosed)];
  }

  /** Those of which somebody has said that they stay. */
  closed(): RangesByLane {
    const closed = new Map<Lane, SeqRange[]>();
    for (const { lane, from, to, isClosed } of this.#told) {
      if (isClosed) closed.set(lane, joinRanges(closed.get(lane) ?? [], [{ from, to }]));
    }
    return closed;
  }

  get told(): readonly ToldHole[] {
    return this.#told;
  }

  /** Those that a search has found. */
  get damaged(): readonly Hole[] {
    return this.#found;
  }

  /** There were more than the book takes. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  has(lane: Lane, seq: number): boolean {
    return isIn(this.#found, lane, seq) || isIn(this.#told, lane, seq);
  }

  /** What an earlier run was told, as far as the lanes have come that far; `keep` is called with every change of it. */
  restore(told: readonly ToldHole[], vector: VersionVector, keep: KeepHoles): void {
    this.#told = told.filter(({ lane, to }) => to <= seqIn(vector, lane)).slice(0, HOLES_MAX);
    this.#keep = keep;
  }

  /** Called whenever somebody has told of a hole. */
  onTold(listener: () => void): void {
    this.#toldListeners.push(listener);
  }

  /** A peer, or a device by its name, says that the ops are not to be had from it; whether the book has room for that. */
  tell(lane: Lane, from: number, to: number, sinceMs: number, device?: string): boolean {
    if (from > to) return true;
    const ofDevice = this.#told.filter((hole) => hole.device === device).length;
    if (device !== undefined && ofDevice >= DEVICE_HOLES_MAX) return false;
    if (this.#told.length >= HOLES_MAX) {
      this.#hasMore = true;
      return false;
    }
    this.#told.push({ lane, from, to, device, sinceMs, isClosed: false });
    this.#keep(this.#told, device !== undefined);
    for (const listener of this.#toldListeners) listener();
    return true;
  }

  /** The op behind it did not find its way into the journal. */
  untell(lane: Lane, from: number): void {
    this.#change((hole) => (hole.lane === lane && hole.from === from ? [] : [hole]));
  }

  /**
   * Nobody has these ops any more, says a person; how many numbers that were. Of what a search has found that stands among what
   * was told from then on: the next search would find it again.
   */
  close(isMeant: (hole: Hole) => boolean, nowMs: number): number {
    const closing = new Set(this.#told.filter((hole) => !hole.isClosed && isMeant(hole)));
    const room = Math.max(0, HOLES_MAX - this.#told.length);
    const found = this.#found.filter((hole) => isMeant(hole)).slice(0, room);
    this.#change((hole) => [closing.has(hole) ? { ...hole, isClosed: true } : hole]);
    if (found.length > 0) {
      this.#found = this.#found.filter((hole) => !found.includes(hole));
      const given = { device: undefined, sinceMs: nowMs, isClosed: true };
      this.#told = [
        ...this.#told,
        ...found.map(({ lane, from, to }) => ({ lane, from, to, ...given })),
      ];
      this.#keep(this.#told, true);
    }
    return opsIn([...closing, ...found]);
  }

  /** The op has come. */
  fill(lane: Lane, seq: number): void {
    this.#filled?.push({ lane, from: seq, to: seq });
    this.#found = without(this.#found, lane, seq);
    this.#fillTold(lane, seq);
  }

  /** These are in a state that was taken over. */
  hold(held: HeldLane): void {
    const { lane, upTo, beyond } = held;
    for (const range of [{ from: 1, to: upTo }, ...beyond]) this.#filled?.push({ lane, ...range });
    this.#found = withoutHeld(this.#found, held);
    if (this.#told.some((hole) => hole.lane === lane)) {
      this.#change((hole) => withoutHeld([hole], held));
    }
  }

  /** What was asked for exists nowhere. */
  drop(lane: Lane, from: number, to: number): void {
    this.#found = this.#found.filter(
      (hole) => hole.lane !== lane || hole.from < from || hole.to > to,
    );
  }

  /** From here on `fill` counts for what `found` brings, too. */
  searching(): void {
    this.#filled = [];
  }

  /** A search has met the op in the journal. */
  met(lane: Lane, seq: number): void {
    this.#fillTold(lane, seq);
  }

  /** What a search has found takes the place of what an earlier one did. */
  found(holes: readonly Hole[]): void {
    let left = [...holes];
    for (const { lane, from, to } of [...this.#told, ...(this.#filled ?? [])]) {
      left = without(left, lane, from, to);
    }
    this.#filled = undefined;
    this.#hasMore = left.length > HOLES_MAX;
    this.#found = left.slice(0, HOLES_MAX);
  }

  #fillTold(lane: Lane, seq: number): void {
    // A search asks this of every op of the journal.
    if (isIn(this.#told, lane, seq)) this.#change((hole) => without([hole], lane, seq));
  }

  #change(of: (hole: ToldHole) => readonly ToldHole[]): void {
    const before = this.#told;
    this.#told = before.flatMap((hole) => of(hole));
    const isSame =
      this.#told.length === before.length && this.#told.every((hole, at) => hole === before[at]);
    if (!isSame) this.#keep(this.#told, false);
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
  const search = new Search(firstLsn, book);
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
  readonly #book: Pick<HoleBook, 'met' | 'hold'>;
  readonly #isWhole: boolean;
  readonly #metByLane = new Map<Lane, Met>();
  #nextLsn: Lsn;
  /** Entries that are missing so far: of a lane that was not met before, as many may be. */
  #lost = 0;
  #holes: Hole[] = [];

  constructor(firstLsn: Lsn, book: Pick<HoleBook, 'met' | 'hold'>) {
    this.#book = book;
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
      const lane = laneOf(origin, opClass);
      this.#book.met(lane, seq);
      this.#met(lane, seq, lsn);
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
      if (this.#holes.length > 0) this.#holes = without(this.#holes, lane, seq);
      return;
    }
    this.#note(lane, met.seq + 1, seq - 1, [met.lsn, lsn]);
    this.#metByLane.set(lane, { seq, lsn });
  }

  /** What is in a state that was taken over is met there, all at once. */
  #hold(held: HeldLane, lsn: Lsn): void {
    const { lane } = held;
    this.#book.hold(held);
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

/** How many ops they lack. */
export function opsIn(holes: readonly Hole[]): number {
  return holes.reduce((sum, { from, to }) => sum + to - from + 1, 0);
}

function isIn(holes: readonly Hole[], lane: Lane, seq: number): boolean {
  return holes.some((hole) => hole.lane === lane && seq >= hole.from && seq <= hole.to);
}

/** Splits a hole in two where what has come lies in its midst. */
function without<H extends Hole>(holes: readonly H[], lane: Lane, from: number, to = from): H[] {
  return holes.flatMap((hole) => {
    if (hole.lane !== lane || to < hole.from || from > hole.to) return [hole];
    const parts = [
      { ...hole, to: from - 1 },
      { ...hole, from: to + 1 },
    ];
    return parts.filter((part) => part.from <= part.to);
  });
}

function withoutHeld<H extends Hole>(holes: readonly H[], { lane, upTo, beyond }: HeldLane): H[] {
  let left = without(holes, lane, 1, upTo);
  for (const { from, to } of beyond) left = without(left, lane, from, to);
  return left;
}
