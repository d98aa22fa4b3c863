/** Which ops the door takes from a peer: those that come next in their lanes, and that this version can fold. */
import { LOG } from '../../model/class.ts';
import type { Op } from '../../model/op.ts';
import { SEQ_LEAP_MAX } from '../../model/version-vector.ts';
import type { Lsn } from '../journal-port.ts';

/** What became of an op that a peer handed in; the peer may be told of it once `lsn` is durable. `gap`: ops before it are missing here. */
export type PeerVerdict =
  | { readonly kind: 'taken' | 'known'; readonly lsn: Lsn }
  | { readonly kind: 'gap' }
  | { readonly kind: 'later' | 'never'; readonly reason: string };

interface PeerOpQuestion {
  readonly op: Op;
  /** The op before it in its lane, where what lay between is lost for good. */
  readonly previous: number | undefined;
  /** How far the lane is known here. */
  readonly known: number;
  /** Whether it is missing in the midst of what is known. */
  readonly isHole: boolean;
  /** Whether its lane may be one more. */
  readonly hasRoom: boolean;
  readonly unfoldable: (op: Op) => string | undefined;
}

/** Why an op that is missing here is not taken; undefined where it may be journaled. */
export function refusePeerOp(question: PeerOpQuestion): PeerVerdict | undefined {
  const { op, previous, known, isHole, hasRoom, unfoldable } = question;
  const isNext = isHole || op.seq === known + 1 || (previous !== undefined && previous <= known);
  if (!isNext) return { kind: 'gap' };
  if (op.seq - known > SEQ_LEAP_MAX) return { kind: 'never', reason: `no number after ${known}` };
  const unknown = op.class === LOG ? 'class log stays with its hub' : unfoldable(op);
  if (unknown !== undefined) return { kind: 'never', reason: unknown };
  return hasRoom ? undefined : { kind: 'never', reason: 'too many origins on this hub' };
}
