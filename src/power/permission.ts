/**
 * What each state lets through (POWER.md §2, as a table), and how long a class waits for company before a
 * session is opened for it: opening costs more than bytes.
 */
import { DEADLINES_MS, type OpClass } from './class.ts';
import type { Permission, PowerState } from './decision.ts';
import type { LinkKind } from './energy.ts';

type Row = readonly [
  alarm: Permission,
  command: Permission,
  record: Permission,
  telemetry: Permission,
  preview: Permission,
  bulk: Permission,
  log: Permission,
];

export const PERMISSIONS: Readonly<Record<PowerState, Row>> = {
  surplus: ['now', 'now', 'now', 'now', 'now', 'now', 'ride'],
  normal: ['now', 'now', 'budget', 'budget', 'budget', 'budget', 'ride'],
  saver: ['now', 'now', 'deadline', 'deadline', 'ride', 'no', 'ride'],
  critical: ['now', 'now', 'ride', 'no', 'no', 'no', 'no'],
  shutdown: ['no', 'no', 'no', 'no', 'no', 'no', 'no'],
  unknown: ['now', 'now', 'deadline', 'ride', 'no', 'no', 'no'],
};

const MINUTE_MS = 60_000;

/** How long ops of a class gather when energy is not short, over a cellular link. */
const GATHER_MS: Readonly<Record<OpClass, number>> = {
  0: 0,
  1: 0,
  2: 10 * MINUTE_MS,
  3: 20 * MINUTE_MS,
  4: 30 * MINUTE_MS,
  5: 60 * MINUTE_MS,
  6: Infinity,
};

/** Gathering in proportion to what opening the link costs. */
const GATHER_FACTOR: Readonly<Record<LinkKind, number>> = {
  ethernet: 0.02,
  wifi: 0.1,
  cellular: 1,
  satellite: 6,
  carried: 0,
};

/** A deadline is near when this part of it is left, or twenty minutes where that is more. */
const DEADLINE_MARGIN_RATIO = 0.1;
const DEADLINE_MARGIN_MS = 20 * MINUTE_MS;

/** Age at which the oldest op of a class opens a session when energy is not short. */
export function gatherMs(opClass: OpClass, link: LinkKind): number {
  return Math.min(GATHER_MS[opClass] * GATHER_FACTOR[link], urgentMs(opClass, DEADLINES_MS));
}

/** Age at which the deadline of the oldest op is near. */
export function urgentMs(opClass: OpClass, deadlinesMs: Readonly<Record<OpClass, number>>): number {
  const deadlineMs = deadlinesMs[opClass];
  return Math.max(0, deadlineMs - Math.max(DEADLINE_MARGIN_RATIO * deadlineMs, DEADLINE_MARGIN_MS));
}
