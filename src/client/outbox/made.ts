import type { OpId } from '../../merge/op-id.ts';
import type { ToldConflict } from '../../protocol/receipt-message.ts';

/** What the hub said when it had the op for good. */
export interface Kept {
  readonly op: OpId;
  /** Open conflicts that the op was in at that moment. */
  readonly conflicts: readonly ToldConflict[];
}

/** An op that was made: it shows at once; `await` it for the hub's durable receipt. */
export interface Made extends PromiseLike<Kept> {
  readonly op: OpId;
  readonly id: string;
}
