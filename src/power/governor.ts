/**
 * The governor: what may travel now, as a pure function of what is known (estimate, backlog, link, budget)
 * and of its own memory. The laws that its tests hold it to: the state never flaps (power-state.ts); more
 * charge never allows less; a higher class never waits behind a lower one; nothing goes in shutdown.
 */
import { type Backlog, CLASSES, type OpClass, perClass } from './class.ts';
import type { Decision, Deferral, DeferralCode, Permission, PowerState } from './decision.ts';
import type { LinkCost } from './energy.ts';
import type { BatteryEstimate } from './estimator.ts';
import { sentenceOf } from './explain.ts';
import { gatherMs, PERMISSIONS, urgentMs } from './permission.ts';
import { FIRST_STATE, levelOf, nextState, type StateMemory } from './power-state.ts';
import type { PowerThresholds } from './thresholds.ts';

export interface GovernorInput {
  /** Monotonic. */
  readonly nowMs: number;
  readonly wallMs: number;
  readonly estimate: BatteryEstimate;
  readonly backlog: Backlog;
  readonly link: LinkCost;
  readonly thresholds: PowerThresholds;
  readonly deadlinesMs: Readonly<Record<OpClass, number>>;
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
  const { state } = memory.power;
  const permissions = perClass((opClass) => PERMISSIONS[state][opClass]);
  const opens = perClass((opClass) => mayOpen(opClass, permissions[opClass], input));
  const lowest = CLASSES.findLast((opClass) => opens[opClass]);
  // What opens for a class opens for every class above it: nothing waits behind something lesser.
  const allowed = CLASSES.filter(
    (opClass) => lowest !== undefined && opClass <= lowest && permissions[opClass] !== 'no',
  );
  const deferred = CLASSES.filter(
    (opClass) => input.backlog[opClass].ops > 0 && !allowed.includes(opClass),
  ).map((opClass) => deferralOf(opClass, permissions[opClass], input, memory));
  const waitingOrUrgent = allowed.filter((it) => it <= 1 || input.backlog[it].ops > 0);
  return {
    at: input.wallMs,
    state,
    permissions,
    allowed,
    riding: CLASSES.filter((opClass) => permissions[opClass] !== 'no'),
    deferred,
    why: sentenceOf(state, waitingOrUrgent, deferred, levelText(memory), input.timeOf),
    numbers: numbersOf(input, memory),
  };
}

/** Whether the oldest op of a class has waited long enough to open a session for it. */
function mayOpen(opClass: OpClass, permission: Permission, input: GovernorInput): boolean {
  if (permission === 'now') return true;
  if (permission !== 'budget' && permission !== 'deadline') return false;
  const { ops, oldestMs } = input.backlog[opClass];
  return ops > 0 && oldestMs >= patienceMs(opClass, permission, input);
}

function patienceMs(opClass: OpClass, permission: Permission, input: GovernorInput): number {
  const urgent = urgentMs(opClass, input.deadlinesMs);
  return permission === 'budget' ? Math.min(urgent, gatherMs(opClass, input.link.kind)) : urgent;
}

function deferralOf(
  opClass: OpClass,
  permission: Permission,
  input: GovernorInput,
  memory: GovernorMemory,
): Deferral {
  const { state } = memory.power;
  const deferral = (code: DeferralCode, reason: string): Deferral => ({
    class: opClass,
    code,
    reason,
  });
  if (permission === 'budget' || permission === 'deadline') {
    const waitMs = patienceMs(opClass, permission, input) - input.backlog[opClass].oldestMs;
    const reason =
      permission === 'budget'
        ? `gathering, as opening ${input.link.kind} costs ${input.link.sessionWh} Wh`
        : `${batteryReason(state, opClass, input, memory)}, sent before they are late`;
    return { ...deferral(permission, reason), untilMs: input.wallMs + Math.max(0, waitMs) };
  }
  if (state === 'unknown') return deferral('unknown-power', 'no fresh reading of the battery');
  if (permission === 'ride' && opClass === 6) return deferral('ride', 'goes with the next session');
  if (state === 'shutdown') {
    return deferral('shutdown', batteryReason(state, opClass, input, memory));
  }
  const code = permission === 'ride' ? 'ride' : 'battery';
  return deferral(code, batteryReason(state, opClass, input, memory));
}

/** "battery 41 % below 55 %": the level, and the one at which the class goes again. */
function batteryReason(
  state: PowerState,
  opClass: OpClass,
  input: GovernorInput,
  memory: GovernorMemory,
): string {
  const level = levelText(memory);
  const { unit } = memory.power;
  if (level === undefined || unit === undefined) return 'the battery is not known';
  const { bulk, telemetry, shutdown } = input.thresholds[unit];
  const saving = state === 'saver' || opClass >= 4;
  const resume =
    state === 'shutdown' && opClass <= 1
      ? shutdown.resume
      : saving
        ? bulk.resume
        : telemetry.resume;
  return `${level} below ${inUnit(resume, unit)}`;
}

function levelText(memory: GovernorMemory): string | undefined {
  const level = levelOf(memory.power);
  const { unit } = memory.power;
  return level === undefined || unit === undefined ? undefined : `battery ${inUnit(level, unit)}`;
}

function inUnit(level: number, unit: 'percent' | 'volts'): string {
  return unit === 'percent' ? `${level.toFixed(0)} %` : `${level.toFixed(1)} V`;
}

function numbersOf(input: GovernorInput, memory: GovernorMemory): Record<string, number> {
  const { unit } = memory.power;
  const level = levelOf(memory.power);
  const numbers: Record<string, number> = { sessionWh: input.link.sessionWh };
  if (unit === undefined || level === undefined) return numbers;
  const { bulk, telemetry, alarmsStop } = input.thresholds[unit];
  return {
    ...numbers,
    level,
    bulkPause: bulk.pause,
    bulkResume: bulk.resume,
    telemetryPause: telemetry.pause,
    telemetryResume: telemetry.resume,
    alarmsStop,
  };
}
