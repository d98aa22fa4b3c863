/**
 * Reads a journal from an LSN on, entry by entry, up to what is durable. It holds one chunk of a file at a time, and
 * survives rotation. Where its segment was released meanwhile it goes on at the journal's first LSN; where entries are
 * damaged it reports the range (`Journal.stat().quarantined`) and goes on behind it. So a step of more than one in
 * `lsn` is a gap that is accounted for.
 */
import { EMPTY_BYTES } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { BlockReader, ReusedChunk } from './block-reader.ts';
import { type Lsn, scanEntry } from './format.ts';
import { entriesOf } from './payload.ts';
import type { RecentBlocks } from './commit/recent-blocks.ts';
import type { Unsealer } from './sealer.ts';
import { sealBroken, type Segment, type SegmentHandles } from './segments/segment.ts';
import { type Damage, SegmentWalk } from './recovery/walk.ts';

/** What a cursor needs of its journal. */
export interface CursorSource {
  readonly handles: SegmentHandles;
  readonly sealer: Unsealer;
  readonly recent: Pick<RecentBlocks, 'find'>;
  durableLsn(): Lsn;
  /** The segment that holds `lsn`, else the next later one that holds anything; undefined at the end. */
  segmentAt(lsn: Lsn): Segment | undefined;
  onDamage(segment: Segment, damage: Damage): void;
  onScar(segment: Segment, offset: number): void;
}

interface JournalEntry {
  readonly lsn: Lsn;
  /** One CBOR item. The bytes stay as they are as long as somebody holds them. */
  readonly entry: Uint8Array;
}

export class JournalCursor {
  readonly #source: CursorSource;
  /** LSN of the next entry to give out. */
  #nextLsn: Lsn;
  #segment: Segment | undefined;
  #reader: BlockReader | undefined;
  readonly #chunk: ReusedChunk = { bytes: EMPTY_BYTES };
  #walk: SegmentWalk | undefined;
  #payload: Uint8Array = EMPTY_BYTES;
  #at = 0;
  #start = 0;
  /** LSN of the entry at `#at`. */
  #payloadLsn: Lsn = 0;

  constructor(source: CursorSource, fromLsn: Lsn) {
    this.#source = source;
    this.#nextLsn = fromLsn;
  }

  /** LSN that `next` would look for. */
  get nextLsn(): Lsn {
    return this.#nextLsn;
  }

  /** The next entry, or undefined where all that is durable was given out; ask again later. */
  next(): JournalEntry | undefined {
    return this.step()
      ? { lsn: this.lsn, entry: this.bytes.subarray(this.start, this.end) }
      : undefined;
  }

  /**
   * As `next`, for who looks at very many: goes to the next entry, and makes nothing of it. What it is, `lsn` says, and where, `bytes`,
   * `start` and `end`.
   */
  step(): boolean {
    for (;;) {
      while (this.#at < this.#payload.length) {
        this.#scan();
        const lsn = this.#payloadLsn - 1;
        if (lsn < this.#nextLsn) continue; // Before the LSN that was asked for, in the same block.
        this.#nextLsn = lsn + 1;
        return true;
      }
      if (
        this.#nextLsn > this.#source.durableLsn() ||
        !(this.#takeRecentBlock() || this.#nextBlock())
      ) {
        this.#payload = EMPTY_BYTES;
        this.#at = 0;
        this.#reader?.forget(); // An idle cursor holds no memory.
        return false;
      }
    }
  }

  get lsn(): Lsn {
    return this.#payloadLsn - 1;
  }

  /** Stay as they are as long as somebody holds them. */
  get bytes(): Uint8Array {
    return this.#payload;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#at;
  }

  #scan(): void {
    const place = scanEntry(this.#payload, this.#at);
    if (place === undefined) {
      // The CRC was right, so this was written wrong; nothing behind it can be told apart.
      throw new HubError(
        'journal.damaged',
        `the entry with LSN ${this.#payloadLsn} cannot be read`,
      );
    }
    this.#start = place.start;
    this.#at = place.end;
    this.#payloadLsn += 1;
  }

  /** Goes to the block in memory that holds what comes next; false where there is none. */
  #takeRecentBlock(): boolean {
    const block = this.#source.recent.find(this.#nextLsn);
    if (block === undefined) return false;
    this.#segment = undefined; // Where it goes on from the file is looked up when it does.
    this.#payload = block.payload;
    this.#at = 0;
    this.#payloadLsn = block.firstLsn;
    return true;
  }

  /** Goes to the next block that holds entries; false where there is none yet. */
  #nextBlock(): boolean {
    for (;;) {
      if (this.#segment === undefined || this.#segment.released) {
        if (!this.#enterSegment()) return false;
      }
      const segment = this.#segment as Segment;
      const step = (this.#walk as SegmentWalk).next();
      switch (step.kind) {
        case 'block': {
          const { block } = step;
          segment.mark(block);
          if (block.firstLsn + block.count <= this.#nextLsn) break;
          this.#payload = this.#open(segment, block.firstLsn, block.payload);
          this.#at = 0;
          this.#payloadLsn = block.firstLsn;
          return true;
        }
        case 'damage':
          this.#source.onDamage(segment, step.damage);
          this.#nextLsn = Math.max(this.#nextLsn, step.damage.toLsn + 1);
          break;
        case 'scar':
          this.#source.onScar(segment, step.offset);
          break;
        case 'end':
          if (!this.#leaveSegment()) return false;
      }
    }
  }

  #enterSegment(): boolean {
    const segment = this.#source.segmentAt(this.#nextLsn);
    this.#segment = segment;
    if (segment === undefined) return false;
    this.#nextLsn = Math.max(this.#nextLsn, segment.firstLsn);
    const start = segment.seek(this.#nextLsn);
    const isSealed = segment.header.epoch > 0; // What seals open to is made anew.
    this.#reader = this.#source.handles.reader(segment, isSealed ? this.#chunk : undefined);
    this.#walk = new SegmentWalk(this.#reader, segment, start.lsn, start.offset);
    return true;
  }

  /** At the end of a segment: true where a later one holds more. */
  #leaveSegment(): boolean {
    const next = this.#source.segmentAt(
      Math.max(this.#nextLsn, (this.#segment as Segment).untilLsn),
    );
    if (next === undefined || next === this.#segment) return false;
    this.#segment = undefined;
    return true;
  }

  #open(segment: Segment, firstLsn: Lsn, payload: Uint8Array): Uint8Array {
    const entries = entriesOf(this.#source.sealer, segment, { firstLsn, payload });
    if (entries === undefined) throw sealBroken(segment, firstLsn);
    return entries;
  }
}
