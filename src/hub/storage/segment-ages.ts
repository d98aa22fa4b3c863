/**
 * How old the segments of the journal are, for `keep_days`. The stamp of the first op tells it, where it can: one that was made before
 * the clock was set would be of 1970, and one from a clock that has leapt ahead, and all that follow it, of a year that
 * is not here yet. By the first a segment would go at once, by the others never. Then, and while nobody has set the clock,
 * a segment is as old as this run has known it, by the clock that never leaps.
 */
import { type Clock, qualityBy } from '../../base/clock.ts';
import { CborError } from '../../codec/reader.ts';
import type { Journal } from '../../journal/journal.ts';
import { decodeEntry } from '../../model/entry.ts';
import { DRIFT_MS_MAX } from '../../model/hlc.ts';

type Lsn = number;

export class SegmentAges {
  readonly #journal: Pick<Journal, 'segmentStarts' | 'cursor'>;
  /** Whose wall time stamps carry. */
  readonly #clock: Clock;
  /** When this run has seen the segment first, by where it begins. */
  #seenMs = new Map<Lsn, number>();

  constructor(journal: Pick<Journal, 'segmentStarts' | 'cursor'>, clock: Clock) {
    this.#journal = journal;
    this.#clock = clock;
  }

  /** Takes note of segments that are new; to be called more often than anything grows old. */
  look(): void {
    const nowMs = this.#clock.monotonicMs();
    const seen = this.#journal.segmentStarts.map(
      (start) => [start, this.#seenMs.get(start) ?? nowMs] as const,
    );
    this.#seenMs = new Map(seen);
  }

  /** Where the newest segment begins that is older than `keepMs`: what lies below is older still. */
  newestOlderThan(keepMs: number): Lsn | undefined {
    this.look();
    return this.#journal.segmentStarts.findLast((start) => this.#ageMs(start) > keepMs);
  }

  #ageMs(start: Lsn): number {
    const nowMs = this.#clock.wallMs();
    const stampMs = this.#clock.quality() === 'unknown' ? undefined : this.#stampMsFrom(start);
    const tells =
      stampMs !== undefined && qualityBy(stampMs) !== 'unknown' && stampMs <= nowMs + DRIFT_MS_MAX;
    return tells ? nowMs - stampMs : this.#clock.monotonicMs() - (this.#seenMs.get(start) ?? 0);
  }

  /** Wall time of the first op at or behind `lsn`. */
  #stampMsFrom(lsn: Lsn): number | undefined {
    const cursor = this.#journal.cursor(lsn);
    for (let next = cursor.next(); next !== undefined; next = cursor.next()) {
      const ms = stampMsOf(next.entry);
      if (ms !== undefined) return ms;
    }
    return undefined;
  }
}

/** Undefined for a local entry, and for one that this version cannot read: neither tells the time. */
function stampMsOf(bytes: Uint8Array): number | undefined {
  try {
    const entry = decodeEntry(bytes);
    return entry.type === 'op' ? entry.stamped.stamp.hlc.ms : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}
