/**
 * `POST /api/v1/override`: "send everything now, I am on site", for a while, and its end. In mode `password`
 * for the people of the site, not for devices. The power brain still keeps the reserve: in state shutdown
 * nothing goes, whoever asks.
 */
import { isoTime } from '../../base/iso-time.ts';
import { jsonAnswer } from '../http/answers.ts';
import { problem } from '../http/problem.ts';
import type { Wish } from '../http/wish.ts';
import type { StatusSnapshot } from '../snapshot.ts';

export interface Override {
  /** By the hub's clock. */
  readonly untilMs: number;
  readonly who: string;
  /** The battery is down to the reserve: nothing goes for it at this moment. */
  readonly isHeld: boolean;
}

export interface OverrideDoor {
  /** 0 ends it. */
  begin(durationMs: number, who: string): void;
  current(): Override | undefined;
}

export const MINUTES_MAX = 24 * 60;
export const MINUTE_MS = 60_000;
const UNCLEAR = `Say for how long: {"minutes": 30}, at most ${MINUTES_MAX}; 0 ends it.`;

export function overrideAnswer(door: OverrideDoor, { body, name }: Wish): Response {
  const { minutes } = body;
  if (!isSpan(minutes)) return problem(400, UNCLEAR);
  door.begin(minutes * MINUTE_MS, name ?? 'somebody on site');
  return jsonAnswer({ override: overrideJson(door.current()) });
}

/** Whether an override may be asked for so many minutes. */
export function isSpan(minutes: unknown): minutes is number {
  return typeof minutes === 'number' && minutes >= 0 && minutes <= MINUTES_MAX;
}

export function overrideJson(current: Override | undefined): StatusSnapshot['power']['override'] {
  if (current === undefined) return null;
  const { untilMs, who, isHeld } = current;
  return { until: isoTime(untilMs), who, held: isHeld };
}
