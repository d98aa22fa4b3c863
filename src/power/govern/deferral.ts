/**
 * Why a class waits, in words and with the moment at which that will probably end.
 */
import { COMMAND, LOG, type OpClass, PREVIEW } from '../../model/class.ts';
import type { Deferral, DeferralCode, Permission } from './decision.ts';
import {
  alarmsOnlyPct,
  isOverQuota,
  patienceMs,
  type Situation,
  wouldBreakReserve,
  wouldTakeFromAlarms,
} from './permission.ts';
import type { Unit } from './power-state.ts';
import type { Thresholds } from './thresholds.ts';

/** The level that the state was judged by, and the thresholds in its unit. */
export interface Level {
  readonly value: number;
  readonly unit: Unit;
  readonly thresholds: Thresholds;
}

export function deferralOf(
  opClass: OpClass,
  permission: Permission,
  oldestMs: number,
  situation: Situation & { readonly level: Level | undefined; readonly wallMs: number },
): Deferral {
  const { state, level, wallMs } = situation;
  const waits = (code: DeferralCode, reason: string, untilMs?: number): Deferral => ({
    class: opClass,
    code,
    reason,
    ...(untilMs === undefined ? {} : { untilMs }),
  });
  if (state !== 'shutdown' && wouldBreakReserve(situation)) {
    return waits('shutdown', `${levelText(level) ?? 'the battery'} is down to the reserve`);
  }
  if (isOverQuota(opClass, situation)) {
    return waits('quota', `the month's bytes on ${situation.link.kind} do not cover it`);
  }
  if (state === 'unknown' && permission !== 'deadline') {
    return waits('unknown-power', 'too few fresh readings of the battery');
  }
  if (opClass === LOG && permission === 'ride') return waits('ride', 'goes with the next session');
  const leastPct = alarmsOnlyPct(situation);
  if (permission === 'ride' && leastPct !== undefined && wouldTakeFromAlarms(situation)) {
    const known = levelText(level) ?? 'the battery';
    return waits('ride', `${known}: what is left is for alarms`, risesAt(leastPct, situation));
  }
  if (permission === 'ride' || permission === 'no') {
    const code = state === 'shutdown' ? 'shutdown' : permission === 'ride' ? 'ride' : 'battery';
    const resume = level === undefined ? undefined : resumeOf(opClass, situation, level);
    const untilMs = resume === undefined ? undefined : risesAt(resume, situation);
    return waits(code, batteryReason(level, resume), untilMs);
  }
  const waitMs = patienceMs(opClass, permission, situation) - oldestMs;
  if (!Number.isFinite(waitMs)) return waits('budget', 'the sun expected does not pay for it yet');
  const untilMs = wallMs + waitMs;
  if (permission === 'deadline') {
    return waits('deadline', 'energy is short, sent before it is late', untilMs);
  }
  const { kind, sessionWh } = situation.link;
  return waits('budget', `gathering, each ${kind} session costs ${sessionWh} Wh`, untilMs);
}

/** "battery 41 %". */
export function levelText(level: Level | undefined): string | undefined {
  return level === undefined ? undefined : `battery ${inUnit(level.value, level.unit)}`;
}

/** "battery 41 % below 55 %": the level, and the one at which the class goes again. */
function batteryReason(level: Level | undefined, resume: number | undefined): string {
  if (level === undefined || resume === undefined) return 'the battery is not known';
  return `battery ${inUnit(level.value, level.unit)} below ${inUnit(resume, level.unit)}`;
}

function resumeOf(opClass: OpClass, { state }: Situation, { thresholds }: Level): number {
  const { bulk, telemetry, shutdown } = thresholds;
  if (state === 'shutdown' && opClass <= COMMAND) return shutdown.resume;
  return opClass >= PREVIEW || state === 'saver' ? bulk.resume : telemetry.resume;
}

function risesAt(
  resume: number,
  situation: Situation & { readonly level: Level | undefined; readonly wallMs: number },
): number | undefined {
  if (situation.level?.unit !== 'percent') return undefined;
  const inMs = situation.budget?.risesTo(resume);
  return inMs === undefined ? undefined : situation.wallMs + inMs;
}

function inUnit(level: number, unit: Unit): string {
  return unit === 'percent' ? `${level.toFixed(0)} %` : `${level.toFixed(1)} V`;
}
