/**
 * How old the segments of the journal are, for `keep_days`. The stamp of the first op tells it, where it can: one that was made before
 * the clock was set would be of 1970, and one from a clock that has leapt ahead, and all that follow it, of a year that
 * is not here yet. By the first a segment would go at once, by the others never. Then, and while nobody has set the clock,
 * a segment is as old as this run has known it, by the clock that never leaps. A leap ahead within this run makes nothing old
 * that was not (base/cautious-wall.ts).
 */
import { CautiousWall } from '../../base/cautious-wall.ts';
import { type Clock, qualityBy } from '../../base/clock.ts';
import { CborError } from '../../codec/reader.ts';
import type { Journal } from '../../journal/journal.ts';
import { decodeEntry } from '../../model/entry.ts';
import { DRIFT_MS_MAX } from '../../model/hlc.ts';

type Lsn = number;

/** Each takes a block of the card and a turn of the loop; a start with a thousand segments knows them all within minutes. */
const READS_PER_LOOK = 16;

interface Segment {
  /** When this run has seen it first. */
  readonly seenMs: number;
  /** Of its first op, once it has been read. */
  stampMs: number | undefined;
}

export class SegmentAges {
  readonly #journal: Pick<Journal, 'segmentStarts' | 'cursor'>;
  /** Whose wall time stamps carry. */
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #wall: CautiousWall;
  /** By where they begin, the oldest first. */
  #segments = new Map<Lsn, Segment>();

  constructor(journal: Pick<Journal, 'segmentStarts' | 'cursor'>, clock: Clock, keepMs: number) {
    this.#journal = journal;
    this.#clock = clock;
    this.#keepMs = keepMs;
    this.#wall = new CautiousWall(clock, keepMs);
  }

  /**
   * Takes note of segments that are new, and of the clock; to be called more often than anything grows old. Returns the wall time that is
   * believed, undefined while nobody has set the clock.
   */
  look(): number | undefined {
    const seenMs = this.#clock.monotonicMs();
    const known = this.#segments;
    this.#segments = new Map(
      this.#journal.segmentStarts.map((start) => [
        start,
        known.get(start) ?? { seenMs, stampMs: undefined },
      ]),
    );
    return this.#wall.nowMs();
  }

  /** Where the newest segment begins that is older than what is kept, as far as is known by now: what lies below is older still. */
  newestOld(): Lsn | undefined {
    const nowMs = this.look();
    if (nowMs !== undefined) this.#readStamps();
    const isOld = (segment: Segment): boolean => this.#ageMs(segment, nowMs) > this.#keepMs;
    return [...this.#segments].findLast(([, segment]) => isOld(segment))?.[0];
  }

  #readStamps(): void {
    const unread = [...this.#segments].filter(([, { stampMs }]) => stampMs === undefined);
    for (const [start, segment] of unread.slice(0, READS_PER_LOOK)) {
      segment.stampMs = this.#stampMsFrom(start);
    }
  }

  #ageMs({ seenMs, stampMs }: Segment, nowMs: number | undefined): number {
    const tells =
      nowMs !== undefined &&
      stampMs !== undefined &&
      qualityBy(stampMs) !== 'unknown' &&
      stampMs <= nowMs + DRIFT_MS_MAX;
    return tells ? nowMs - stampMs : this.#clock.monotonicMs() - seenMs;
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
