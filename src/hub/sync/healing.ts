/**
 * Damage within acknowledged data, mended: looks through the journal for what its lanes lack since a range was
 * quarantined, names it to the region within the sessions that power allows (BATCH.md §12), and to peers; and says of
 * a range that it is healed when nothing of it is missing any more.
 *
 * What comes back are ops. Entries that never travel (subscriptions, retained messages, progress) and lines of the sync log
 * are lost with the range; the broker's own rules make good for the first (broker/sessions/SESSIONS.md).
 *
 * Where the last ops of somebody else's lane were damaged, nothing behind them tells that they are missing. So beyond the end of each such
 * lane as many are asked for as there were entries, and no range is healed before the region has said that it has none of them.
 *
 * A lane may have numbers for which nothing stands: where its last ops may have been damaged, the door passes over as many as
 * there were entries. They are believed to be nothing only where the range was receipted when its damage was met,
 * which is written down then, and the region has everything from there on. Whatever cannot be told for certain stays open.
 */
import { linesOf, utf8 } from '../../base/bytes.ts';
import type { Cancel, Clock, Timers } from '../../base/clock.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Heals } from '../../batch/wire/down-messages.ts';
import { canonicalRanges, type LaneRange } from '../../batch/ranges.ts';
import type { Door } from '../../ingest/door/door.ts';
import { findHoles, type Hole, opsIn } from '../../ingest/door/hole-book.ts';
import type { JournalPort, Lsn } from '../../ingest/journal-port.ts';
import type { Journal, JournalStat } from '../../journal/journal.ts';
import type { QuarantinedRange } from '../../journal/recovery/quarantine.ts';
import { LOG } from '../../model/class.ts';
import { type Lane, laneOf, type Origin, splitLane } from '../../model/origin.ts';
import type { Files } from '../../platform/files/files.ts';
import type { HealingPort } from '../../uplink/session/downlink.ts';

interface HealingOptions {
  readonly journal: Pick<
    Journal,
    'firstLsn' | 'lastLsn' | 'onQuarantine' | 'heal' | 'whenDurable'
  > &
    Pick<JournalPort, 'cursor'> & { stat(): Pick<JournalStat, 'quarantined'> };
  readonly door: Pick<Door, 'vector' | 'holes'>;
  readonly hub: Origin;
  /** Every op at or below is stored at the region; undefined: there is none. */
  readonly receiptedLsn: () => Lsn | undefined;
  readonly files: Pick<Files, 'read' | 'replace' | 'makeDir'>;
  /** Folder of the list of damaged ranges. */
  readonly dir: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

interface HealingStatus {
  /** Numbers that lanes lack; some of them may never have stood for an op. */
  readonly lackedOps: number;
  /** What the region has said last: nothing yet, that it has some of them, that it has none. */
  readonly region: 'unasked' | 'gives' | 'has-none';
}

/** A scrub that finds damage finds more of it within moments. */
const SEARCH_DELAY_MS = 2_000;
const SEARCH_AGAIN_MS = 60_000;
const LOOK_MS = 10_000;
/** After something has come, there may be more. */
const MORE_MS = 5_000;
/** A region that had nothing may have been brought back from a backup meanwhile. */
const AGAIN_MS = 86_400_000;

export class Healing implements HealingPort {
  readonly #options: HealingOptions;
  readonly #path: string;
  /** Ranges whose damage was met, and whether everything in them was receipted then. */
  readonly #wasReceipted: Map<string, boolean>;
  readonly #listeners: (() => void)[] = [];
  /** Lanes of others beyond whose end the region has nothing. */
  readonly #ended = new Set<Lane>();
  #searching: Promise<void> | undefined;
  #hasSearched = false;
  /** Damage was met, and what it took is not known yet. */
  #isLooking = false;
  /** It was met after the last search had begun. */
  #isNew = false;
  #cancelSearch: Cancel | undefined;
  readonly #cancelLook: Cancel;
  #region: HealingStatus['region'] = 'unasked';
  #dueMs = Infinity;

  constructor(options: HealingOptions) {
    this.#options = options;
    this.#path = `${options.dir}/damaged-ranges`;
    this.#wasReceipted = readRanges(options.files.read(this.#path));
    this.#cancelLook = options.timers.every(LOOK_MS, () => this.#look());
  }

  /** To be called when receipts are known, and before anything new is sealed or receipted. */
  begin(): void {
    const { journal, door } = this.#options;
    journal.onQuarantine(() => this.#met());
    door.holes.onTold(() => this.#lackToldOf());
    if (door.holes.open().length > 0) this.#lackToldOf();
    if (journal.stat().quarantined.length > 0) this.#met();
  }

  /** Called where a search has found that something is missing. */
  onLack(listener: () => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#cancelSearch?.();
    this.#cancelLook();
  }

  /** Whether more may be missing than is known: a search through the journal is not over. */
  get isLooking(): boolean {
    return this.#isLooking;
  }

  lacks(): readonly LaneRange[] {
    const ranges = this.#options.door.holes.open().map(({ lane, from, to }) => {
      return { ...splitLane(lane), from, to };
    });
    return canonicalRanges([...ranges, ...this.#ends()]);
  }

  get isDue(): boolean {
    return this.#options.clock.monotonicMs() >= this.#dueMs && this.lacks().length > 0;
  }

  /**
   * The journal is to be kept from here on, as long as the region may give back what is missing: once its neighbours are
   * let go of, nobody can tell any more what it was.
   */
  get pinnedLsn(): Lsn {
    const { journal, receiptedLsn } = this.#options;
    if (receiptedLsn() === undefined || this.#region === 'has-none') return Infinity;
    const lost = journal.stat().quarantined.filter(({ fromLsn }) => fromLsn >= journal.firstLsn);
    return Math.min(Infinity, ...lost.map(({ fromLsn }) => fromLsn));
  }

  status(): HealingStatus {
    return { lackedOps: opsIn(this.#options.door.holes.open()), region: this.#region };
  }

  /**
   * A person says of what nobody can tell any more what it was, because the journal has let go of what lay around it, that
   * nobody will bring it back; how many ranges. What is still told by its neighbours is closed as a hole, and ends by itself.
   */
  giveUp(): number {
    const { journal } = this.#options;
    const lost = journal.stat().quarantined.filter(({ fromLsn }) => fromLsn < journal.firstLsn);
    if (lost.length > 0) void this.#heal(lost);
    this.#look();
    return lost.length;
  }

  told(asked: readonly LaneRange[], heals: Heals | undefined): void {
    const { log, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const hasNone = heals === undefined || heals.ops === 0;
    this.#region = hasNone ? 'has-none' : 'gives';
    if (hasNone) {
      for (const { origin, class: opClass } of asked) this.#ended.add(laneOf(origin, opClass));
    }
    this.#dueMs = nowMs + (this.#ends().length > 0 ? MORE_MS : AGAIN_MS);
    const ranges = asked.length;
    log.info('journal.healing', { ranges, ...(heals ?? { means: 'the region cannot mend yet' }) });
    if (heals?.ops === 0) this.#dropNothings(asked, heals.wholeFromLsn);
  }

  /** Ops of the region are durable. */
  came(): void {
    if (this.#region === 'unasked') return;
    this.#dueMs = this.#options.clock.monotonicMs() + MORE_MS;
    this.#look();
  }

  /** Looks through the journal; one search at a time. Devices are served meanwhile. */
  search(): Promise<void> {
    this.#searching ??= this.#search().finally(() => (this.#searching = undefined));
    return this.#searching;
  }

  async #search(): Promise<void> {
    const { journal, door, timers, log, clock } = this.#options;
    this.#isNew = false;
    try {
      const vector = door.vector();
      await journal.whenDurable(journal.lastLsn);
      await findHoles(journal, vector, door.holes, timers);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      log.warn('journal.holes-unknown', { reason: error.message });
      this.#searchIn(SEARCH_AGAIN_MS);
      return;
    }
    this.#hasSearched = true;
    this.#isLooking = this.#isNew;
    this.#region = 'unasked';
    const { lackedOps } = this.status();
    if (lackedOps > 0) {
      log.warn('journal.holes', { holes: door.holes.list().length, ops: lackedOps });
    }
    if (this.lacks().length > 0) {
      this.#dueMs = clock.monotonicMs();
      for (const listener of this.#listeners) listener();
    }
    this.#look();
  }

  /** What may have been lost at the ends of lanes of others. */
  #ends(): LaneRange[] {
    const { journal, door, hub, receiptedLsn } = this.#options;
    if (receiptedLsn() === undefined || !this.#hasSearched) return [];
    let lost = 0;
    for (const { fromLsn, toLsn } of journal.stat().quarantined) {
      if (fromLsn >= journal.firstLsn) lost += toLsn - fromLsn + 1;
    }
    if (lost === 0) return [];
    return [...door.vector()].flatMap(([lane, seq]) => {
      const { origin, class: opClass } = splitLane(lane);
      if (origin === hub || opClass === LOG || this.#ended.has(lane)) return [];
      return [{ origin, class: opClass, from: seq + 1, to: seq + lost }];
    });
  }

  /** Somebody else may have what a device or a peer says is missing here. */
  #lackToldOf(): void {
    this.#region = 'unasked';
    this.#dueMs = this.#options.clock.monotonicMs();
    for (const listener of this.#listeners) listener();
  }

  #met(): void {
    const { journal, receiptedLsn } = this.#options;
    const receipted = receiptedLsn();
    let isNew = false;
    for (const range of journal.stat().quarantined) {
      // Without an uplink nobody knows; and nothing is receipted until a start that has one.
      if (receipted === undefined || this.#wasReceipted.has(nameOf(range))) continue;
      this.#wasReceipted.set(nameOf(range), range.toLsn <= receipted);
      isNew = true;
    }
    if (isNew) this.#save();
    this.#ended.clear();
    this.#isLooking = this.#isNew = true;
    this.#searchIn(SEARCH_DELAY_MS);
  }

  #searchIn(delayMs: number): void {
    this.#cancelSearch?.();
    const search = async (): Promise<void> => {
      await this.#searching;
      return this.search();
    };
    this.#cancelSearch = this.#options.timers.after(delayMs, () => void search());
  }

  /** Numbers of which the region knows that nothing stands for them. */
  #dropNothings(asked: readonly LaneRange[], wholeFromLsn: Lsn): void {
    const { journal, door, receiptedLsn } = this.#options;
    const receipted = receiptedLsn() ?? 0;
    const isKnownWhole = (range: QuarantinedRange): boolean =>
      this.#wasReceipted.get(nameOf(range)) === true &&
      wholeFromLsn <= range.fromLsn &&
      range.toLsn <= receipted;
    const { quarantined } = journal.stat();
    for (const hole of door.holes.list()) {
      const { origin, class: opClass } = splitLane(hole.lane);
      const isAsked = asked.some(
        (it) =>
          it.origin === origin && it.class === opClass && it.from <= hole.from && hole.to <= it.to,
      );
      const lost = quarantined.filter((range) => touches(hole, range));
      if (!isAsked || lost.length === 0 || !lost.every((range) => isKnownWhole(range))) continue;
      door.holes.drop(hole.lane, hole.from, hole.to);
    }
    this.#look();
  }

  /** Says of ranges that they are healed. */
  #look(): void {
    const { journal, door } = this.#options;
    // Of damage that was just met, no hole says yet that something is missing.
    if (!this.#hasSearched || this.#isLooking || this.#searching !== undefined) return;
    const { quarantined } = journal.stat();
    if (quarantined.length === 0) return;
    if (door.holes.hasMore) {
      if (!door.holes.list().some(({ between }) => between !== undefined)) void this.search();
      return;
    }
    if (this.#ends().length > 0) return;
    const holes = door.holes.list();
    // Of what the journal has let go of around it, nobody can say that nothing is missing.
    const kept = quarantined.filter(({ fromLsn }) => fromLsn >= journal.firstLsn);
    const mended = kept.filter((range) => !holes.some((hole) => touches(hole, range)));
    if (mended.length > 0) void this.#heal(mended);
  }

  async #heal(ranges: readonly QuarantinedRange[]): Promise<void> {
    const { journal, log } = this.#options;
    try {
      await journal.whenDurable(journal.lastLsn);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      log.warn('journal.not-healed', { reason: error.message });
      return;
    }
    for (const range of ranges) {
      if (!journal.stat().quarantined.includes(range)) continue;
      journal.heal(range);
      this.#wasReceipted.delete(nameOf(range));
    }
    this.#save();
  }

  #save(): void {
    const { files, dir, log } = this.#options;
    const lines = [...this.#wasReceipted].map(([name, was]) => `${name} ${was ? WAS : WAS_NOT}\n`);
    try {
      files.makeDir(dir);
      files.replace(this.#path, utf8(lines.join('')));
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      log.warn('journal.ranges-unwritten', { file: this.#path, reason: messageOf(error) });
    }
  }
}

const WAS = 'receipted';
const WAS_NOT = 'unreceipted';
const LINE = new RegExp(`^([0-9]+-[0-9]+) (${WAS}|${WAS_NOT})$`);

/** Lines `<from>-<to> receipted`; others are passed over. */
function readRanges(bytes: Uint8Array | undefined): Map<string, boolean> {
  const found = linesOf(bytes).flatMap((line): [string, boolean][] => {
    const [, name, word] = LINE.exec(line) ?? [];
    return name === undefined ? [] : [[name, word === WAS]];
  });
  return new Map(found);
}

function nameOf({ fromLsn, toLsn }: QuarantinedRange): string {
  return `${fromLsn}-${toLsn}`;
}

/** Whether what is missing may have stood in the range. */
function touches({ between }: Hole, { fromLsn, toLsn }: QuarantinedRange): boolean {
  if (between === undefined) return false;
  const [after, before] = between;
  return after < toLsn && before > fromLsn;
}
