/** Decisions and estimates as lines of the sync log: names instead of numbers, no more digits than mean something. */
import { isoTime, wallMsOfIso } from '../../base/iso-time.ts';
import { CLASSES, type ClassName, CLASS_NAMES, perClass } from '../../model/class.ts';
import type { Backlog } from '../backlog.ts';
import type { Decision } from '../govern/decision.ts';
import { isLinkKind, LINK_COSTS, type PastSession } from '../govern/energy.ts';
import type { SyncLogEntry, SyncLogLine } from './sync-log.ts';

type Facts = Omit<SyncLogEntry, 'event'>;

export function decisionFacts(decision: Decision): Facts {
  const deferred: Partial<Record<ClassName, { reason: string; until?: string }>> = {};
  for (const { class: opClass, reason, untilMs } of decision.deferred) {
    deferred[CLASS_NAMES[opClass]] =
      untilMs === undefined ? { reason } : { reason, until: isoTime(untilMs) };
  }
  return {
    state: decision.state,
    allowed: decision.allowed.map((opClass) => CLASS_NAMES[opClass]),
    deferred,
    why: decision.why,
    numbers: rounded(decision.numbers),
  };
}

export function backlogFacts(backlog: Backlog): NonNullable<SyncLogEntry['backlog']> {
  const waiting: Partial<Record<ClassName, { ops: number; bytes: number; oldestS: number }>> = {};
  for (const opClass of CLASSES) {
    const { ops, bytes, oldestMs } = backlog[opClass];
    if (ops === 0) continue;
    waiting[CLASS_NAMES[opClass]] = { ops, bytes, oldestS: Math.round(oldestMs / 1_000) };
  }
  return waiting;
}

/** Wh of each class that took any, and what the session drew. */
export function energyFacts(
  byClass: PastSession['byClass'],
  drawnWh: number | undefined,
): Pick<SyncLogEntry, 'whByClass' | 'measuredWh'> {
  const taken = CLASSES.filter((opClass) => byClass[opClass] > 0);
  const rows = taken.map((opClass) => [CLASS_NAMES[opClass], byClass[opClass]] as const);
  const measured = drawnWh === undefined ? {} : { measuredWh: drawnWh };
  return { whByClass: Object.fromEntries(rows), ...measured };
}

/** Sessions as their last lines tell of them. */
export function pastSessions(lines: readonly SyncLogLine[]): PastSession[] {
  return lines
    .filter(({ event }) => event === 'session.close')
    .map(({ at, energyWh, whByClass, measuredWh, bytes }) => ({
      atMs: wallMsOfIso(at) ?? 0,
      energyWh: numberOr0(energyWh),
      byClass: perClass((opClass) => numberOr0(whByClass?.[CLASS_NAMES[opClass]])),
      drawnWh: measuredWh === undefined ? undefined : numberOr0(measuredWh),
      linkBytes: numberOr0(bytes),
    }));
}

/** The last line of a session that the hub's own end cut short, by what the log tells of it; undefined where there is none. */
export function cutSession(lines: readonly SyncLogLine[]): SyncLogEntry | undefined {
  const last = lines.findLastIndex(({ event }) => /^session\.(open|close)$/.test(event));
  const opened = lines[last];
  if (opened?.event !== 'session.open') return undefined;
  const sent = lines.slice(last).filter(({ event }) => event === 'batch.sent');
  const whByClass: Partial<Record<ClassName, number>> = {};
  for (const name of CLASS_NAMES) {
    const wh = sumOf(sent.map((line) => line.whByClass?.[name]));
    if (wh > 0) whByClass[name] = wh;
  }
  const { link = '' } = opened;
  const opener = CLASS_NAMES.find((name) => whByClass[name] !== undefined) ?? 'command';
  const openingWh = isLinkKind(link) ? LINK_COSTS[link].sessionWh : 0;
  whByClass[opener] = (whByClass[opener] ?? 0) + openingWh;
  return {
    event: 'session.close',
    link,
    bytes: sumOf(sent.map((line) => line.bytes)),
    energyWh: sumOf(Object.values(whByClass)),
    whByClass,
    why: 'the hub ended in its midst: what had gone until then',
  };
}

function sumOf(values: readonly unknown[]): number {
  return values.reduce<number>((sum, value) => sum + numberOr0(value), 0);
}

function numberOr0(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** Two digits behind the point; of what is less than a tenth, two that mean something: a session may cost a milliwatt-hour. */
export function rounded<T extends object>(facts: T): T {
  const entries = Object.entries(facts).map(([key, value]: [string, unknown]) => [
    key,
    typeof value === 'number' ? figure(value) : value,
  ]);
  return Object.fromEntries(entries) as T;
}

function figure(value: number): number {
  return Math.abs(value) < 0.1 ? Number(value.toPrecision(2)) : Math.round(value * 100) / 100;
}
