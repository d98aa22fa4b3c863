/**
 * Folds the journal into the store, behind the acknowledgements. It follows the durable end of the journal,
 * never beyond, in slices of a few milliseconds, so that sockets and commits get their turns.
 *
 * - A lone message waits a moment for company: one transaction for fifty messages costs little more than one
 *   for one.
 * - While the journal grows, the applier takes a fifth of the time and falls behind; when it rests, all
 *   of it. The further behind, the larger its share, so that it catches up before the journal is full.
 * - Several slices share a transaction; between transactions the store is made durable, off the event
 *   loop.
 *
 * A fault of the store stops it and is reported; nothing acknowledged is at stake, because the journal keeps
 * everything. The owner opens the store anew and starts another applier.
 */
import type { Cancel, Clock, Timers } from '../base/clock.ts';
import { type FaultCode, HubError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { CborError } from '../codec/reader.ts';
import { decodeEntry } from '../model/entry.ts';
import type { StampedOp } from '../model/op.ts';
import type { JournalCursor, JournalPort, Lsn } from './journal-port.ts';

export interface FoldingStore {
  readonly checkpointLsn: Lsn;
  readonly durableLsn: Lsn;
  stage(entries: readonly { lsn: Lsn; stamped: StampedOp }[], checkpointLsn: Lsn): void;
  commit(): void;
  unsettledPages(): number;
  persist(): Promise<Lsn>;
  prune(nowMs: number, rowsMax: number): number;
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
  /** Called once, when a fault of the store has stopped the applier. */
  readonly onFault: (fault: HubError) => void;
}

const SLICE_MS = 4;
const LINGER_MS = 50;
const BATCH_MIN = 16;
const BATCH_MAX = 1024;
const COMMIT_ENTRIES = 2000;
/** Pages of 4 KiB that may wait to be made durable, and for how long a single one may. */
const UNSETTLED_PAGES_MAX = 500;
const SETTLE_PERIOD_MS = 60_000;
const PRUNE_PERIOD_MS = 60_000;
const PRUNE_ROWS = 500;
/** Rest between slices while the journal grows, in slices, by how far behind the applier is. */
const RESTS: readonly { readonly lagMax: number; readonly slices: number }[] = [
  { lagMax: 250_000, slices: 4 },
  { lagMax: 1_000_000, slices: 1 },
];

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
  #fault: HubError | undefined;
  #waiters: Waiter[] = [];
  #stagedLsn: Lsn;
  #stagedEntries = 0;
  #batchEntries = 64;
  #durableAtLastSlice: Lsn;
  #settledMs: number;
  #prunedMs: number;
  #paused: Promise<void> = Promise.resolve();
  #unreadable = 0;

  private constructor(options: ApplierOptions) {
    const { journal, store, clock } = options;
    this.#options = options;
    this.#cursor = journal.cursor(store.checkpointLsn + 1);
    this.#stagedLsn = store.checkpointLsn;
    this.#durableAtLastSlice = journal.durableLsn;
    this.#settledMs = this.#prunedMs = clock.monotonicMs();
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

  /** All of the journal up to here is in the store. */
  get appliedLsn(): Lsn {
    return this.#options.store.checkpointLsn;
  }

  /** Durable entries that are not in the store yet. */
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

  /** Resolves when the store has everything up to `lsn`; rejects where the applier ends before. */
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
    if (this.#state === 'scheduled' && delayMs === 0) this.#unschedule();
    if (this.#state !== 'idle') return;
    this.#state = 'scheduled';
    const run = (): void => {
      this.#state = 'idle';
      this.#cancel = undefined;
      this.#slice();
    };
    const { timers } = this.#options;
    this.#cancel = delayMs === 0 ? timers.soon(run) : timers.after(delayMs, run);
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
      const drained = this.#stageBatch();
      if (drained || this.#stagedEntries >= COMMIT_ENTRIES) {
        this.#commit();
        if (this.#mustSettle(drained)) {
          this.#settledMs = startMs;
          this.settle().catch((error: unknown) => {
            // A fault is reported by `onFault`; nobody else waits for this one.
            if (!(error instanceof HubError)) throw error;
          });
          return;
        }
      }
      const tookMs = clock.monotonicMs() - startMs;
      this.#adapt(tookMs);
      if (!drained) this.#wake(this.#restMs(tookMs));
      else if (this.#prune()) this.#wake(LINGER_MS);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Stages up to a batch; true where the journal has no more. */
  #stageBatch(): boolean {
    const entries: { lsn: Lsn; stamped: StampedOp }[] = [];
    let drained = false;
    for (let count = 0; count < this.#batchEntries; count++) {
      const next = this.#cursor.next();
      if (next === undefined) {
        drained = true;
        break;
      }
      this.#stagedLsn = next.lsn;
      this.#stagedEntries += 1;
      const stamped = this.#read(next.lsn, next.entry);
      if (stamped !== undefined) entries.push({ lsn: next.lsn, stamped });
    }
    if (this.#stagedLsn > this.appliedLsn) this.#options.store.stage(entries, this.#stagedLsn);
    return drained;
  }

  #read(lsn: Lsn, bytes: Uint8Array): StampedOp | undefined {
    try {
      const entry = decodeEntry(bytes);
      return entry.type === 'op' ? entry.stamped : undefined;
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
      this.#unreadable += 1;
      this.#options.log.error('applier.entry-unreadable', { lsn, reason: error.message });
      return undefined;
    }
  }

  /** Fits the batch to the time that one took. */
  #adapt(tookMs: number): void {
    if (tookMs > SLICE_MS) this.#batchEntries = Math.max(BATCH_MIN, this.#batchEntries >> 1);
    else if (tookMs < SLICE_MS / 2) {
      this.#batchEntries = Math.min(BATCH_MAX, Math.ceil(this.#batchEntries * 1.25));
    }
  }

  #restMs(tookMs: number): number {
    const { durableLsn } = this.#options.journal;
    const grows = durableLsn > this.#durableAtLastSlice;
    this.#durableAtLastSlice = durableLsn;
    if (!grows || this.#waiters.length > 0) return 0;
    const rest = RESTS.find(({ lagMax }) => this.lag <= lagMax);
    return rest === undefined ? 0 : Math.ceil(tookMs * rest.slices);
  }

  #mustSettle(drained: boolean): boolean {
    const { clock, store } = this.#options;
    if (store.unsettledPages() >= UNSETTLED_PAGES_MAX) return true;
    const due = clock.monotonicMs() - this.#settledMs >= SETTLE_PERIOD_MS;
    return drained && due && store.durableLsn < store.checkpointLsn;
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
    this.#options.store.commit();
    this.#stagedEntries = 0;
    this.#releaseWaiters();
  }

  /** Removes old readings now and then; true where there may be more. A clock that nobody set decides nothing. */
  #prune(): boolean {
    const { clock, siteClock, store } = this.#options;
    if (clock.monotonicMs() - this.#prunedMs < PRUNE_PERIOD_MS) return false;
    const isSet = siteClock.quality() !== 'unknown';
    if (isSet && store.prune(siteClock.wallMs(), PRUNE_ROWS) > 0) return true;
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
