/** Own ops as an outbox holds them. */
import type { OpClass } from '../../model/class.ts';
import type { Kind, Op } from '../../model/op.ts';
import type { Kept } from './made.ts';

export interface NewOp {
  readonly class: OpClass;
  readonly kind: Kind;
  readonly key: string;
  readonly body: Uint8Array;
}

export interface OwnOp {
  readonly op: Op;
  readonly bytes: Uint8Array;
  /** `new`: being written down. `waiting`: to be sent. `receipted`: the hub has it, its state has not come back. */
  readonly stage: 'new' | 'waiting' | 'receipted';
}

export interface Entry {
  op: Op;
  bytes: Uint8Array;
  stage: OwnOp['stage'];
  /** Why the hub will never take it; something empty goes in its place. */
  refusal: string | undefined;
  resolve: (kept: Kept) => void;
  reject: (error: Error) => void;
}
