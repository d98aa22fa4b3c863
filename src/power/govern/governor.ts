/**
 * The governor: what may travel now, as a pure function of what is known (estimate, backlog, link, budget)
 * and of its own memory. The laws that its tests hold it to: the state never flaps (power-state.ts); more
 * charge never permits less, but for the last call before a class is paused (permission.ts); a higher class
 * never waits behind a lower one; nothing goes in shutdown.
 */
import type { Budget } from '../forecast/budget.ts';
import { CLASSES, type OpClass, perClass } from '../../model/class.ts';
import type { Backlog } from '../backlog.ts';
import type { Decision, Deferral, Permission } from './decision.ts';
import { deferralOf, type Level, levelText } from './deferral.ts';
import type { LinkCost } from './energy.ts';
import type { BatteryEstimate } from '../estimate/estimator.ts';
import { momentText, sentenceOf } from './explain.ts';
import { nextRatioOf, patienceMs, permissionFor, type Situation } from './permission.ts';
import {
  FIRST_STATE,
  levelOf,
  nextState,
  restartLevelOf,
  type StateMemory,
} from './power-state.ts';
import type { PowerThresholds, Thresholds } from './thresholds.ts';

export interface GovernorInput {
  /** Monotonic. */
  readonly nowMs: number;
  readonly wallMs: number;
  readonly estimate: BatteryEstimate;
  readonly backlog: Backlog;
  readonly link: LinkCost;
  readonly thresholds: PowerThresholds;
  readonly deadlinesMs: Readonly<Record<OpClass, number>>;
  /** What the sun allows (planner.ts); without it levels alone decide. */
  readonly budget?: Budget | undefined;
  /** Until when somebody on site asked for everything to go (monotonic). */
  readonly byHandUntilMs?: number | undefined;
  /** Part of the month's bytes on this link that is used up. */
  readonly quotaUsedRatio?: number | undefined;
  readonly quotaBytesMax?: number | undefined;
  /** Hours and minutes for people. */
  readonly timeOf: (wallMs: number) => string;
}

export interface GovernorMemory {
  readonly power: StateMemory;
}

export const FIRST_MEMORY: GovernorMemory = { power: FIRST_STATE };

export interface Verdict {
  readonly decision: Decision;
  readonly memory: GovernorMemory;
}

/** One tick: the state moves on, then decides. */
export function govern(input: GovernorInput, memory: GovernorMemory = FIRST_MEMORY): Verdict {
  const { estimate, thresholds, nowMs } = input;
  const moved = { power: nextState(memory.power, estimate, thresholds, nowMs) };
  return { decision: decide(input, moved), memory: moved };
}

/** The decision of the present state on another backlog, without moving the state. */
export function decide(input: GovernorInput, memory: GovernorMemory): Decision {
  const level = judgedLevel(input, memory);
  const situation = situationOf(input, memory, level);
  const permissions = perClass((opClass) => permissionFor(opClass, situation));
  const lowest = CLASSES.findLast((it) => mayOpen(it, permissions[it], input.backlog, situation));
  // What opens for a class opens for every class above it: nothing waits behind something lesser.
  const allowed = CLASSES.filter(
    (opClass) => lowest !== undefined && opClass <= lowest && permissions[opClass] !== 'no',
  );
  const about = { ...situation, level, wallMs: input.wallMs };
  const deferred = CLASSES.filter(
    (opClass) => input.backlog[opClass].ops > 0 && !allowed.includes(opClass),
  ).map((opClass) =>
    deferralOf(opClass, permissions[opClass], input.backlog[opClass].oldestMs, about),
  );
  const backAt = backAtMs(situation, input.wallMs);
  const going = allowed.filter((it) => it <= 1 || input.backlog[it].ops > 0);
  return {
    at: input.wallMs,
    state: situation.state,
    permissions,
    allowed,
    riding: CLASSES.filter((opClass) => permissions[opClass] !== 'no'),
    deferred,
    why: whyOf(situation, going, deferred, level, input),
    // From then on until the shutdown ends: what is left starts the hub again when the sun is back.
    readyToPowerOff: situation.state === 'shutdown' && memory.power.drained,
    ...(backAt === undefined ? {} : { backAtMs: backAt }),
    numbers: numbersOf(input, level),
  };
}

function whyOf(
  situation: Situation,
  going: readonly OpClass[],
  deferred: readonly Deferral[],
  level: Level | undefined,
  { byHandUntilMs, nowMs, wallMs, timeOf }: GovernorInput,
): string {
  const momentOf = (untilMs: number): string => momentText(untilMs, wallMs, timeOf);
  const { state, byHand } = situation;
  const rule = byHand && state !== 'shutdown' ? 'by hand' : state;
  const why = sentenceOf(rule, going, deferred, levelText(level), momentOf);
  if (!byHand || byHandUntilMs === undefined) return why;
  return `sent by hand until ${momentOf(wallMs + byHandUntilMs - nowMs)}: ${why}`;
}

/** In shutdown, when the sun has probably filled the battery to the restart level. */
function backAtMs({ state, budget, thresholds }: Situation, wallMs: number): number | undefined {
  if (state !== 'shutdown') return undefined;
  const inMs = budget?.risesTo(thresholds.shutdown.resume);
  return inMs === undefined ? undefined : wallMs + inMs;
}

/** Whether the oldest op of a class has waited long enough to open a session for it. */
function mayOpen(
  opClass: OpClass,
  permission: Permission,
  backlog: Backlog,
  situation: Situation,
): boolean {
  const patience = patienceMs(opClass, permission, situation);
  if (permission === 'now' && patience === 0) return true;
  const { ops, oldestMs } = backlog[opClass];
  return ops > 0 && oldestMs >= patience;
}

function judgedLevel(input: GovernorInput, { power }: GovernorMemory): Level | undefined {
  const value = levelOf(power);
  const { unit } = power;
  if (value === undefined || unit === undefined) return undefined;
  return { value, unit, thresholds: effective(input.thresholds[unit], power) };
}

/** With the restart level that holds for the shutdown that is on. */
function effective(thresholds: Thresholds, power: StateMemory): Thresholds {
  if (power.state !== 'shutdown') return thresholds;
  const resume = restartLevelOf(power, thresholds);
  return { ...thresholds, shutdown: { ...thresholds.shutdown, resume } };
}

function situationOf(
  input: GovernorInput,
  { power }: GovernorMemory,
  level: Level | undefined,
): Situation {
  return {
    state: power.state,
    link: input.link,
    deadlinesMs: input.deadlinesMs,
    mains: input.estimate.mains,
    budget: input.budget,
    socPct: level?.unit === 'percent' ? level.value : undefined,
    thresholds: effective(input.thresholds.percent, power),
    byHand: input.byHandUntilMs !== undefined && input.nowMs < input.byHandUntilMs,
    quotaUsedRatio: input.quotaUsedRatio ?? 0,
    quotaNextRatio: nextRatioOf(input.backlog, input.quotaBytesMax),
  };
}

function numbersOf(
  { link, budget }: GovernorInput,
  level: Level | undefined,
): Record<string, number> {
  const levels =
    level === undefined
      ? {}
      : {
          level: level.value,
          bulkPause: level.thresholds.bulk.pause,
          bulkResume: level.thresholds.bulk.resume,
          telemetryPause: level.thresholds.telemetry.pause,
          telemetryResume: level.thresholds.telemetry.resume,
          alarmsStop: level.thresholds.alarmsStop,
        };
  const planned =
    budget === undefined
      ? {}
      : {
          recordWh: budget.recordWh,
          bulkWh: budget.bulkWh,
          spillWh: budget.spillWh,
          lowestPct: budget.lowestPct,
          ...(budget.fullInMs === undefined ? {} : { fullInH: budget.fullInMs / 3_600_000 }),
        };
  return { sessionWh: link.sessionWh, ...levels, ...planned };
}
