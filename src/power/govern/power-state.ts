/**
 * The state of the battery as a machine with hysteresis. It must not flap: a level is the median of five
 * minutes, a change needs three consecutive readings that agree on its direction, and a new state stays for
 * ten minutes. Only the way down to critical or shutdown waits for no dwell, and only a missing reading
 * changes the state at once, to `unknown`, which is left for critical as late as for any better state. Pure: memory in, memory out.
 *
 *            15        22   25   30        45        55        92 %  (LiFePO4)
 *  shutdown ─┤ critical ├────┼────┼─ saver ─┼─────────┼─ normal ─┼─ surplus
 *       down at 15 │ down at 22 │      down at 45     │     charge and sun, or curtailed
 *             up at 25      up at 30          up at 55
 *
 * A shutdown that ends before the site was ready to power off (10 %) ends halfway to the next pause (18.5 %): the
 * restart level is for batteries that were emptied, and waiting for it would keep alarms for hours that the sun has paid.
 * While the battery is charging, either ends a point above its begin: on a dull day the sun may lift a battery by no more
 * than that, and let it fall again; a site that was up all the time was silent for ten hours then, and for twenty where
 * the night before had just emptied the battery.
 * A hub that was off and boots has been let on by whoever guards the battery: it starts like that, too; at 25 %
 * sharp it would otherwise stay silent whenever the sun fades just then.
 */
import type { PowerState } from './decision.ts';
import type { BatteryEstimate } from '../estimate/estimator.ts';
import { type PowerThresholds, SURPLUS_PERCENT, type Thresholds } from './thresholds.ts';

export type Unit = 'percent' | 'volts';

/** Every state but `unknown`, worst first. */
const LEVELS = ['shutdown', 'critical', 'saver', 'normal', 'surplus'] as const;
export type LevelState = (typeof LEVELS)[number];

interface Sample {
  readonly atMs: number;
  readonly level: number;
  readonly rich: boolean;
  /** Undefined where no reading tells what flows. */
  readonly charging: boolean | undefined;
}

export interface StateMemory {
  readonly state: PowerState;
  /** When the state began (monotonic); −Infinity where the machine has just been made. */
  readonly sinceMs: number;
  /** The last state that was not `unknown`. */
  readonly known: LevelState | undefined;
  /** In shutdown: the battery was so low that the site might have been switched off. */
  readonly drained: boolean;
  /** Readings in a row that said so. */
  readonly drainVotes: number;
  readonly unit: Unit | undefined;
  readonly samples: readonly Sample[];
  readonly votes: readonly LevelState[];
  readonly readingAtMs: number;
}

export const FIRST_STATE: StateMemory = {
  state: 'unknown',
  sinceMs: -Infinity,
  known: undefined,
  drained: false,
  drainVotes: 0,
  unit: undefined,
  samples: [],
  votes: [],
  readingAtMs: -Infinity,
};

const MEDIAN_MS = 5 * 60_000;
const SAMPLES_MAX = 64;
const VOTES = 3;
/** In points; between volts there is always less. */
const RESTART_GAP_MAX = 3.5;
/** The same while the battery is charging, which a gauge that is wrong does not feign. */
const CHARGING_GAP = 1;
export const DWELL_MS = 10 * 60_000;

export function nextState(
  memory: StateMemory,
  estimate: BatteryEstimate,
  thresholds: PowerThresholds,
  nowMs: number,
): StateMemory {
  if (estimate.mains) return enter({ ...memory, samples: [], votes: [] }, 'normal', nowMs);
  const level = estimate.socPct ?? estimate.batteryV;
  if (level === undefined) return enter({ ...memory, samples: [], votes: [] }, 'unknown', nowMs);
  if (estimate.readingAtMs <= memory.readingAtMs) return memory;

  const unit: Unit = estimate.socPct === undefined ? 'volts' : 'percent';
  const same = unit === memory.unit;
  const rich = isRich(estimate, memory.state === 'surplus');
  const sample = { atMs: nowMs, level, rich, charging: isCharging(estimate) };
  const samples = (same ? memory.samples : [])
    .filter((it) => nowMs - it.atMs < MEDIAN_MS)
    .slice(1 - SAMPLES_MAX)
    .concat(sample);
  const judged = median(samples.map((it) => it.level));
  const vote = voteOf({ ...memory, unit, samples }, judged, thresholds[unit]);
  const votes = (same ? memory.votes : []).slice(1 - VOTES).concat(vote);
  const drainVotes = judged < thresholds[unit].shutdown.pause ? memory.drainVotes + 1 : 0;
  const drained = memory.drained || drainVotes >= VOTES;
  const heard = {
    ...memory,
    drained,
    drainVotes,
    unit,
    samples,
    votes,
    readingAtMs: estimate.readingAtMs,
  };
  const candidate = candidateOf(memory.state, votes);
  if (candidate === undefined || dwells(memory, candidate, nowMs)) return heard;
  return enter(heard, candidate, nowMs);
}

/**
 * The level at which the present shutdown ends, in the unit that it is judged by: no battery rises to it but by charging,
 * which counts where it can be seen.
 */
export function restartLevelOf(
  { unit, drained, samples }: StateMemory,
  thresholds: Thresholds,
): number {
  const showsCharging = unit === 'percent' && samples.some((it) => it.charging !== undefined);
  return restartLevel(thresholds, drained, showsCharging);
}

/** The level that the state was judged by: the median of five minutes. */
export function levelOf(memory: StateMemory): number | undefined {
  return memory.samples.length === 0 ? undefined : median(memory.samples.map((it) => it.level));
}

export function isLevelState(value: unknown): value is LevelState {
  return LEVELS.some((state) => state === value);
}

export function rankOf(state: LevelState): number {
  return LEVELS.indexOf(state);
}

function enter(memory: StateMemory, state: PowerState, nowMs: number): StateMemory {
  if (state === memory.state) return memory;
  const known = state === 'unknown' ? memory.known : state;
  const drained = memory.drained && (state === 'shutdown' || state === 'unknown');
  return { ...memory, state, known, drained, sinceMs: nowMs, votes: [] };
}

/** More than the battery can take: the panel is held back, or the battery is nearly full and the sun carries the load. */
function isRich(estimate: BatteryEstimate, already: boolean): boolean {
  if (estimate.curtailed === true) return true;
  const { socPct, pvW, loadW } = estimate;
  if (socPct === undefined || pvW === undefined) return false;
  const least = already ? SURPLUS_PERCENT.pause : SURPLUS_PERCENT.resume;
  return socPct > least && pvW > (loadW ?? 0);
}

/** More flows into the battery than out of it. A voltage would rise with that, whatever the charge. */
function isCharging({ batteryW, pvW, loadW }: BatteryEstimate): boolean | undefined {
  if (batteryW !== undefined) return batteryW > 0;
  return pvW === undefined || loadW === undefined ? undefined : pvW > loadW;
}

function most(samples: readonly Sample[], what: 'rich' | 'charging'): boolean {
  return 2 * samples.filter((it) => it[what]).length > samples.length;
}

function voteOf(memory: StateMemory, level: number, thresholds: Thresholds): LevelState {
  const base = memory.state === 'unknown' ? memory.known : memory.state;
  const charging = memory.unit === 'percent' && most(memory.samples, 'charging');
  const restart = restartLevel(thresholds, memory.drained, charging);
  const state = levelState(base, level, thresholds, restart);
  const rich = most(memory.samples, 'rich');
  return rich && rankOf(state) >= rankOf('saver') ? 'surplus' : state;
}

/** The level at which a shutdown ends: above its begin by half of what lies between, and by more than a gauge is wrong. */
function restartLevel(
  { alarmsStop, telemetry, shutdown }: Thresholds,
  drained: boolean,
  charging: boolean,
): number {
  if (drained && !charging) return shutdown.resume;
  const gapMax = charging ? CHARGING_GAP : RESTART_GAP_MAX;
  const gap = Math.min(gapMax, (telemetry.pause - alarmsStop) / 2);
  return Math.min(shutdown.resume, alarmsStop + gap);
}

/** Where a level leads from a state, surplus aside; without a state, on the cautious side of each pair. */
export function levelState(
  from: LevelState | undefined,
  level: number,
  thresholds: Thresholds,
  restart = thresholds.shutdown.resume,
): LevelState {
  const { bulk, telemetry, alarmsStop } = thresholds;
  if (level < alarmsStop) return 'shutdown';
  if (from === 'shutdown' && level < restart) return 'shutdown';
  const high = level < telemetry.pause ? 'critical' : level < bulk.pause ? 'saver' : 'normal';
  const low = level < telemetry.resume ? 'critical' : level < bulk.resume ? 'saver' : 'normal';
  if (from === undefined) return low;
  if (rankOf(from) > rankOf(high)) return high;
  return rankOf(from) < rankOf(low) ? low : from;
}

/** Where all votes agree on the direction, the nearest state that they agree on. */
function candidateOf(state: PowerState, votes: readonly LevelState[]): LevelState | undefined {
  if (votes.length < VOTES) return undefined;
  const ranks = votes.map(rankOf);
  const lowest = Math.min(...ranks);
  const highest = Math.max(...ranks);
  if (state === 'unknown') return LEVELS[lowest];
  const here = rankOf(state);
  if (lowest > here) return LEVELS[lowest];
  return highest < here ? LEVELS[highest] : undefined;
}

function dwells(memory: StateMemory, candidate: LevelState, nowMs: number): boolean {
  // Not knowing is no better than critical: a gauge that comes and goes waits here, too.
  const isDown = memory.state !== 'unknown' && rankOf(candidate) < rankOf(memory.state);
  if (candidate === 'shutdown' || (isDown && candidate === 'critical')) return false;
  return nowMs - memory.sinceMs < DWELL_MS;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}
