/**
 * The hubs of all sites as the regional node knows them: from when they were last heard, and from the lines of
 * their power-aware logs, which come up as ops of class `log`. What a hub says is as old as its last line: every
 * figure here carries that time, by the hub's own clock.
 */
import { wallMsOfIso } from '../../base/iso-time.ts';

/** A hub as the fleet page shows it; what nobody told is null. */
export interface FleetHub {
  readonly site: string;
  readonly hub: string;
  /** Program version, from its hello. */
  readonly software: string | null;
  /** By the regional node's clock; since the start of the node. */
  readonly heardAt: string | null;
  /** Of its newest line, by its own clock. */
  readonly saidAt: string | null;
  readonly clock: string | null;
  readonly state: string | null;
  readonly socPct: number | null;
  readonly backlog: { readonly ops: number; readonly bytes: number; readonly oldestS: number };
  /** Sentence of the newest decision. */
  readonly why: string | null;
  /** Why batches of it were put aside here and not stored: a forked history, a law, what the database does not take. */
  readonly parked: readonly string[];
  /** Why it sends nothing here until somebody puts it right: its jurisdiction, or a key that the region lacks. */
  readonly hindrance: string | null;
  /** Why it does not take what goes down to it. */
  readonly refusal: string | null;
  /** Sentences of faults in the last day of its log, newest first. */
  readonly faults: readonly string[];
}

/** What a hub itself has said, in its log. */
export type FleetWord = Pick<
  FleetHub,
  'saidAt' | 'clock' | 'state' | 'socPct' | 'backlog' | 'why' | 'faults'
>;

/** A line as it came; any hub's version may send more, or less. */
export type FleetLine = Readonly<Record<string, unknown>>;

const FAULTS_SHOWN_MAX = 5;
const DAY_MS = 86_400_000;

/** `lines`: oldest first. */
export function fleetWordOf(lines: readonly FleetLine[]): FleetWord {
  const newest = lines.at(-1) ?? {};
  const decision = lines.findLast(({ event }) => event === 'decision' || event === 'state') ?? {};
  const saidAt = textOr(newest['at']);
  return {
    saidAt,
    clock: textOr(newest['clock']),
    state: textOr(newest['state']),
    socPct: numberOr(newest['socPct']),
    backlog: backlogOf(newest['backlog']),
    why: textOr(decision['why']),
    faults: faultsOf(lines, saidAt),
  };
}

function faultsOf(lines: readonly FleetLine[], saidAt: string | null): string[] {
  const sinceMs = (wallMsOfIso(saidAt ?? '') ?? 0) - DAY_MS;
  const sentences = lines
    .filter(({ event, at }) => event === 'fault' && (wallMsOfIso(textOr(at) ?? '') ?? 0) >= sinceMs)
    .map(({ why }) => textOr(why) ?? 'a fault without a word');
  return [...new Set(sentences.toReversed())].slice(0, FAULTS_SHOWN_MAX);
}

/** All classes together, the log left out: it always waits for company. */
function backlogOf(value: unknown): FleetHub['backlog'] {
  const sum = { ops: 0, bytes: 0, oldestS: 0 };
  if (typeof value !== 'object' || value === null) return sum;
  for (const [name, waiting] of Object.entries(value as Record<string, unknown>)) {
    if (name === 'log' || typeof waiting !== 'object' || waiting === null) continue;
    const { ops, bytes, oldestS } = waiting as Record<string, unknown>;
    sum.ops += numberOr(ops) ?? 0;
    sum.bytes += numberOr(bytes) ?? 0;
    sum.oldestS = Math.max(sum.oldestS, numberOr(oldestS) ?? 0);
  }
  return sum;
}

function textOr(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function numberOr(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
