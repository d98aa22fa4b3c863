/**
 * What each state lets through, as a table, and how old the oldest op of a class must be
 * before a session is opened for it. Opening costs more than bytes, so a class gathers: little where
 * energy is plenty, up to its deadline where it is short.
 */
import { type Budget, isFree } from '../forecast/budget.ts';
import { CLASSES, COMMAND, LOG, type OpClass, RECORD, TELEMETRY } from '../../model/class.ts';
import type { Backlog } from '../backlog.ts';
import type { Permission, PowerState } from './decision.ts';
import type { LinkCost, LinkKind } from './energy.ts';
import type { Thresholds } from './thresholds.ts';

type Row = readonly [
  alarm: Permission,
  command: Permission,
  record: Permission,
  telemetry: Permission,
  preview: Permission,
  bulk: Permission,
  log: Permission,
];

const PERMISSIONS: Readonly<Record<PowerState, Row>> = {
  surplus: ['now', 'now', 'now', 'now', 'now', 'now', 'ride'],
  normal: ['now', 'now', 'budget', 'budget', 'budget', 'budget', 'ride'],
  saver: ['now', 'now', 'deadline', 'deadline', 'ride', 'no', 'ride'],
  critical: ['now', 'now', 'ride', 'no', 'no', 'no', 'no'],
  shutdown: ['no', 'no', 'no', 'no', 'no', 'no', 'no'],
  unknown: ['now', 'now', 'deadline', 'ride', 'no', 'no', 'no'],
};

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** How long classes gather on each link: where energy is free, and where it is merely not short. */
const GATHER_MS: Readonly<Record<LinkKind, { readonly free: number; readonly fair: number }>> = {
  ethernet: { free: 0, fair: 2_000 },
  wifi: { free: 110 * MINUTE_MS, fair: 180 * MINUTE_MS },
  cellular: { free: 110 * MINUTE_MS, fair: 180 * MINUTE_MS },
  satellite: { free: 110 * MINUTE_MS, fair: 180 * MINUTE_MS },
  carried: { free: 0, fair: 0 },
};

/** A deadline is near when so much of it is left, or twelve minutes where that is more: time for a second try, and no more. */
const URGENT_RATIO = 0.03;
const URGENT_MS = 12 * MINUTE_MS;

/**
 * So many sessions above the level at which alarms stop are for alarms and commands alone. More cannot be kept for them: on
 * the way down the site itself draws it, and what is born meanwhile waits for the sun, with no alarm sent for it.
 */
const ALARM_SESSIONS = 1;

/** Before all is paused for longer than the deadline allows, what has waited this long goes. */
const LAST_CALL_AGE_MS = 45 * MINUTE_MS;
/**
 * The same where a session takes less of the battery than its gauge can tell: what is born after the last one waits for the
 * sun, so there are several, each at half of the time that is left. A dull day may hold a battery there for hours.
 */
const CHEAP_CALL_AGE_MS = 6 * MINUTE_MS;
const UNNOTICED_RATIO = 0.001;
/**
 * The last call's distance from that level where a session takes next to nothing, and a gauge of whole percents still
 * stands above it once; else a second session's worth.
 */
const CHEAP_CALL_POINTS = 1;

export interface Situation {
  readonly state: PowerState;
  readonly link: LinkCost;
  readonly deadlinesMs: Readonly<Record<OpClass, number>>;
  readonly mains: boolean;
  readonly budget: Budget | undefined;
  /** Median charge in percent; undefined where only volts are known. */
  readonly socPct: number | undefined;
  /** In percent. */
  readonly thresholds: Thresholds;
  /** Somebody on site asked for everything to go now. */
  readonly byHand: boolean;
  /** Part of the month's bytes on this link that is used up; 0 without a quota. */
  readonly quotaUsedRatio: number;
  /** The part that the next batches of previews and bulk would take, down to a class. */
  readonly quotaNextRatio: (opClass: OpClass) => number;
}

/** What of a month's bytes previews and bulk may use up: the rest is for what matters. */
const QUOTA_LOW_RATIO = 0.8;
/** No batch is larger, whatever waits. */
const BATCH_BYTES_MAX = 4 << 20;

/** A quota is kept for what matters: a file that would go beyond its share is not begun, readings end with the quota. */
export function isOverQuota(
  opClass: OpClass,
  { quotaUsedRatio, quotaNextRatio }: Pick<Situation, 'quotaUsedRatio' | 'quotaNextRatio'>,
): boolean {
  if (opClass <= TELEMETRY) return opClass === TELEMETRY && quotaUsedRatio >= 1;
  return quotaUsedRatio + quotaNextRatio(opClass) > QUOTA_LOW_RATIO;
}

/** Previews go before bulk, so what bulk finds left is less by theirs. */
export function nextRatioOf(
  backlog: Backlog,
  quotaBytesMax: number | undefined,
): Situation['quotaNextRatio'] {
  if (quotaBytesMax === undefined) return () => 0;
  return (opClass) =>
    CLASSES.filter((it) => it > TELEMETRY && it <= opClass).reduce<number>(
      (sum, it) => sum + Math.min(backlog[it].bytes, BATCH_BYTES_MAX) / quotaBytesMax,
      0,
    );
}

/** A session now would itself take the battery below the level at which alarms stop. */
export function wouldBreakReserve(situation: Situation): boolean {
  const { budget, socPct, thresholds, link } = situation;
  if (budget === undefined || socPct === undefined) return false;
  return whAbove(thresholds.alarmsStop, socPct, budget) < link.sessionWh;
}

/**
 * Percent below which no session is opened for anything less than a command; undefined without a budget. An alarm is born
 * when it likes and is late after a quarter of an hour, so what it will need cannot be spent before on what had hours.
 */
export function alarmsOnlyPct({ thresholds, link, budget }: Situation): number | undefined {
  if (budget === undefined) return undefined;
  const sessionPct = (100 * link.sessionWh) / budget.capacityWh;
  return thresholds.alarmsStop + (ALARM_SESSIONS + 1) * sessionPct;
}

/** A session for something lesser would take what is kept for the alarms and commands to come. */
export function wouldTakeFromAlarms(situation: Situation): boolean {
  const leastPct = alarmsOnlyPct(situation);
  const { socPct } = situation;
  return leastPct !== undefined && socPct !== undefined && socPct < leastPct;
}

function whAbove(percent: number, socPct: number, { capacityWh }: Budget): number {
  return ((socPct - percent) / 100) * capacityWh;
}

/**
 * The word of the table, with five exceptions: nothing breaks the reserve; what the month's quota no longer
 * covers waits; what a person on site asks for goes; the last session is for alarms; and see `sparedPermission`.
 */
export function permissionFor(opClass: OpClass, situation: Situation): Permission {
  const { state, byHand } = situation;
  if (wouldBreakReserve(situation) || isOverQuota(opClass, situation)) return 'no';
  if (byHand && state !== 'shutdown') return opClass === LOG ? 'ride' : 'now';
  const permission = sparedPermission(opClass, situation);
  if (opClass <= COMMAND || permission === 'no') return permission;
  return wouldTakeFromAlarms(situation) ? 'ride' : permission;
}

/**
 * Records and telemetry go by deadline in state critical too, where the charge is counted and not guessed from volts:
 * what would be spent on them before the reserve is a few sessions, and to hold them back did not keep a single
 * simulated site alive for longer; it made them late.
 */
function sparedPermission(opClass: OpClass, situation: Situation): Permission {
  const permission = PERMISSIONS[situation.state][opClass];
  const spared = situation.state === 'critical' && (opClass === RECORD || opClass === TELEMETRY);
  return spared && situation.budget !== undefined ? 'deadline' : permission;
}

/** Age of the oldest op at which a class opens a session; Infinity where it never does by itself. */
export function patienceMs(opClass: OpClass, permission: Permission, situation: Situation): number {
  const { mains, link, deadlinesMs, budget, byHand } = situation;
  if (byHand && permission === 'now') return 0;
  const urgent = urgentMs(opClass, deadlinesMs);
  const { free, fair } = GATHER_MS[mains ? 'ethernet' : link.kind];
  if (permission === 'now') return opClass <= COMMAND ? 0 : Math.min(free, urgent);
  if (permission === 'deadline') {
    if (!isLastCall(opClass, situation)) return urgent;
    return Math.min(isCheap(situation) ? cheapCallAgeMs(situation) : LAST_CALL_AGE_MS, urgent);
  }
  if (permission !== 'budget') return Infinity;
  if (mains || budget === undefined) return Math.min(fair, urgent);
  if (isFree(budget, link.sessionWh)) return Math.min(free, urgent);
  return Math.min(urgent, affordableMs(opClass, budget, link.sessionWh, fair));
}

/** Age at which the deadline of the oldest op is near. */
function urgentMs(opClass: OpClass, deadlinesMs: Readonly<Record<OpClass, number>>): number {
  const deadlineMs = deadlinesMs[opClass];
  return Math.max(0, deadlineMs - Math.max(URGENT_RATIO * deadlineMs, URGENT_MS));
}

/** The headroom, less what alarms may need of it, dealt out evenly until the battery is full again. */
function affordableMs(opClass: OpClass, budget: Budget, sessionWh: number, fair: number): number {
  const headroomWh = opClass <= TELEMETRY ? budget.recordWh : budget.bulkWh;
  const spareWh = headroomWh - ALARM_SESSIONS * sessionWh;
  const sessions = Math.min(spareWh, budget.spillLowWh) / sessionWh;
  return sessions < 1 ? Infinity : Math.max(fair, budget.spanMs / sessions);
}

/** A session that nobody would miss: the last call needs no forecast to be worth it. */
function isCheap({ link, budget }: Situation): boolean {
  return link.sessionWh <= UNNOTICED_RATIO * (budget?.capacityWh ?? 0);
}

function cheapCallAgeMs({ budget, socPct, thresholds }: Situation): number {
  if (budget === undefined || socPct === undefined) return CHEAP_CALL_AGE_MS;
  const leftMs = (whAbove(thresholds.alarmsStop, socPct, budget) / budget.baseWatts) * HOUR_MS;
  return Math.max(CHEAP_CALL_AGE_MS, leftMs / 2);
}

/** Just above the level below which it is paused, on the way down, and not back in time: one session, as late as can be. */
function isLastCall(opClass: OpClass, situation: Situation): boolean {
  const { budget, socPct, thresholds, deadlinesMs, link } = situation;
  if (budget === undefined || socPct === undefined) return false;
  const { alarmsStop, shutdown } = thresholds;
  if (isCheap(situation)) return socPct <= alarmsStop + CHEAP_CALL_POINTS;
  const isNear = whAbove(alarmsStop, socPct, budget) <= (ALARM_SESSIONS + 2) * link.sessionWh;
  if (!isNear || budget.fallsTo(alarmsStop) === undefined) return false;
  const backInMs = budget.risesTo(shutdown.resume) ?? Infinity;
  return backInMs > urgentMs(opClass, deadlinesMs) - LAST_CALL_AGE_MS;
}
