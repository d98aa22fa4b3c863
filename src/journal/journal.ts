/**
 * The journal: a durable, ordered record of opaque entries (each one CBOR item), numbered 1, 2, 3 … without end.
 *
 * Promises: an LSN that `onDurable` has named is on the medium, and after any crash it is there again, byte for byte,
 * or it is named as damaged (`stat().quarantined`, the log, `journal verify`), never missing in silence. What was not
 * named may be there or not; if it is, it is whole. Files are allocated and recycled whole, so an append changes no
 * file metadata. Memory is bounded: one group that gathers, and a chunk for each cursor that reads.
 *
 * Refused: anything beyond the limits (`journal.full`, `journal.disk-full`, `journal.busy`), and everything once the card has
 * failed a write or a sync (`journal.poisoned`): the process must start again, and recovery distrusts the last block.
 *
 * Not here: what entries mean (model/entry.ts), who may release them (retention), which class yields first when it is
 * nearly full (the door, by `fillRatio`).
 */
import type { Cancel } from '../base/clock.ts';
import { type HubError, messageOf } from '../base/errors.ts';
import { placeOf } from '../base/halving.ts';
import type { DirectoryLock } from '../platform/files/files.ts';
import { type CursorSource, JournalCursor } from './cursor.ts';
import { BLOCKS_START, type Lsn } from './format.ts';
import { GroupCommit } from './commit/group-commit.ts';
import {
  type JournalOptions,
  type Opened,
  openJournal,
  readPart,
  type RecoveryReport,
} from './recovery/opening.ts';
import type { Quarantine, QuarantinedRange } from './recovery/quarantine.ts';
import { RecentBlocks } from './commit/recent-blocks.ts';
import { SyncPace } from './commit/sync-pace.ts';
import { Scrub } from './recovery/scrub.ts';
import type { Segment, SegmentHandles } from './segments/segment.ts';
import type { SegmentSupply } from './segments/supply.ts';
import type { Follows, WriteCounts } from './segments/supply-contract.ts';
import type { Damage } from './recovery/walk.ts';

export type { JournalOptions, RecoveryReport } from './recovery/opening.ts';

export interface JournalStat {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly durableLsn: Lsn;
  /** Bytes on the disk, prepared and spare segments included. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly segments: number;
  /** 0 … 1; at 1 appends are refused. */
  readonly fillRatio: number;
  /** What is missing. */
  readonly quarantined: readonly QuarantinedRange[];
  /** Ranges that were, while their segments are here. */
  readonly healedRanges: number;
  /** Since the open: syncs asked for, bytes written to the card. */
  readonly syncs: number;
  readonly bytesWritten: number;
  /** How long devices waited for syncs in all, and what one takes now, where that is too long. */
  readonly syncMs: number;
  readonly slowSyncMs: number | undefined;
}

const PENDING_BYTES_MAX = 4 << 20;
/** How often room on the disk is looked at. */
const REVIEW_MS = 2_000;

interface Waiter {
  readonly lsn: Lsn;
  resolve(): void;
  reject(fault: HubError): void;
}

export class Journal {
  /** What the open found. */
  readonly recovery: RecoveryReport;
  readonly #options: JournalOptions;
  readonly #lock: DirectoryLock;
  readonly #counts: WriteCounts;
  readonly #segments: Segment[];
  readonly #handles: SegmentHandles;
  readonly #source: CursorSource;
  readonly #supply: SegmentSupply;
  readonly #quarantine: Quarantine;
  readonly #commit: GroupCommit;
  readonly #pace: SyncPace;
  readonly #scrub: Scrub;
  readonly #pendingBytesMax: number;
  readonly #damageListeners: ((range: QuarantinedRange) => void)[] = [];
  readonly #endReview: Cancel;
  #waiters: Waiter[] = [];

  private constructor(options: JournalOptions, opened: Opened, counts: WriteCounts) {
    const { clock, timers, log, sealer, segmentBytes } = options;
    const { lock, handles, segments, supply, quarantine, group, active, offset } = opened;
    this.#options = options;
    this.#counts = counts;
    this.#lock = lock;
    this.#segments = segments;
    this.#supply = supply;
    this.#quarantine = quarantine;
    this.#handles = handles;
    this.#pendingBytesMax = Math.min(
      options.pendingBytesMax ?? PENDING_BYTES_MAX,
      segmentBytes - BLOCKS_START,
    );
    this.recovery = opened.report;
    const recent = new RecentBlocks();
    this.#pace = new SyncPace(clock);
    this.#commit = new GroupCommit({
      timers,
      log,
      sealer,
      supply,
      counts,
      pendingBytesMax: this.#pendingBytesMax,
      group,
      recent,
      pace: this.#pace,
      active,
      offset,
      nextLsn: opened.nextLsn,
      durableLsn: opened.durableLsn,
      onRotate: (segment) => segments.push(segment),
    });
    this.#commit.onDurable((durableLsn) => this.#settleWaiters(durableLsn));
    this.#commit.onFault((fault) => this.#rejectWaiters(fault));
    this.#source = {
      handles,
      sealer,
      // What was released is gone from here as well.
      recent: { find: (lsn) => (lsn < this.firstLsn ? undefined : recent.find(lsn)) },
      durableLsn: () => this.durableLsn,
      segmentAt: (lsn) => this.#segmentAt(lsn),
      onDamage: (segment, damage) => this.#onDamage(segment, damage),
      onScar: (segment, at) => log.warn('journal.scar', { file: segment.path, offset: at }),
    };
    // The tail was read at the open, and the active segment holds what was written since.
    const unread = segments.slice(0, active === undefined ? -1 : -2);
    this.#scrub = new Scrub(this.#source, timers, unread);
    this.#endReview = timers.every(REVIEW_MS, () => this.#reviewSpace());
  }

  #start(): void {
    this.#supply.start({
      follows: () => this.#follows(),
      isNextNeeded: () => this.#isHalfFull(),
      onSupply: () => this.#commit.review(this.#spaceIsLow()),
      onRecycled: () => this.#dropKeys(),
      onDoubt: (error) => this.#commit.poison('a sync failed', error),
    });
    this.#dropKeys();
    this.#commit.start();
  }

  /** Takes the folder, recovers, and goes on behind the last durable entry. Throws what `openJournal` throws. */
  static async open(options: JournalOptions): Promise<Journal> {
    const counts = { syncs: 0, bytesWritten: 0 };
    const opened = openJournal(options, counts);
    const journal = new Journal(options, opened, counts);
    journal.#start();
    options.log.info('journal.opened', { ...journal.recovery, ...journal.#lsns() });
    return Promise.resolve(journal);
  }

  /** First LSN that can be read; `lastLsn + 1` where there is none. */
  get firstLsn(): Lsn {
    return this.#segments[0]?.firstLsn ?? this.#commit.lastLsn + 1;
  }

  get lastLsn(): Lsn {
    return this.#commit.lastLsn;
  }

  get durableLsn(): Lsn {
    return this.#commit.durableLsn;
  }

  /** Why nothing is admitted: poisoned for good, or full until there is room. */
  get fault(): HubError | undefined {
    return this.#commit.fault;
  }

  /** True where the card is behind; whoever appends should hold its sources until `onDurable` has been called. */
  get saturated(): boolean {
    return this.#commit.pendingBytes > this.#pendingBytesMax / 2;
  }

  /** 0 … 1; at 1 appends are refused. */
  get fillRatio(): number {
    const { segmentBytes, totalBytesMax } = this.#options;
    const active = this.#commit.active;
    const used = active === undefined ? 0 : this.#commit.offset - active.sizeBytes;
    const live = this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, used);
    return Math.min(1, live / (Math.floor(totalBytesMax / segmentBytes) * segmentBytes));
  }

  /**
   * Takes a copy of the entry and returns its LSN; it is durable when `onDurable` says so. With `lingerMs` > 0 it may
   * wait so long for company. Throws `HubError`: `journal.full`, `journal.disk-full`, `journal.poisoned`,
   * `journal.busy`, `op.too-large`; then nothing was taken.
   */
  append(entry: Uint8Array, lingerMs: number): Lsn {
    return this.#commit.append(entry, lingerMs);
  }

  /** Called once for each group commit, with the LSN up to which everything is durable, in order. */
  onDurable(listener: (durableLsn: Lsn) => void): void {
    this.#commit.onDurable(listener);
  }

  onFault(listener: (fault: HubError) => void): void {
    this.#commit.onFault(listener);
  }

  /** Called when a damaged range is met that was not known before. */
  onQuarantine(listener: (range: QuarantinedRange) => void): void {
    this.#damageListeners.push(listener);
  }

  /** Nothing of a range of `stat().quarantined` is missing any more: its ops are here again, and durable. */
  heal(range: QuarantinedRange): void {
    this.#quarantine.heal(range);
  }

  /** Resolves when `lsn` is durable; rejects where the journal is poisoned before. */
  whenDurable(lsn: Lsn): Promise<void> {
    if (lsn <= this.durableLsn) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (this.fault?.code === 'journal.poisoned') reject(this.fault);
      else this.#waiters.push({ lsn, resolve, reject });
    });
  }

  /**
   * Entries that are not written yet, oldest first; valid until the next append. After an open without room that is
   * the doubtful end of the last run: cursors give it out when it is durable, but whoever numbers ops counts it at once.
   */
  waiting(): Iterable<Uint8Array> {
    return this.#commit.waiting();
  }

  /** Reads from `fromLsn` on, or from `firstLsn` where that is higher, up to what is durable. */
  cursor(fromLsn: Lsn): JournalCursor {
    return new JournalCursor(this.#source, fromLsn);
  }

  /**
   * The entry with this LSN, durable or not; valid until the next append. Undefined where it is gone, cannot be read, or
   * waits among very many for the card.
   */
  entryAt(lsn: Lsn): Uint8Array | undefined {
    const waiting = this.#commit.waitingEntry(lsn);
    if (waiting !== undefined) return waiting;
    const found = new JournalCursor({ ...this.#source, durableLsn: () => lsn }, lsn).next();
    return found?.lsn === lsn ? found.entry : undefined;
  }

  /**
   * Gives up whole segments that hold nothing above `throughLsn`; returns the new first LSN. The segment that tells
   * how far the LSNs were given stays, whatever was asked.
   */
  release(throughLsn: Lsn): Lsn {
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined || oldest.untilLsn > throughLsn + 1) break;
      if (next.untilLsn === next.firstLsn && next.header.baseLsn !== oldest.untilLsn) break;
      this.#segments.shift();
      oldest.released = true;
      this.#handles.close(oldest);
      this.#supply.retire(oldest);
    }
    this.#quarantine.released(this.firstLsn);
    return this.firstLsn;
  }

  /** First LSN of each segment, oldest first: only what lies below one of them can be released. */
  get segmentStarts(): readonly Lsn[] {
    return this.#segments.map((segment) => segment.firstLsn);
  }

  stat(): JournalStat {
    return {
      ...this.#lsns(),
      bytes: this.#supply.bytes,
      bytesMax: this.#options.totalBytesMax,
      segments: this.#segments.length,
      fillRatio: this.fillRatio,
      quarantined: this.#quarantine.ranges.filter(({ isHealed }) => !isHealed),
      healedRanges: this.#quarantine.ranges.filter(({ isHealed }) => isHealed).length,
      ...this.#counts,
      syncMs: this.#pace.totalMs,
      slowSyncMs: this.#pace.slowMs,
    };
  }

  /** Commits what waits, marks the journal as closed and lets go of the folder. */
  async close(): Promise<void> {
    this.#endReview();
    this.#scrub.stop();
    await this.#commit.close();
    this.#supply.close();
    this.#handles.closeAll();
    this.#lock.release();
  }

  /** The segment that holds `lsn`, else the next later one that holds anything durable. */
  #segmentAt(lsn: Lsn): Segment | undefined {
    let at = placeOf(this.#segments, ({ untilLsn }) => untilLsn <= lsn);
    let segment = this.#segments[at];
    while (segment !== undefined && segment.untilLsn === segment.firstLsn)
      segment = this.#segments[++at];
    return segment;
  }

  #onDamage(segment: Segment, damage: Damage): void {
    const { files } = this.#options;
    const range = { segment: segment.number, fromLsn: damage.fromLsn, toLsn: damage.toLsn };
    const kept = this.#quarantine.keep(range, () => readPart(files, segment.path, damage));
    if (kept !== undefined) for (const listener of this.#damageListeners) listener(kept);
  }

  /** What the segment that is prepared will follow on. */
  #follows(): Follows {
    return { previous: this.#segments.at(-1)?.number ?? 0, baseLsn: this.durableLsn + 1 };
  }

  #isHalfFull(): boolean {
    const { active, offset } = this.#commit;
    return active === undefined || offset > active.sizeBytes / 2;
  }

  /**
   * Has the keys destroyed that no segment needs. While a whole segment is set aside, whose header does not tell its
   * epoch, only those from before the oldest segment: somebody may want to read what is left of it.
   */
  #dropKeys(): void {
    const inUse = new Set(this.#supply.epochsInUse);
    for (const segment of this.#segments) inUse.add(segment.header.epoch);
    const oldest = Math.min(...inUse);
    const keepsYounger = this.#quarantine.holdsSegments;
    this.#options.sealer.keepOnly((epoch) => inUse.has(epoch) || (keepsYounger && epoch > oldest));
  }

  #reviewSpace(): void {
    this.#missFiles();
    this.#supply.prepare();
    this.#commit.review(this.#spaceIsLow());
  }

  /** An open file takes writes and syncs also when somebody has removed it: what is acknowledged then, no start finds. */
  #missFiles(): void {
    const path = this.#segments.at(-1)?.path;
    if (path === undefined || this.#options.files.exists(path)) return;
    this.#commit.poison(`${path} is gone`, 'it was removed or moved away');
  }

  #spaceIsLow(): boolean {
    const { files, dir, freeBytesMin, log } = this.#options;
    try {
      return files.freeBytes(dir) < freeBytesMin;
    } catch (error) {
      log.warn('journal.no-free-bytes', { reason: messageOf(error) });
      return false;
    }
  }

  #settleWaiters(durableLsn: Lsn): void {
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter((waiter) => waiter.lsn <= durableLsn);
    this.#waiters = this.#waiters.filter((waiter) => waiter.lsn > durableLsn);
    for (const waiter of due) waiter.resolve();
  }

  #rejectWaiters(fault: HubError): void {
    if (fault.code !== 'journal.poisoned') return;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(fault);
  }

  #lsns(): { firstLsn: Lsn; lastLsn: Lsn; durableLsn: Lsn } {
    return { firstLsn: this.firstLsn, lastLsn: this.lastLsn, durableLsn: this.durableLsn };
  }
}
