/**
 * The power brain as one running thing: sources feed the estimator, a tick every ten seconds moves the
 * governor, changes go to the power-aware sync log. Everything that thinks is pure and lives elsewhere;
 * here are only the clock, the order of things and the latest values. A tick takes well under 5 ms.
 */
import type { Cancel, Clock, Timers } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { isoTime } from '../base/iso-time.ts';
import type { Log } from '../base/log.ts';
import { type Advice, adviceOf } from './govern/advice.ts';
import type { Budget } from './forecast/budget.ts';
import type { OpClass } from '../model/class.ts';
import { type Backlog, DEADLINES_MS, EMPTY_BACKLOG } from './backlog.ts';
import { type Decision, decisionKey, type PowerState } from './govern/decision.ts';
import {
  EnergyAccount,
  type EnergyTotals,
  LINK_COSTS,
  type LinkKind,
  type PastSession,
} from './govern/energy.ts';
import { type BatteryEstimate, Estimator } from './estimate/estimator.ts';
import { decide, govern, type GovernorInput, type GovernorMemory } from './govern/governor.ts';
import { backlogFacts, decisionFacts, energyFacts, rounded } from './log/log-lines.ts';
import { Planner } from './forecast/planner.ts';
import type { PowerConfig } from './power-config.ts';
import type { SourceView } from './probe.ts';
import { FaultNews, type PowerFault } from './source-faults.ts';
import { QuotaMeter, type QuotaUse } from './govern/quota.ts';
import { SessionDraw } from './estimate/session-draw.ts';
import { HeardSources } from './heard-sources.ts';
import {
  loadState,
  savedCharge,
  savedMemory,
  type SavedState,
  type StateFile,
  StateKeeper,
} from './saved-state.ts';
import type { PowerSource } from './sources/source.ts';
import type { SyncLogEntry, SyncLogLine } from './log/sync-log.ts';

export interface PowerMonitorOptions {
  /** In order of trust. */
  readonly sources: readonly PowerSource[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly config: PowerConfig;
  /** What waits for the uplink, asked at every tick. */
  readonly backlog?: () => Backlog;
  /** The link that a session would take now. */
  readonly link?: () => LinkKind;
  /** Where decisions are written; session events come in by `append`. */
  readonly syncLog?: { append(entry: SyncLogEntry): SyncLogLine };
  /** Sessions before the start: those of this day count. */
  readonly pastSessions?: readonly PastSession[];
  /** Where what was learned survives a restart; without it, it does not. */
  readonly stateFile?: StateFile;
  /** A simulated site pays for a session when it is over: its load says nothing of one. */
  readonly isSimulated?: boolean;
  /** How often the state moves and the decision is made anew. */
  readonly tickMs?: number;
  /** Hours and minutes for people; UTC where nothing else is given. */
  readonly timeOf?: (wallMs: number) => string;
}

/** Section `power` of the status page. */
export interface PowerEstimate {
  readonly state: PowerState;
  readonly socPct?: number;
  readonly socErrPct?: number;
  readonly batteryV?: number;
  readonly pvW?: number;
  readonly loadW?: number;
  readonly curtailed?: boolean;
  readonly source: string;
  readonly ageS: number;
}

const TICK_MS = 10_000;
const SAVE_MS = 3_600_000;
/** So long after a session the load is not the site's own: a modem has its tail, a meter tells the mean of its last minute. */
const TAIL_MS = 2 * 60_000;
const BY_HAND_MS_MAX = 24 * 3_600_000;

export class PowerMonitor {
  readonly #options: PowerMonitorOptions;
  readonly #estimator: Estimator;
  readonly #planner: Planner;
  readonly #quota: QuotaMeter;
  readonly #sources: HeardSources;
  readonly #energy: EnergyAccount;
  readonly #keeper: StateKeeper;
  readonly #faultNews = new FaultNews();
  readonly #listeners = new Set<(decision: Decision) => void>();
  readonly #cancels: Cancel[];
  #memory: GovernorMemory;
  #decision: Decision;
  #budget: Budget | undefined;
  #byHandUntilMs: number | undefined;
  /** Of the session that runs. */
  #draw: SessionDraw | undefined;
  #closedAtMs = -Infinity;
  /** Of the session that was booked last, for the line that tells of its end. */
  #booked: Pick<SyncLogEntry, 'whByClass' | 'measuredWh'> = {};
  /** Of the session that runs: on the month's quota already. */
  #movedBytes = 0;
  #estimated: { readonly atMs: number; readonly estimate: BatteryEstimate } | undefined;

  private constructor(options: PowerMonitorOptions) {
    const { config, sources, timers, clock, stateFile } = options;
    const saved = stateFile === undefined ? undefined : loadState(stateFile);
    const names = sources.map((source) => source.name);
    this.#options = options;
    this.#energy = new EnergyAccount(options.pastSessions);
    const charge = savedCharge(saved, clock.wallMs());
    this.#estimator = new Estimator(config.battery, names, charge, clock.monotonicMs());
    this.#planner = new Planner(
      config.site,
      config.battery.capacityWh,
      config.thresholds.percent,
      saved?.planner,
    );
    this.#memory = savedMemory(saved);
    this.#quota = new QuotaMeter(config.quotaBytes ?? {}, saved?.quota);
    this.#keeper = new StateKeeper(
      stateFile,
      () => this.#learned(),
      // A full card is the journal's fault to report; what was learned is learned again.
      (error) => options.log.warn('power.state-unsaved', { reason: messageOf(error) }),
    );
    this.#sources = new HeardSources({
      sources,
      clock,
      log: options.log,
      nominalVolts: config.battery.nominalVolts,
      suspectsOf: (index, nowMs) => this.#estimator.suspectsOf(index, nowMs),
      onReading: (index, reading) => {
        this.#estimator.accept(index, reading);
        this.#estimated = undefined;
      },
    });
    this.#decision = decide(this.#input(), this.#memory);
    this.#tick();
    // Set after the sources' own timers: of two that are due together, a reading comes before its tick.
    this.#cancels = [
      timers.every(options.tickMs ?? TICK_MS, () => this.#tick()),
      timers.every(SAVE_MS, () => void this.save()),
    ];
  }

  /** Starts the sources and decides for the first time; throws nothing that a missing battery could cause. */
  static open(options: PowerMonitorOptions): PowerMonitor {
    return new PowerMonitor(options);
  }

  estimate(): PowerEstimate {
    const {
      socOrigin: _o,
      mains: _m,
      readingAtMs: _r,
      suspects: _s,
      batteryW: _w,
      ...shown
    } = this.#estimateNow();
    return { state: this.#decision.state, ...shown };
  }

  /** Every source side by side, in order of trust. */
  probe(): SourceView[] {
    this.#sources.refresh();
    return this.#sources.views();
  }

  /** The decision of the last tick. */
  decision(): Decision {
    return this.#decision;
  }

  /** The decision for a backlog as it is now; the state itself moves by ticks only. */
  decide(backlog: Backlog): Decision {
    return decide(this.#input(backlog), this.#memory);
  }

  /** What the state means for devices and for the rest of the hub. */
  advice(): Advice {
    return adviceOf(this.#decision);
  }

  /** The plan behind the decision; undefined where charge or date are unknown. */
  budget(): Budget | undefined {
    return this.#budget;
  }

  /** Hears every decision that differs from the one before. */
  onDecision(listener: (decision: Decision) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /**
   * "Send everything now, I am on site": lets all classes go for a while, at most a day, but never in shutdown.
   * 0 ends it. Logged with who asked.
   */
  sendByHand(durationMs: number, who: string): void {
    const { clock, log } = this.#options;
    const boundedMs = Math.min(BY_HAND_MS_MAX, Math.max(0, durationMs));
    this.#byHandUntilMs = boundedMs === 0 ? undefined : clock.monotonicMs() + boundedMs;
    log.info('power.by-hand', { minutes: boundedMs / 60_000, who });
    const minutes = Math.round(boundedMs / 60_000);
    const span = minutes === 1 ? 'a minute' : `${minutes} minutes`;
    const why = minutes === 0 ? `${who} ended sending by hand` : `${who} sends for ${span}`;
    this.append({ event: 'decision', why });
    this.#tick();
  }

  /** Writes a line of the sync log with what the battery is at this moment: session events of the uplink. */
  append(entry: SyncLogEntry): SyncLogLine | undefined {
    const booked = entry.event === 'session.close' ? this.#booked : {};
    return this.#options.syncLog?.append({ ...this.#facts(), ...entry, ...booked });
  }

  /** The radio is on: the load that is measured now is not the site's own. */
  sessionOpened(): void {
    this.#draw = new SessionDraw();
    this.#movedBytes = 0;
    this.#lookAtDraw();
  }

  /** Bytes of a batch are on the month's quota at once: a hub that dies before the session ends has spent them. */
  sessionMoved(link: LinkKind, bytes: number): void {
    this.#movedBytes += bytes;
    this.#countBytes(link, bytes);
  }

  /** Books a finished session, what is left of its bytes, with all overhead, on the month's quota; returns its estimated Wh. */
  sessionClosed(
    link: LinkKind,
    bytesByClass: Partial<Record<OpClass, number>>,
    linkBytes?: number,
  ): number {
    const { clock } = this.#options;
    const wallMs = clock.wallMs();
    this.#lookAtDraw();
    const drawnWh = this.#draw?.end(clock.monotonicMs());
    this.#closedAtMs = clock.monotonicMs();
    this.#draw = undefined;
    const use = { linkBytes, drawnWh };
    const session = this.#energy.book(LINK_COSTS[link], bytesByClass, wallMs, use);
    this.#booked = energyFacts(session.byClass, drawnWh);
    this.#countBytes(link, Math.max(0, session.linkBytes - this.#movedBytes));
    this.#movedBytes = 0;
    return session.energyWh;
  }

  #lookAtDraw(): void {
    if (this.#draw === undefined) return;
    const { clock, isSimulated = false } = this.#options;
    const { loadW, readingAtMs } = this.#estimateNow();
    const measured = isSimulated ? undefined : loadW;
    this.#draw.look(clock.monotonicMs(), readingAtMs, measured, this.#planner.loadWatts);
  }

  #countBytes(link: LinkKind, bytes: number): void {
    const { clock } = this.#options;
    this.#quota.count(link, bytes, clock.wallMs(), clock.quality() !== 'unknown');
    if (this.#quota.isWorthSaving) void this.save();
  }

  /** What the sessions of this day took. */
  energyToday(): EnergyTotals {
    return this.#energy.today(this.#options.clock.wallMs());
  }

  /** The month's bytes of the link that a session would take; undefined where it has no quota. */
  quota(): QuotaUse | undefined {
    return this.#quota.use(this.#link());
  }

  faults(): PowerFault[] {
    return this.#sources.faults();
  }

  close(): void {
    for (const cancel of this.#cancels) cancel();
    this.#sources.stop();
    this.#listeners.clear();
    this.#keeper.close();
  }

  #tick(): void {
    const { clock, syncLog } = this.#options;
    const dateTrusted = clock.quality() !== 'unknown';
    this.#budget = this.#planner.plan({
      nowMs: clock.monotonicMs(),
      wallMs: clock.wallMs(),
      dateTrusted,
      estimate: this.#estimateNow(),
      sessionOpen: this.#draw !== undefined || clock.monotonicMs() - this.#closedAtMs < TAIL_MS,
    });
    this.#lookAtDraw();
    this.#sources.compare();
    for (const { message, hint } of this.#faultNews.news(this.faults(), clock.monotonicMs())) {
      this.append({ event: 'fault', why: `${message}. ${hint}` });
    }
    const before = this.#decision;
    const { memory, decision } = govern(this.#input(), this.#memory);
    this.#memory = memory;
    this.#decision = decision;
    if (decisionKey(before) === decisionKey(decision)) return;
    const event = before.state === decision.state ? 'decision' : 'state';
    syncLog?.append({ event, ...this.#facts(), ...decisionFacts(decision) });
    for (const listener of this.#listeners) listener(decision);
  }

  #input(backlog: Backlog = this.#options.backlog?.() ?? EMPTY_BACKLOG): GovernorInput {
    const { clock, config, timeOf } = this.#options;
    const wallMs = clock.wallMs();
    const link = this.#link();
    return {
      nowMs: clock.monotonicMs(),
      wallMs,
      estimate: this.#estimateNow(),
      backlog,
      link: LINK_COSTS[link],
      thresholds: config.thresholds,
      deadlinesMs: config.deadlinesMs ?? DEADLINES_MS,
      budget: this.#budget,
      byHandUntilMs: this.#byHandUntilMs,
      quotaUsedRatio: this.#quota.usedRatio(link, wallMs, clock.quality() !== 'unknown'),
      quotaBytesMax: this.#quota.use(link)?.bytesMax,
      timeOf: timeOf ?? utcTime,
    };
  }

  #link(): LinkKind {
    return this.#options.link?.() ?? 'cellular';
  }

  /** One estimate serves all who ask at the same moment. */
  #estimateNow(): BatteryEstimate {
    this.#sources.refresh();
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#estimated?.atMs !== nowMs) {
      this.#estimated = { atMs: nowMs, estimate: this.#estimator.estimate(nowMs) };
    }
    return this.#estimated.estimate;
  }

  #facts(): Omit<SyncLogEntry, 'event'> {
    const { ageS: _age, source: _source, ...facts } = this.estimate();
    const backlog = this.#options.backlog?.() ?? EMPTY_BACKLOG;
    return { ...rounded(facts), link: this.#link(), backlog: backlogFacts(backlog) };
  }

  /** Writes down what was learned; once an hour by itself. */
  save(): Promise<void> {
    return this.#keeper.save();
  }

  #learned(): SavedState {
    this.#quota.saved();
    return {
      version: 1,
      savedAtMs: this.#options.clock.wallMs(),
      planner: this.#planner.state,
      quota: this.#quota.state,
      estimator: this.#estimator.stateAt(this.#options.clock.monotonicMs()),
      known: this.#memory.power.known ?? null,
    };
  }
}

function utcTime(wallMs: number): string {
  return `${isoTime(wallMs).slice(11, 16)} UTC`;
}
