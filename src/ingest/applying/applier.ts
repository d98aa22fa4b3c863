/**
 * Folds the journal into the store, behind the acknowledgements. It follows the durable end of the journal,
 * never beyond, in slices of a millisecond, so that sockets and commits get their turns.
 *
 * - While the journal grows, the applier takes a share of the time (folding-share.ts) and may fall behind; when it rests, all
 *   of it, or a quarter where the event loop is busy with other work (the queue of a subscriber that came back).
 * - What is folded shows in queries at once. It is written in large transactions: in a burst when enough has
 *   gathered, in quiet times once an hour, and packed where it did not come within seconds. That spares the card,
 *   and a crash costs nothing but folding that hour of the journal again.
 * - Between transactions the store is made durable, off the event loop.
 *
 * A fault of the store stops it and is reported; nothing acknowledged is at stake, because the journal keeps
 * everything. The owner opens the store anew and starts another applier.
 */
import { unreachable } from '../../base/assert.ts';
import { CautiousWall } from '../../base/cautious-wall.ts';
import type { Cancel, Clock, Timers } from '../../base/clock.ts';
import { type FaultCode, HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { FoldingShare } from './folding-share.ts';
import type { JournalCursor, JournalPort, Lsn } from '../journal-port.ts';

export interface FoldingStore {
  /** Kept. */
  readonly checkpointLsn: Lsn;
  /** Shown. */
  readonly appliedLsn: Lsn;
  readonly durableLsn: Lsn;
  /** Why the entry cannot be read, or undefined where it was folded. */
  stageEntry(lsn: Lsn, entry: Uint8Array): string | undefined;
  readonly isFlushDue: boolean;
  /** Writes a part of what has gathered, of about `rowsMax` rows; true where that was all. */
  flush(rowsMax: number, compact: boolean): boolean;
  commit(): void;
  unsettledPages(): number;
  persist(): Promise<Lsn>;
  prune(nowMs: number, chunksMax: number): number;
}

export interface ApplierOptions {
  readonly journal: Pick<JournalPort, 'cursor' | 'durableLsn' | 'onDurable'>;
  readonly store: FoldingStore;
  /** Measures how long things take. */
  readonly clock: Clock;
  /** Whose wall time the readings carry. */
  readonly siteClock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Sees every entry that is read, so that nobody has to read and unseal it again. */
  readonly alongside?: (lsn: Lsn, entry: Uint8Array) => void;
  /** Called once, when a fault of the store has stopped the applier. */
  readonly onFault: (fault: HubError) => void;
}

const SLICE_MS = 1;
const LINGER_MS = 50;
/** Entries between two looks at the clock. */
const BATCH_ENTRIES = 64;
/** Rows between two looks at the clock. */
const FLUSH_ROWS = 16;
/** Where what gathered took so long, and folding keeps up, there is time to pack it: that spares the card. */
const COMPACT_PERIOD_MS = 5_000;
/** Entries that may wait then: a few groups of a site that is made to linger, not a burst. */
const COMPACT_LAG_MAX = 2_000;
/** Packing a chunk takes as long as writing many. */
const FLUSH_ROWS_COMPACT = 2;
/** Entries of a transaction that no events fill. */
const COMMIT_ENTRIES = 32_768;
/** What has gathered is kept after this, however little it is. */
const COMMIT_PERIOD_MS = 3_600_000;
/** Pages of 8 KiB that may wait to be made durable. */
const UNSETTLED_PAGES_MAX = 250;
const PRUNE_PERIOD_MS = 3_600_000;
const PRUNE_CHUNKS = 64;
/** A clock that has leapt ahead takes no readings before that. */
const PRUNE_HOLD_MS = 30 * 86_400_000;
/** A turn of the event loop that takes so long has other work in it, such as the queue of a returning subscriber. */
const BUSY_TURN_MS = 0.1;
/** Then the applier takes a quarter of the time: rest between slices, in slices. */
const BUSY_RESTS = 3;

const STORE_FAULTS: ReadonlySet<FaultCode> = new Set(['store.damaged', 'store.failed']);

interface Waiter {
  readonly lsn: Lsn;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Applier {
  readonly #options: ApplierOptions;
  readonly #cursor: JournalCursor;
  #state: 'idle' | 'scheduled' | 'paused' | 'stopped' = 'idle';
  #cancel: Cancel | undefined;
  /** When the scheduled slice runs. */
  #dueMs = 0;
  #fault: HubError | undefined;
  #waiters: Waiter[] = [];
  #stagedEntries = 0;
  /** Whether the journal grew between the last two slices. */
  #grows = false;
  /** Length of the last slice. */
  #tookMs = 0;
  /** What the next slices do. */
  #task: 'stage' | 'flush' | 'prune' | 'commit' = 'stage';
  /** Whether little has come for so long that it is written for its age. */
  #isCalm = false;
  /** Whether there is time to write little. */
  #isCompact = false;
  #durableAtLastSlice: Lsn;
  readonly #share = new FoldingShare();
  #committedMs: number;
  #prunedMs: number;
  readonly #wall: CautiousWall;
  #paused: Promise<void> = Promise.resolve();
  #unreadable = 0;

  private constructor(options: ApplierOptions) {
    const { journal, store, clock, siteClock } = options;
    this.#options = options;
    this.#cursor = journal.cursor(store.checkpointLsn + 1);
    this.#durableAtLastSlice = journal.durableLsn;
    this.#committedMs = this.#prunedMs = clock.monotonicMs();
    this.#wall = new CautiousWall(siteClock, PRUNE_HOLD_MS);
    this.#wall.nowMs();
  }

  /** Begins behind the store's checkpoint. */
  static start(options: ApplierOptions): Applier {
    const applier = new Applier(options);
    options.journal.onDurable(() => {
      applier.#wake(applier.#waiters.length > 0 ? 0 : LINGER_MS);
    });
    applier.#wake(0);
    return applier;
  }

  /** All of the journal up to here shows in queries. */
  get appliedLsn(): Lsn {
    return this.#options.store.appliedLsn;
  }

  /** Durable entries that do not show yet. */
  get lag(): number {
    return Math.max(0, this.#options.journal.durableLsn - this.appliedLsn);
  }

  get fault(): HubError | undefined {
    return this.#fault;
  }

  /** Entries that were passed over because this version cannot read them. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Resolves when everything up to `lsn` shows; rejects where the applier ends before. */
  caughtUp(lsn: Lsn): Promise<void> {
    if (this.appliedLsn >= lsn) return Promise.resolve();
    if (this.#state === 'stopped') return Promise.reject(this.#endReason());
    return new Promise((resolve, reject) => {
      this.#waiters.push({ lsn, resolve, reject });
      this.#wake(0);
    });
  }

  /** Makes what is applied survive a power cut, and resolves to how far that is. */
  settle(): Promise<Lsn> {
    return this.whilePaused(() => this.#options.store.persist());
  }

  /** Runs `work` between two transactions; nothing is folded until its promise settles. */
  async whilePaused<T>(work: () => Promise<T>): Promise<T> {
    while (this.#state === 'paused') await this.#paused;
    if (this.#state === 'stopped') throw this.#endReason();
    this.#unschedule();
    this.#state = 'paused';
    const working = this.#workWhilePaused(work);
    this.#paused = working.then(
      () => undefined,
      () => undefined,
    );
    return working;
  }

  /** Keeps what was folded and ends; the store may be closed afterwards. */
  async stop(): Promise<void> {
    while (this.#state === 'paused') await this.#paused;
    if (this.#state === 'stopped') return;
    this.#unschedule();
    this.#state = 'stopped';
    try {
      this.#commit();
    } catch (error) {
      this.#fail(error);
    }
    this.#rejectWaiters();
  }

  /** Sees to it that a slice runs within `delayMs`; asked for at once, it does not wait for company. */
  #wake(delayMs: number): void {
    const { timers, clock } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs;
    if (this.#state === 'scheduled' && dueMs < this.#dueMs) this.#unschedule();
    if (this.#state !== 'idle') return;
    this.#state = 'scheduled';
    this.#dueMs = dueMs;
    const run = (): void => {
      this.#state = 'idle';
      this.#cancel = undefined;
      if (delayMs === 0 && this.#othersAreBusy(clock.monotonicMs() - dueMs)) {
        this.#wake(Math.max(1, this.#tookMs * BUSY_RESTS));
      } else this.#slice();
    };
    this.#cancel = delayMs === 0 ? timers.soon(run) : timers.after(delayMs, run);
  }

  /** Whether the turn of the loop that just ended was full of other work than publishes, and nobody waits for us. */
  #othersAreBusy(turnMs: number): boolean {
    return turnMs > BUSY_TURN_MS && !this.#grows && this.#waiters.length === 0;
  }

  #unschedule(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#state === 'scheduled') this.#state = 'idle';
  }

  #slice(): void {
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    try {
      const drained = this.#work(startMs);
      if (this.#mustSettle()) {
        this.settle().catch((error: unknown) => {
          // A fault is reported by `onFault`; nobody else waits for this one.
          if (!(error instanceof HubError)) throw error;
        });
      } else if (!drained) {
        this.#wake(this.#restMs(startMs, clock.monotonicMs()));
      } else this.#rest(startMs);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** There is nothing to do until more comes, or until what has gathered is old enough to be kept. */
  #rest(nowMs: number): void {
    this.#releaseWaiters();
    if (this.#stagedEntries === 0) return;
    this.#wake(Math.max(1, this.#committedMs + COMMIT_PERIOD_MS - nowMs));
  }

  /** Does one slice of what is to be done; true where the journal has no more. */
  #work(startMs: number): boolean {
    const { clock } = this.#options;
    const isOver = (): boolean => clock.monotonicMs() - startMs >= SLICE_MS;
    switch (this.#task) {
      case 'stage':
        return this.#stage(isOver);
      case 'flush':
        this.#flush(isOver);
        return false;
      case 'prune':
        do if (!this.#prune()) this.#task = 'commit';
        while (this.#task === 'prune' && !isOver());
        return false;
      case 'commit':
        this.#commit();
        return false;
      default:
        return unreachable(this.#task);
    }
  }

  /** Folds for the length of a slice; true where the journal has no more. */
  #stage(isOver: () => boolean): boolean {
    let drained = false;
    while (!drained && !isOver()) {
      drained = !this.#stageBatch();
      if (!this.#mustKeep(drained)) continue;
      this.#task = 'flush';
      this.#isCalm = drained && !this.#options.store.isFlushDue;
      this.#isCompact = this.lag <= COMPACT_LAG_MAX && this.#committedAgoMs >= COMPACT_PERIOD_MS;
      return false;
    }
    return drained;
  }

  #flush(isOver: () => boolean): void {
    const rowsMax = this.#isCompact ? FLUSH_ROWS_COMPACT : FLUSH_ROWS;
    do if (this.#options.store.flush(rowsMax, this.#isCompact)) this.#task = 'prune';
    while (this.#task === 'flush' && !isOver());
  }

  /** Stages a batch; false where the journal has no more. */
  #stageBatch(): boolean {
    const { store, log, alongside } = this.#options;
    for (let count = 0; count < BATCH_ENTRIES; count++) {
      const next = this.#cursor.next();
      if (next === undefined) return false;
      alongside?.(next.lsn, next.entry);
      this.#stagedEntries += 1;
      const reason = store.stageEntry(next.lsn, next.entry);
      if (reason === undefined) continue;
      this.#unreadable += 1;
      log.error('applier.entry-unreadable', { lsn: next.lsn, reason });
    }
    return true;
  }

  /** True where what is staged is to be written now. */
  #mustKeep(drained: boolean): boolean {
    if (this.#stagedEntries === 0) return false;
    if (this.#options.store.isFlushDue || this.#stagedEntries >= COMMIT_ENTRIES) return true;
    return drained && this.#committedAgoMs >= COMMIT_PERIOD_MS;
  }

  get #committedAgoMs(): number {
    return this.#options.clock.monotonicMs() - this.#committedMs;
  }

  /** How long to rest after a slice. */
  #restMs(startMs: number, endMs: number): number {
    const { durableLsn } = this.#options.journal;
    this.#grows = durableLsn > this.#durableAtLastSlice;
    this.#durableAtLastSlice = durableLsn;
    this.#tookMs = endMs - startMs;
    const slice = { startMs, endMs, durableLsn, appliedLsn: this.appliedLsn };
    const restMs = this.#share.restAfter(slice);
    return this.#grows && this.#waiters.length === 0 ? restMs : 0;
  }

  /** Whether what was committed is to survive a power cut now. */
  #mustSettle(): boolean {
    const { store } = this.#options;
    if (this.#stagedEntries > 0 || store.durableLsn >= store.checkpointLsn) return false;
    return this.#isCalm || store.unsettledPages() >= UNSETTLED_PAGES_MAX;
  }

  async #workWhilePaused<T>(work: () => Promise<T>): Promise<T> {
    try {
      this.#commit();
      return await work();
    } catch (error) {
      if (error instanceof HubError && STORE_FAULTS.has(error.code)) this.#fail(error);
      throw error;
    } finally {
      if (this.#state === 'paused') {
        this.#state = 'idle';
        this.#wake(0);
      }
    }
  }

  #commit(): void {
    const { store, clock } = this.#options;
    store.commit();
    this.#task = 'stage';
    this.#stagedEntries = 0;
    this.#committedMs = clock.monotonicMs();
    this.#releaseWaiters();
  }

  /** Removes some old readings now and then; true where there may be more. A clock that nobody set decides nothing. */
  #prune(): boolean {
    const { clock, store } = this.#options;
    if (clock.monotonicMs() - this.#prunedMs < PRUNE_PERIOD_MS) return false;
    const nowMs = this.#wall.nowMs();
    if (nowMs !== undefined && store.prune(nowMs, PRUNE_CHUNKS) > 0) return true;
    this.#prunedMs = clock.monotonicMs();
    return false;
  }

  #releaseWaiters(): void {
    const applied = this.appliedLsn;
    const ready = this.#waiters.filter(({ lsn }) => lsn <= applied);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter(({ lsn }) => lsn > applied);
    for (const { resolve } of ready) resolve();
  }

  #fail(error: unknown): void {
    if (!(error instanceof HubError)) throw error;
    this.#unschedule();
    this.#state = 'stopped';
    this.#fault = error;
    this.#options.log.error('applier.stopped', {
      code: error.code,
      error: error.message,
      appliedLsn: this.appliedLsn,
    });
    this.#rejectWaiters();
    this.#options.onFault(error);
  }

  #rejectWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(this.#endReason());
  }

  #endReason(): HubError {
    return this.#fault ?? new HubError('store.failed', 'the applier has ended');
  }
}
