/** Moments in questions: `?since=2026-03-01T06:10:00Z`. */
import { wallMsOfIso } from '../../base/iso-time.ts';
import { problem } from './problem.ts';

/** Milliseconds since 1970; undefined where the question names none, or the answer to one that cannot be read. */
export function timeIn({ searchParams }: URL, name: string): number | undefined | Response {
  const text = searchParams.get(name);
  if (text === null) return undefined;
  const malformed = `${name} is an RFC 3339 time such as 2026-03-01T06:10:00Z.`;
  return wallMsOfIso(text) ?? problem(400, malformed);
}
