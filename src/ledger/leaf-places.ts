/**
 * About where in a tree the leaf of a journal entry stands. Nobody keeps an index for it: a mark is made now and then while
 * the tree grows, and wherever a leaf was found; between marks the place is guessed, and a search begins there.
 */
import { placeOf } from '../base/halving.ts';

interface Mark {
  readonly lsn: number;
  readonly index: number;
}

/** Leaves from one mark to the next, at first. */
const SPACING = 1_024;
const MARKS_MAX = 4_096;

export class LeafPlaces {
  /** By LSN. */
  #marks: Mark[] = [];
  #spacing = SPACING;

  /** A leaf was appended for the entry `lsn`. */
  appended(lsn: number, index: number): void {
    if (index % this.#spacing === 0) this.found(lsn, index);
  }

  /** The leaf of `lsn` stands at `index`. */
  found(lsn: number, index: number): void {
    const at = this.#firstBehind(lsn);
    if (this.#marks[at - 1]?.lsn === lsn) return;
    this.#marks.splice(at, 0, { lsn, index });
    if (this.#marks.length <= MARKS_MAX) return;
    this.#marks = this.#marks.filter((_, place) => place % 2 === 0);
    this.#spacing *= 2;
  }

  /** A guess, for a tree whose `size` leaves came from entries up to `throughLsn`. */
  near(lsn: number, size: number, throughLsn: number): number {
    const at = this.#firstBehind(lsn);
    const after = this.#marks[at] ?? { lsn: throughLsn + 1, index: size };
    const before = this.#marks[at - 1];
    if (before === undefined) return Math.max(0, after.index - (after.lsn - lsn));
    const share = (lsn - before.lsn) / Math.max(1, after.lsn - before.lsn);
    return before.index + Math.round(share * (after.index - before.index));
  }

  #firstBehind(lsn: number): number {
    return placeOf(this.#marks, (mark) => mark.lsn <= lsn);
  }
}
