/**
 * `GET /api/v1/holes`: what this hub lacks, as it was told or as its journal is damaged, and `POST /api/v1/holes/close`: nobody has it any more, says a person,
 * because the hub that had it is lost for good, or the card has lost it before anybody had it. Then nobody is asked for it, and nobody is warned. Should it come all the
 * same, it is taken: closing loses nothing.
 */
import { jsonAnswer } from '../http/answers.ts';
import { problem } from '../http/problem.ts';
import type { Wish } from '../http/wish.ts';

export interface HoleRow {
  readonly origin: string;
  readonly class: string;
  readonly from: number;
  readonly to: number;
  /** Whose ops they are; null where another hub told, or the journal is damaged. */
  readonly device: string | null;
  /** ISO; null where the journal is damaged there. */
  readonly since: string | null;
  readonly closed: boolean;
}

export interface HoleDoor {
  list(): readonly HoleRow[];
  /** The journal is still looked through: there may be more. */
  isLooking(): boolean;
  /** Closes the open ones of an origin, or all; how many ops they lack, and damaged ranges of which nobody knows what they held. */
  close(origin: string | undefined, who: string): { readonly ops: number; readonly ranges: number };
}

const WORDS = {
  looking:
    'Nothing of it is known yet: the journal is still being looked through. Ask again when `heliograph holes list` says no more that it is.',
  none: 'There is no such hole, or it is closed already.',
  unclear: 'Say which: {"origin": "a1b2c3d4e5f60718"} or {"all": true}.',
};

export function holesAnswer(door: HoleDoor): Response {
  return jsonAnswer({ holes: door.list(), searching: door.isLooking() });
}

export function closeHolesAnswer(door: HoleDoor, { body, name }: Wish): Response {
  const { origin, all } = body;
  if (typeof origin !== 'string' && all !== true) return problem(400, WORDS.unclear);
  const meant = typeof origin === 'string' ? origin : undefined;
  const { ops, ranges } = door.close(meant, name ?? 'somebody on site');
  if (ops + ranges === 0) return problem(409, door.isLooking() ? WORDS.looking : WORDS.none);
  return jsonAnswer({ ops, ranges });
}
