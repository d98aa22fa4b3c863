/** What the supply of segments needs of the journal, and what it gives. */
import type { Timers } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Files, OpenFile } from '../../platform/files/files.ts';
import type { Lsn } from '../format.ts';
import type { Sealer } from '../sealer.ts';
import type { Segment } from './segment.ts';

/** What the journal has asked of the card since it was opened. */
export interface WriteCounts {
  syncs: number;
  bytesWritten: number;
}

export interface SupplyOptions {
  readonly files: Files;
  readonly dir: string;
  readonly timers: Timers;
  readonly log: Log;
  readonly random: Random;
  readonly sealer: Sealer;
  readonly segmentBytes: number;
  readonly totalBytesMax: number;
  readonly freeBytesMin: number;
  readonly journalId: Uint8Array;
  readonly counts: WriteCounts;
  /** Names of files that wait to be used again. */
  readonly spares: readonly string[];
  /** Bytes of the segments in use. */
  readonly liveBytes: number;
  /** Number of the first segment to be made. */
  readonly nextNumber: number;
}

/** What the supply asks of the journal, and tells it. */
export interface SupplyOwner {
  /** What the next segment will follow on. */
  follows(): Follows;
  /** True where it is time to make the next segment. */
  isNextNeeded(): boolean;
  /** A segment is ready, or it has become clear that none can be had. */
  onSupply(): void;
  /** A retired segment has lost its name, durably: its key may not be needed any more. */
  onRecycled(): void;
  /** A sync failed that may have been meant for a block. */
  onDoubt(error: Error): void;
}

export interface Follows {
  /** Number of the segment before. */
  readonly previous: number;
  /** Every LSN below it is durable. */
  readonly baseLsn: Lsn;
}

export interface Prepared {
  readonly segment: Segment;
  /** For reading and writing; belongs to whoever took it. */
  readonly file: OpenFile;
}

/** What a block has to know of its segment. */
type SegmentPlace = Pick<Segment, 'header' | 'sizeBytes'>;
export type FirstBlock = (segment: SegmentPlace) => Uint8Array | undefined;

/** Why there is no next segment and none is on its way. */
export type Shortage = 'full' | 'disk-full' | 'io';
