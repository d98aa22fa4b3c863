/**
 * The governor against plain policies, on the same weather and the same load: a site of minutes, not of real
 * programs (the pilot runs those). Answers in seconds whether a change of the policy is one for the better.
 *
 * What is measured: time without power, ops that came late (born while the site had power; what never came is late), Wh
 * spent on the radio. Alarms open a session at once under `hourly`.
 */
import { SeededRandom } from '../../platform/sim/random.ts';
import { SimSite } from '../../platform/sim/site.ts';
import type { Sky } from '../../platform/sim/sky.ts';
import { CLASSES, type OpClass, perClass } from '../../model/class.ts';
import { type Backlog, DEADLINES_MS } from '../../power/backlog.ts';
import {
  LINK_COSTS,
  type LinkKind,
  sessionEnergyWh,
  transferEnergyWh,
} from '../../power/govern/energy.ts';
import type { BatteryEstimate } from '../../power/estimate/estimator.ts';
import { FIRST_MEMORY, govern } from '../../power/govern/governor.ts';
import { FIRST_STATE } from '../../power/govern/power-state.ts';
import { Planner } from '../../power/forecast/planner.ts';
import { type PowerThresholds, thresholdsFor } from '../../power/govern/thresholds.ts';
import { Oracle } from '../judging/oracle.ts';

/**
 * `deadlines` knows no battery and sends only what would come late: nothing that keeps the deadlines has fewer sessions.
 * `oracle` knows the weather to come (oracle.ts).
 */
export const POLICIES = [
  'never',
  'hourly',
  'threshold',
  'charging',
  'always-on',
  'deadlines',
  'oracle',
  'heliograph',
] as const;
export type Policy = (typeof POLICIES)[number];

export interface SitePreset {
  readonly name: string;
  readonly panelWatts: number;
  readonly capacityWh: number;
  readonly baseWatts: number;
  readonly link: LinkKind;
  /** How long a session keeps the link up. */
  readonly sessionMinutes: number;
  /** Percent below which even alarms stop; the default of the chemistry where absent. */
  readonly alarmsStopPct?: number;
}

/**
 * Percent at which alarms stop, above the battery's own cut-off at ten: a quarter of an hour of the site, which is the minutes of
 * a session of a satellite terminal, time to stop in order, and what a gauge is wrong by. The session's own energy lies above it.
 * Records stop two sessions above it (govern/permission.ts), there at eleven.
 */
const ALARMS_STOP_PCT = 10.3;
/**
 * The same where a session costs the site less than a minute: time to stop in order, five minutes. A dull day may hold a
 * battery just above its cut-off for hours; what those hours bring would wait behind a reserve that no session could touch.
 */
const ALARMS_STOP_CHEAP_PCT = 10.1;

export const SMALL_SATELLITE: SitePreset = {
  name: 'small satellite',
  panelWatts: 30,
  capacityWh: 256,
  baseWatts: 3.2,
  link: 'satellite',
  sessionMinutes: 3,
  alarmsStopPct: ALARMS_STOP_PCT,
};
export const SMALL_LTE: SitePreset = {
  ...SMALL_SATELLITE,
  name: 'LTE',
  link: 'cellular',
  sessionMinutes: 1,
  alarmsStopPct: ALARMS_STOP_CHEAP_PCT,
};
export const SMALL_WIFI: SitePreset = {
  ...SMALL_SATELLITE,
  name: 'Wi-Fi',
  link: 'wifi',
  sessionMinutes: 1,
  alarmsStopPct: ALARMS_STOP_CHEAP_PCT,
};

export const PRESETS: Readonly<Record<string, SitePreset>> = {
  satellite: SMALL_SATELLITE,
  lte: SMALL_LTE,
  wifi: SMALL_WIFI,
};

export function presetThresholds({ alarmsStopPct }: SitePreset): PowerThresholds {
  return thresholdsFor('lifepo4', 12, { alarmsStopPct });
}

export interface Evaluation {
  readonly policy: Policy;
  readonly downRatio: number;
  /** Ops, by class: made while the site had power. */
  readonly born: Readonly<Record<OpClass, number>>;
  /** Late over born, by class. */
  readonly lateRatio: Readonly<Record<OpClass, number>>;
  readonly radioWhPerDay: number;
  readonly sessionsPerDay: number;
  readonly meanHours: Readonly<Record<OpClass, number>>;
}

export interface EvaluationOptions {
  readonly preset: SitePreset;
  readonly policy: Policy;
  readonly sky: Sky;
  readonly place: { latitude: number; longitude: number };
  readonly startMs: number;
  readonly days: number;
  readonly seed: number;
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
/** What `deadlines` keeps in hand for the session itself. */
const DUE_MS = 10 * MINUTE_MS;
/** Every policy decides this often: finer costs time and changes nothing. */
const DECIDE_MINUTES = 3;
/** Ops a day and bytes of one on the way: 50 devices, two phones, a camera. */
const LOAD: Readonly<Record<OpClass, readonly [opsPerDay: number, bytes: number]>> = {
  0: [1, 200],
  1: [1, 200],
  2: [60, 300],
  3: [14_400, 12],
  4: [6, 20_000],
  5: [1, 2_000_000],
  6: [0, 0],
};

interface Cohort {
  readonly bornMinute: number;
  readonly ops: number;
  readonly bytes: number;
}

class Ledger {
  readonly #queues = perClass<Cohort[]>(() => []);
  readonly #waiting = perClass(() => ({ ops: 0, bytes: 0 }));
  readonly born = perClass(() => 0);
  readonly late = perClass(() => 0);
  readonly waitedMinutes = perClass(() => 0);
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed).fork('load');
  }

  /** Rolls the same dice whatever the policy, and whether or not the site is up. */
  bear(minute: number, on: boolean): void {
    for (const opClass of CLASSES) {
      const [perDay, bytes] = LOAD[opClass];
      const expected = perDay / DAY_MINUTES;
      const whole = Math.floor(expected);
      const ops = whole + (this.#random.fraction() < expected - whole ? 1 : 0);
      if (ops === 0 || !on) continue;
      this.#queues[opClass].push({ bornMinute: minute, ops, bytes: ops * bytes });
      this.#waiting[opClass].ops += ops;
      this.#waiting[opClass].bytes += ops * bytes;
      this.born[opClass] += ops;
    }
  }

  backlog(minute: number): Backlog {
    return perClass((opClass) => {
      const oldest = this.#queues[opClass][0];
      const oldestMs = oldest === undefined ? 0 : (minute - oldest.bornMinute) * MINUTE_MS;
      return { ...this.#waiting[opClass], oldestMs };
    });
  }

  deliver(classes: readonly OpClass[], minute: number): number {
    let bytes = 0;
    for (const opClass of classes) {
      this.#waiting[opClass] = { ops: 0, bytes: 0 };
      for (const cohort of this.#queues[opClass].splice(0)) {
        bytes += cohort.bytes;
        this.#settle(opClass, cohort, minute);
      }
    }
    return bytes;
  }

  /** What never came is late where its deadline has passed; the youngest do not count. */
  close(minute: number): void {
    for (const opClass of CLASSES) {
      for (const cohort of this.#queues[opClass]) {
        const ageMs = (minute - cohort.bornMinute) * MINUTE_MS;
        if (ageMs > DEADLINES_MS[opClass]) this.late[opClass] += cohort.ops;
      }
    }
  }

  #settle(opClass: OpClass, cohort: Cohort, minute: number): void {
    const minutes = minute - cohort.bornMinute;
    this.waitedMinutes[opClass] += minutes * cohort.ops;
    if (minutes * MINUTE_MS > DEADLINES_MS[opClass]) this.late[opClass] += cohort.ops;
  }
}

type Choose = (
  minute: number,
  site: SimSite,
  backlog: Backlog,
  sessionOpen: boolean,
) => readonly OpClass[];

/** Classes that a session opened now would carry; empty: no session. */
function chooserOf(options: EvaluationOptions): Choose {
  const all = CLASSES;
  const waits = (backlog: Backlog): boolean => CLASSES.some((it) => backlog[it].ops > 0);
  const urgent = (backlog: Backlog): boolean => backlog[0].ops > 0 || backlog[1].ops > 0;
  if (options.policy === 'never') return () => [];
  if (options.policy === 'always-on') return () => all;
  if (options.policy === 'deadlines') {
    const isDue = (backlog: Backlog): boolean =>
      CLASSES.some((it) => backlog[it].oldestMs >= DEADLINES_MS[it] - DUE_MS);
    return (_m, _s, backlog) => (urgent(backlog) || isDue(backlog) ? all : []);
  }
  if (options.policy === 'oracle') return oracleOf(options);
  if (options.policy === 'hourly') {
    return (minute, _s, backlog) =>
      urgent(backlog) || (minute % 60 === 0 && waits(backlog)) ? all : [];
  }
  if (options.policy === 'charging') {
    return (minute, site, backlog) => {
      const { pvWatts, loadWatts } = site.measure();
      const due = urgent(backlog) || (minute % 60 === 0 && waits(backlog));
      return pvWatts > loadWatts && due ? all : [];
    };
  }
  if (options.policy === 'threshold') {
    let open = true;
    return (minute, site, backlog) => {
      if (site.socRatio < 0.4) open = false;
      if (site.socRatio >= 0.5) open = true;
      const due = urgent(backlog) || (minute % 60 === 0 && waits(backlog));
      return open && due ? all : [];
    };
  }
  return heliographOf(options);
}

/** By minute: Wh in the battery, Wh spilt because it was full, and whether the site had power. */
export interface Course {
  readonly storedWh: readonly number[];
  readonly spiltWh: readonly number[];
  readonly isOn: readonly boolean[];
}

/** The same weather and load without any sync. */
export function undisturbedCourse(options: Omit<EvaluationOptions, 'policy'>): Course {
  const { preset, startMs, days } = options;
  const site = siteOf(options);
  const storedWh: number[] = [];
  const spiltWh: number[] = [];
  const isOn: boolean[] = [];
  for (let minute = 0; minute < days * DAY_MINUTES; minute++) {
    const before = site.totals.curtailedWh;
    site.advance(startMs + minute * MINUTE_MS);
    storedWh.push(site.socRatio * preset.capacityWh);
    spiltWh.push(site.totals.curtailedWh - before);
    isOn.push(site.on);
  }
  return { storedWh, spiltWh, isOn };
}

/** Knows what will come. */
function oracleOf(options: EvaluationOptions): Choose {
  const { preset } = options;
  const { storedWh, spiltWh } = undisturbedCourse(options);
  const { capacityWh } = preset;
  const reserveWh = (presetThresholds(preset).percent.alarmsStop / 100) * capacityWh;
  const { sessionWh } = LINK_COSTS[preset.link];
  const oracle = new Oracle({ storedWh, spiltWh, reserveWh, sessionWh });
  return (minute, real, backlog) => oracle.choose(minute, real.socRatio * capacityWh, backlog);
}

function heliographOf({ preset, place, startMs, seed }: EvaluationOptions): Choose {
  const thresholds = presetThresholds(preset);
  const solarSite = { ...place, panelWatts: preset.panelWatts, baseLoadWatts: preset.baseWatts };
  const planner = new Planner(solarSite, preset.capacityWh, thresholds.percent);
  const noise = new SeededRandom(seed).fork('sensor');
  let memory = FIRST_MEMORY;
  let lastMinute = 0;
  return (minute, site, backlog, sessionOpen) => {
    const nowMs = minute * MINUTE_MS;
    const wasOff = minute - lastMinute > DECIDE_MINUTES;
    // A hub that boots knows what it saved, like the real one.
    if (wasOff) memory = { power: { ...FIRST_STATE, known: memory.power.known } };
    lastMinute = minute;
    const wallMs = startMs + nowMs;
    const measured = site.measure();
    const estimate: BatteryEstimate = {
      socPct: Math.round(1_000 * measured.socRatio + 4 * (noise.fraction() - 0.5)) / 10,
      socErrPct: 3,
      socOrigin: 'source',
      batteryV: measured.batteryVolts,
      pvW: measured.pvWatts,
      loadW: measured.loadWatts,
      curtailed: measured.curtailed,
      mains: false,
      source: 'simulated',
      ageS: 0,
      readingAtMs: nowMs,
      suspects: [],
    };
    const budget = planner.plan({ nowMs, wallMs, dateTrusted: true, estimate, sessionOpen });
    const link = LINK_COSTS[preset.link];
    const input = {
      nowMs,
      wallMs,
      estimate,
      backlog,
      link,
      thresholds,
      budget,
      deadlinesMs: DEADLINES_MS,
    };
    const verdict = govern({ ...input, timeOf: String }, memory);
    memory = verdict.memory;
    const opens = verdict.decision.allowed.some((opClass) => backlog[opClass].ops > 0);
    return opens ? verdict.decision.riding : [];
  };
}

/** The battery's own guard switches the site off, and on again. */
export const CUT_OFF_RATIO = 0.1;
const RESTART_RATIO = 0.25;

/** The site of a preset under a sky, nothing sent. */
export function siteOf({
  preset,
  sky,
  startMs,
}: Pick<EvaluationOptions, 'preset' | 'sky' | 'startMs'>): SimSite {
  const { panelWatts, capacityWh, baseWatts } = preset;
  return new SimSite(
    {
      sky,
      panelWatts,
      capacityWh,
      nominalVolts: 12,
      baseWatts,
      radioWatts: 0,
      startRatio: 0.7,
      cutOffRatio: CUT_OFF_RATIO,
      restartRatio: RESTART_RATIO,
    },
    startMs,
  );
}

export function evaluate(options: EvaluationOptions): Evaluation {
  const { preset, policy, startMs, days } = options;
  const link = LINK_COSTS[preset.link];
  const site = siteOf(options);
  const ledger = new Ledger(options.seed);
  const choose = chooserOf(options);
  let session: { endsMinute: number; classes: readonly OpClass[] } | undefined;
  let radioWh = 0;
  let sessions = 0;
  const minutes = days * DAY_MINUTES;
  const isAlwaysOn = policy === 'always-on';
  for (let minute = 0; minute < minutes; minute++) {
    site.advance(startMs + minute * MINUTE_MS);
    if (!site.on) session = undefined;
    ledger.bear(minute, site.on);
    if (isAlwaysOn && site.on) {
      const wh = link.idleWatts / 60 + transferEnergyWh(link, ledger.deliver(CLASSES, minute));
      site.spend(wh);
      radioWh += wh;
      continue;
    }
    if (session !== undefined && minute >= session.endsMinute) {
      const bytes = ledger.deliver(session.classes, minute);
      const wh = sessionEnergyWh(link, bytes) - link.sessionWh;
      site.spend(wh);
      radioWh += wh;
      session = undefined;
    }
    if (!site.on || minute % DECIDE_MINUTES !== 0) continue;
    const classes = choose(minute, site, ledger.backlog(minute), session !== undefined);
    if (session !== undefined || classes.length === 0) continue;
    session = { endsMinute: minute + preset.sessionMinutes, classes };
    sessions += 1;
    radioWh += link.sessionWh;
    site.spend(link.sessionWh);
  }
  ledger.close(minutes);
  return {
    policy,
    downRatio: site.totals.downMs / (minutes * MINUTE_MS),
    born: ledger.born,
    lateRatio: perClass((it) => ledger.late[it] / Math.max(1, ledger.born[it])),
    radioWhPerDay: radioWh / days,
    sessionsPerDay: sessions / days,
    meanHours: perClass((it) => ledger.waitedMinutes[it] / 60 / Math.max(1, ledger.born[it])),
  };
}
