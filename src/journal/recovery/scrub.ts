/**
 * Reads, after an open and in the background, every block that the open did not: damage in old segments is found
 * and reported within minutes, though the open itself took milliseconds and though nobody may ever read them.
 * Gentle: a quarter of a megabyte, then a pause in which everything else goes first.
 */
import type { Cancel, Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { CursorSource } from '../cursor.ts';
import type { Segment } from '../segments/segment.ts';
import { SegmentWalk } from './walk.ts';

const SLICE_BYTES = 256 * 1024;
const PAUSE_MS = 20;

export class Scrub {
  readonly #source: Pick<CursorSource, 'handles' | 'onDamage' | 'onScar'>;
  readonly #timers: Timers;
  #segments: Segment[];
  #walk: SegmentWalk | undefined;
  #cancel: Cancel | undefined;

  /** Newest first: what is needed next is looked at first. */
  constructor(
    source: Pick<CursorSource, 'handles' | 'onDamage' | 'onScar'>,
    timers: Timers,
    segments: readonly Segment[],
  ) {
    this.#source = source;
    this.#timers = timers;
    this.#segments = [...segments];
    this.#goOn();
  }

  stop(): void {
    this.#segments = [];
    this.#cancel?.();
  }

  #goOn(): void {
    this.#cancel =
      this.#segments.length === 0 ? undefined : this.#timers.after(PAUSE_MS, () => this.#slice());
  }

  #slice(): void {
    const segment = this.#segments.at(-1);
    if (segment === undefined) return;
    if (segment.released || this.#isRead(segment)) {
      this.#segments.pop();
      this.#walk = undefined;
    }
    this.#goOn();
  }

  /** Looks at the next slice of it; true where that was the last one. For want of file descriptors it is looked at again. */
  #isRead(segment: Segment): boolean {
    try {
      this.#walk ??= new SegmentWalk(
        this.#source.handles.reader(segment),
        segment,
        segment.firstLsn,
      );
      return this.#isDone(segment, this.#walk);
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'data.unreadable') throw error;
      return false;
    }
  }

  #isDone(segment: Segment, walk: SegmentWalk): boolean {
    const until = walk.offset + SLICE_BYTES;
    while (walk.offset < until) {
      const step = walk.next();
      if (step.kind === 'end') return true;
      if (step.kind === 'damage') this.#source.onDamage(segment, step.damage);
      if (step.kind === 'scar') this.#source.onScar(segment, step.offset);
    }
    return false;
  }
}
