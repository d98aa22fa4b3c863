/**
 * What a hub did not take of what went down: a newer version wrote it, the hub is full, its rules forbid it. Each lane stays where
 * the hub stands in it, the others go on. It is offered again after ten minutes, then twice as long each time, up to a day, and one
 * lane at a time: of lanes that were refused together, all but the one that was meant get through.
 */
import { seqIn, type VersionVector } from '../../model/version-vector.ts';

export interface Refused {
  /** The hub's word. */
  readonly reason: string;
  /** How far the hub had come in the lanes that it takes no further. */
  readonly lanes: VersionVector;
  /** How often it was offered. */
  readonly tries: number;
  /** By the wall clock. */
  readonly untilMs: number;
}

const PAUSE_MS_MIN = 10 * 60_000;
const PAUSE_MS_MAX = 86_400_000;

/** The hub, which stands at `vector`, has refused a batch that `reaches` so far. */
export function refusing(
  before: Refused | undefined,
  { vector, reaches }: { readonly vector: VersionVector; readonly reaches: VersionVector },
  reason: string,
  nowMs: number,
): Refused | undefined {
  const lanes = new Map(before?.lanes);
  for (const lane of reaches.keys()) lanes.set(lane, seqIn(vector, lane));
  if (lanes.size === 0) return undefined;
  // More of what was refused a moment ago.
  if (before !== undefined && !isDue(before, nowMs)) return { ...before, lanes, reason };
  const tries = (before?.tries ?? 0) + 1;
  const pauseMs = Math.min(PAUSE_MS_MIN * 2 ** (tries - 1), PAUSE_MS_MAX);
  return { reason, lanes, tries, untilMs: nowMs + pauseMs };
}

/** Without the lanes in which the hub has moved since. */
export function stillRefused(
  refused: Refused | undefined,
  vector: VersionVector,
): Refused | undefined {
  if (refused === undefined) return undefined;
  const lanes = new Map([...refused.lanes].filter(([lane, at]) => seqIn(vector, lane) === at));
  return lanes.size === 0 ? undefined : { ...refused, lanes };
}

/** The vector by which to look for what the hub lacks: nothing is lacking in lanes that wait. */
export function passingOver(
  refused: Refused | undefined,
  vector: VersionVector,
  nowMs: number,
): VersionVector {
  if (refused === undefined) return vector;
  const { lanes, tries } = refused;
  const offered = isDue(refused, nowMs)
    ? [...lanes.keys()].toSorted()[tries % lanes.size]
    : undefined;
  const passed = new Map(vector);
  for (const lane of lanes.keys()) if (lane !== offered) passed.set(lane, Number.MAX_SAFE_INTEGER);
  return passed;
}

/** A clock that was set back makes nothing wait for longer. */
function isDue({ untilMs }: Refused, nowMs: number): boolean {
  return nowMs >= untilMs || untilMs - nowMs > PAUSE_MS_MAX;
}
