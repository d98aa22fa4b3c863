/**
 * The power brain as one running thing: sources feed the estimator, a tick every ten seconds moves the
 * governor, changes go to the power-aware sync log. Everything that thinks is pure and lives elsewhere;
 * here are only the clock, the order of things and the latest values. A tick takes well under 5 ms.
 */
import type { Cancel, Clock, Timers } from '../base/clock.ts';
import { FAULTS, type FaultCode } from '../base/errors.ts';
import { isoTime } from '../base/iso-time.ts';
import type { Log } from '../base/log.ts';
import {
  type Backlog,
  CLASSES,
  type ClassName,
  classNameOf,
  DEADLINES_MS,
  EMPTY_BACKLOG,
  type OpClass,
} from './class.ts';
import { type Decision, decisionKey, type PowerState } from './decision.ts';
import { EnergyAccount, type EnergyTotals, LINK_COSTS, type LinkKind } from './energy.ts';
import { type BatteryEstimate, Estimator } from './estimator.ts';
import {
  decide,
  FIRST_MEMORY,
  govern,
  type GovernorInput,
  type GovernorMemory,
} from './governor.ts';
import { mergeReadings, type Reading } from './reading.ts';
import type { PowerSource } from './sources/source.ts';
import type { SyncLogEntry, SyncLogLine } from './sync-log.ts';
import { type Chemistry, type PowerThresholds, thresholdsFor } from './thresholds.ts';

export interface PowerConfig {
  readonly chemistry: Chemistry;
  readonly nominalVolts: number;
  readonly capacityWh: number;
  /** Instead of the chemistry's own. */
  readonly thresholds?: PowerThresholds;
  readonly deadlinesMs?: Readonly<Record<OpClass, number>>;
}

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

export interface PowerFault {
  readonly code: FaultCode;
  readonly hint: string;
  readonly message: string;
  /** Wall clock. */
  readonly sinceMs: number;
}

interface SourceState {
  readonly source: PowerSource;
  reading: Reading | undefined;
  lostSince: { wallMs: number; reason: string } | undefined;
}

const TICK_MS = 10_000;

export class PowerMonitor {
  readonly #options: PowerMonitorOptions;
  readonly #thresholds: PowerThresholds;
  readonly #estimator: Estimator;
  readonly #sources: readonly SourceState[];
  readonly #energy = new EnergyAccount();
  readonly #listeners = new Set<(decision: Decision) => void>();
  #memory: GovernorMemory = FIRST_MEMORY;
  #decision: Decision;
  #cancelTick: Cancel;

  private constructor(options: PowerMonitorOptions) {
    const { config, sources, timers } = options;
    this.#options = options;
    this.#thresholds = config.thresholds ?? thresholdsFor(config.chemistry, config.nominalVolts);
    const names = sources.map((source) => source.name);
    this.#estimator = new Estimator(config, names);
    this.#sources = sources.map((source) => ({
      source,
      reading: undefined,
      lostSince: undefined,
    }));
    this.#sources.forEach((state, index) => this.#startSource(state, index));
    this.#decision = decide(this.#input(), this.#memory);
    this.#tick();
    // Set after the sources' own timers: of two that are due together, a reading comes before its tick.
    this.#cancelTick = timers.every(TICK_MS, () => this.#tick());
  }

  /** Starts the sources and decides for the first time; throws nothing that a missing battery could cause. */
  static open(options: PowerMonitorOptions): PowerMonitor {
    return new PowerMonitor(options);
  }

  /** The newest of every field that any source told within a minute. */
  reading(): Reading {
    const readings = this.#sources.map((state) => state.reading).filter((it) => it !== undefined);
    return mergeReadings(readings, this.#options.clock.monotonicMs());
  }

  estimate(): PowerEstimate {
    const {
      socOrigin: _origin,
      mains: _mains,
      readingAtMs: _at,
      suspects: _suspects,
      batteryW: _w,
      ...shown
    } = this.#estimateNow();
    return { state: this.#decision.state, ...shown };
  }

  /** The battery with everything that is known of it, for `power probe` and the page's details. */
  detail(): BatteryEstimate {
    return this.#estimateNow();
  }

  /** The decision of the last tick. */
  decision(): Decision {
    return this.#decision;
  }

  /** The decision for a backlog as it is now; the state itself moves by ticks only. */
  decide(backlog: Backlog): Decision {
    return decide(this.#input(backlog), this.#memory);
  }

  /** Hears every decision that differs from the one before. */
  onDecision(listener: (decision: Decision) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Writes a line of the sync log with what the battery is at this moment: session events of the uplink. */
  append(entry: SyncLogEntry): SyncLogLine | undefined {
    return this.#options.syncLog?.append({ ...this.#facts(), ...entry });
  }

  /** Books a finished session; returns its estimated Wh. */
  sessionClosed(link: LinkKind, bytesByClass: Partial<Record<OpClass, number>>): number {
    const wallMs = this.#options.clock.wallMs();
    return this.#energy.book(LINK_COSTS[link], bytesByClass, wallMs).energyWh;
  }

  energy(): { readonly today: EnergyTotals; readonly total: EnergyTotals } {
    return {
      today: this.#energy.today(this.#options.clock.wallMs()),
      total: this.#energy.total,
    };
  }

  faults(): PowerFault[] {
    return this.#sources.flatMap(({ source, lostSince }) => {
      if (lostSince === undefined) return [];
      const code = 'power.source-lost';
      const message = `${source.name}: ${lostSince.reason}`;
      return [{ code, hint: FAULTS[code], message, sinceMs: lostSince.wallMs }];
    });
  }

  close(): void {
    this.#cancelTick();
    for (const { source } of this.#sources) source.stop();
    this.#listeners.clear();
  }

  #startSource(state: SourceState, index: number): void {
    const { log, clock } = this.#options;
    const { source } = state;
    source.start(
      (reading) => {
        if (state.reading === undefined || state.lostSince !== undefined) {
          log.info('power.source-found', { source: source.name });
        }
        state.lostSince = undefined;
        state.reading =
          state.reading === undefined
            ? reading
            : mergeReadings([state.reading, reading], reading.atMs);
        this.#estimator.accept(index, reading);
      },
      (reason) => {
        // What `auto` merely looked for and never found is no fault.
        if (source.optional === true && state.reading === undefined) return;
        state.lostSince = { wallMs: clock.wallMs(), reason };
        log.warn('power.source-lost', { source: source.name, reason });
      },
    );
  }

  #tick(): void {
    const verdict = govern(this.#input(), this.#memory);
    const before = this.#decision;
    this.#memory = verdict.memory;
    this.#decision = verdict.decision;
    if (decisionKey(before) === decisionKey(verdict.decision)) return;
    const event = before.state === verdict.decision.state ? 'decision' : 'state';
    this.#options.syncLog?.append({ event, ...this.#facts(), ...linesOf(verdict.decision) });
    for (const listener of this.#listeners) listener(verdict.decision);
  }

  #input(backlog: Backlog = this.#options.backlog?.() ?? EMPTY_BACKLOG): GovernorInput {
    const { clock, config, link, timeOf } = this.#options;
    return {
      nowMs: clock.monotonicMs(),
      wallMs: clock.wallMs(),
      estimate: this.#estimateNow(),
      backlog,
      link: LINK_COSTS[link?.() ?? 'cellular'],
      thresholds: this.#thresholds,
      deadlinesMs: config.deadlinesMs ?? DEADLINES_MS,
      timeOf: timeOf ?? utcTime,
    };
  }

  #estimateNow(): BatteryEstimate {
    return this.#estimator.estimate(this.#options.clock.monotonicMs());
  }

  #facts(): Omit<SyncLogEntry, 'event'> {
    const { ageS: _age, source: _source, ...facts } = this.estimate();
    const backlog = this.#options.backlog?.() ?? EMPTY_BACKLOG;
    return {
      ...rounded(facts),
      backlog: backlogLines(backlog),
      link: this.#options.link?.() ?? 'cellular',
    };
  }
}

function utcTime(wallMs: number): string {
  return `${isoTime(wallMs).slice(11, 16)} UTC`;
}

function linesOf(decision: Decision): Omit<SyncLogEntry, 'event'> {
  const deferred = decision.deferred.map(({ class: opClass, reason, untilMs }) => [
    classNameOf(opClass),
    untilMs === undefined ? { reason } : { reason, until: isoTime(untilMs) },
  ]);
  return {
    state: decision.state,
    allowed: decision.allowed.map(classNameOf),
    deferred: Object.fromEntries(deferred) as NonNullable<SyncLogEntry['deferred']>,
    why: decision.why,
    numbers: decision.numbers,
  };
}

function backlogLines(backlog: Backlog): NonNullable<SyncLogEntry['backlog']> {
  const waiting: Partial<Record<ClassName, { ops: number; bytes: number; oldestS: number }>> = {};
  for (const opClass of CLASSES) {
    const { ops, bytes, oldestMs } = backlog[opClass];
    if (ops > 0)
      waiting[classNameOf(opClass)] = { ops, bytes, oldestS: Math.round(oldestMs / 1_000) };
  }
  return waiting;
}

/** Two digits behind the point: more would be noise in the log. */
function rounded<T extends object>(facts: T): T {
  const entries = Object.entries(facts).map(([key, value]) => [
    key,
    typeof value === 'number' ? Math.round(value * 100) / 100 : (value as unknown),
  ]);
  return Object.fromEntries(entries) as T;
}
