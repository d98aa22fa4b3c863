/** Why an op is not taken, and whether it is worth handing in again. */
import type { RejectedOp } from './ops-message.ts';

export type Rejection = Pick<RejectedOp, 'reason' | 'verdict'>;

export function never(reason: string): Rejection {
  return { reason, verdict: 'never' };
}

export function later(reason: string): Rejection {
  return { reason, verdict: 'later' };
}
