/**
 * What of the journal may be released: ops that are receipted (or, without an uplink, older than
 * `keep_days`), folded into the durable store and the blob store, hashed into the durable ledger, numbered by a progress note that
 * stays, and not owed to a device that is away, nor needed to mend damage. Whole segments go; the journal decides which those
 * are. A journal that is too full for the note has it in a file beside it: it must let go to have room again. When it fills up, devices that are away lose what is oldest, before others lose the right to publish:
 * as many segments at once as bring it below half, since a small journal can fill within one period. That is also why it is looked at by the second where it is nearly full.
 *
 * With `on_full = "drop-bulk"`, a journal that only ops of class bulk hold back loses the oldest of them, without a receipt: a segment at a time, as few as
 * will do, counted, and told in the power-aware log.
 */
import type { Cancel, Clock, Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Door } from '../../ingest/door/door.ts';
import type { Journal } from '../../journal/journal.ts';
import { SegmentAges } from './segment-ages.ts';

type Lsn = number;

export interface RetentionOptions {
  /** The journal has let go of these entries. */
  readonly onReleased?: ((firstLsn: Lsn, throughLsn: Lsn) => void) | undefined;
  readonly journal: Journal;
  readonly door: Pick<Door, 'noteProgress'>;
  /** Makes the note durable beside the journal; false where it cannot be told at this moment. */
  readonly keepProgress: () => Promise<boolean>;
  /** Undefined without an uplink. */
  readonly receiptedLsn: (() => Lsn) | undefined;
  /** Makes the store durable and says how far it has come. */
  readonly settleStore: () => Promise<Lsn>;
  /** Makes the ledger durable and says how far it has come. */
  readonly flushLedger: () => Promise<Lsn>;
  /** Makes the bytes of assets durable and says how far they have come. */
  readonly settleAssets: () => Promise<Lsn>;
  /** The oldest damaged LSN that may come back from the region yet: from there on the journal says what it was. */
  readonly lostLsn: () => Lsn;
  readonly sessions: RetainingSessions;
  readonly keepMs: number;
  /** Undefined where nothing goes without a receipt. */
  readonly droppable?: Droppable | undefined;
  /** Whose wall time stamps carry. */
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

/** MQTT sessions that read messages from the journal. */
interface RetainingSessions {
  /** The oldest LSN that one of them still has to read. */
  readonly pinnedLsn: Lsn;
  /** Takes from them what lies at or below `lsn`. */
  cutThrough(lsn: Lsn): void;
  /** Writes down what the journal says about sessions up to the LSN that it resolves to. */
  sumUp(): Promise<Lsn>;
}

/** What waits without a receipt and may be dropped in need. */
export interface Droppable {
  /** Every other op at or below has its receipt. */
  othersReceiptedLsn(): Lsn;
  /** Gives up what waits through `throughLsn` while `release` lets go of it; false where that cannot be now. */
  giveUp(throughLsn: Lsn, release: () => boolean): Promise<boolean>;
}

const PERIOD_MS = 15_000;
/** How often a journal beyond `DROP_RATIO` is looked at, if it has grown by a segment. */
const NEARLY_FULL_PERIOD_MS = 1_000;
/** From here on bulk without a receipt may go: below what the door refuses bulk at. */
const DROP_RATIO = 0.75;
/** From here on the journal's room matters more than what waits for devices that are away. */
export const FULL_RATIO = 0.5;
const FULL_CODES: ReadonlySet<string> = new Set(['journal.full', 'journal.disk-full']);

export class Retention {
  readonly #options: RetentionOptions;
  readonly #cancels: readonly Cancel[];
  readonly #ages: SegmentAges;
  /** First LSN of the newest segment at the last look. */
  #newestStart: Lsn | undefined;
  #underway: Promise<void> = Promise.resolve();
  #isBusy = false;
  #fault: HubError | undefined;
  #stop: () => void = () => undefined;
  readonly #stopped = new Promise<void>((resolve) => {
    this.#stop = resolve;
  });

  constructor(options: RetentionOptions) {
    this.#options = options;
    const { journal, clock, keepMs, timers } = options;
    this.#ages = new SegmentAges(journal, clock, keepMs);
    this.#ages.look();
    this.#cancels = [
      timers.every(PERIOD_MS, () => this.look()),
      timers.every(NEARLY_FULL_PERIOD_MS, () => this.#lookIfNearlyFull()),
    ];
  }

  /** Why the last round could let go of nothing; the journal fills up meanwhile. */
  get fault(): HubError | undefined {
    return this.#fault;
  }

  /** Releases what may go; one round at a time. */
  look(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#newestStart = this.#options.journal.segmentStarts.at(-1);
    this.#underway = this.#rounds().finally(() => (this.#isBusy = false));
  }

  async close(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    this.#stop();
    await this.#underway;
  }

  #lookIfNearlyFull(): void {
    const { journal } = this.#options;
    if (journal.fillRatio < DROP_RATIO) return;
    if (journal.segmentStarts.at(-1) !== this.#newestStart) this.look();
  }

  async #rounds(): Promise<void> {
    try {
      while ((await this.#round()) === 'dropped');
      this.#fault = undefined;
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      this.#fault = error;
    }
  }

  async #round(): Promise<'done' | 'dropped'> {
    const { journal, settleStore, flushLedger, settleAssets, sessions } = this.#options;
    const secondStart = journal.segmentStarts[1];
    if (secondStart === undefined) return 'done';
    const receiptedLsn = this.#releasableLsn();
    const isDropping = secondStart > receiptedLsn + 1 && this.#mayDrop(secondStart - 1);
    const unneededLsn = isDropping ? secondStart - 1 : receiptedLsn;
    if (secondStart > unneededLsn + 1) return 'done';
    const needsRoom = journal.fillRatio >= FULL_RATIO;
    const through = needsRoom
      ? unneededLsn
      : Math.min(unneededLsn, sessions.pinnedLsn - 1, this.#options.lostLsn() - 1);
    if (secondStart > through + 1) return 'done';
    if (!(await this.#isNoted())) return 'done';
    const folded = await settleStore();
    const hashed = await flushLedger();
    const gathered = await settleAssets();
    const free = Math.min(through, folded, hashed, gathered);
    if (needsRoom) this.#cutSessions(free);
    const summedUp = await sessions.sumUp();
    const settled = Math.min(free, summedUp, sessions.pinnedLsn - 1);
    const release = (): boolean => this.#release(settled);
    if (!isDropping) release();
    else if (settled === through && (await this.#options.droppable?.giveUp(settled, release)))
      return 'dropped';
    return 'done';
  }

  /** Takes from those who are away what keeps the journal from being less than half full, if nothing else holds it back. */
  #cutSessions(freeLsn: Lsn): void {
    const { journal, sessions } = this.#options;
    const { segmentStarts, fillRatio } = journal;
    const wanted = 1 + Math.floor((fillRatio - FULL_RATIO) / (fillRatio / segmentStarts.length));
    const ends = segmentStarts.slice(1, 1 + wanted).map((start) => start - 1);
    const last = ends.findLast((lsn) => lsn <= freeLsn);
    if (last !== undefined) sessions.cutThrough(last);
  }

  /** True where the journal has let go of something. */
  #release(throughLsn: Lsn): boolean {
    const { journal, log, onReleased } = this.#options;
    const { firstLsn } = journal;
    const first = journal.release(throughLsn);
    if (first <= firstLsn) return false;
    log.info('journal.released', { firstLsn: first, entries: first - firstLsn });
    onReleased?.(firstLsn, first - 1);
    return true;
  }

  /** True where a segment is held back by nothing but what may be dropped. */
  #mayDrop(throughLsn: Lsn): boolean {
    const { droppable, journal } = this.#options;
    if (droppable === undefined || journal.fillRatio < DROP_RATIO) return false;
    return droppable.othersReceiptedLsn() >= throughLsn;
  }

  async #isNoted(): Promise<boolean> {
    const { journal, door, keepProgress } = this.#options;
    try {
      // On a full disk the note waits for room, which may never come.
      const noted = journal.whenDurable(door.noteProgress()).then(() => true);
      return await Promise.race([noted, this.#stopped.then(() => false)]);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      if (error.code === 'journal.busy') return false; // The card is behind, and others are held back for it already.
      if (!FULL_CODES.has(error.code)) throw error;
      return keepProgress();
    }
  }

  #releasableLsn(): Lsn {
    const { journal, receiptedLsn } = this.#options;
    if (receiptedLsn !== undefined) return Math.min(receiptedLsn(), journal.durableLsn);
    return (this.#ages.newestOld() ?? journal.firstLsn) - 1;
  }
}
