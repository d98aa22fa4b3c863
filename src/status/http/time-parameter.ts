/** Moments in questions: `?since=2026-03-01T06:10:00Z`, or how long ago by this node's clock, `?since=2h`. */
import { durationMs } from '../../base/duration.ts';
import { wallMsOfIso } from '../../base/iso-time.ts';
import { problem } from './problem.ts';

/** Milliseconds since 1970; undefined where the question names none, or the answer to one that cannot be read. */
export function timeIn(
  { searchParams }: URL,
  name: string,
  nowMs: number,
): number | undefined | Response {
  const text = searchParams.get(name);
  if (text === null) return undefined;
  const agoMs = /[smhd]$/.test(text) ? durationMs(text) : undefined;
  const malformed = `${name} is an RFC 3339 time such as 2026-03-01T06:10:00Z, or an age such as 2h.`;
  return (agoMs === undefined ? wallMsOfIso(text) : nowMs - agoMs) ?? problem(400, malformed);
}
