import type { OpId } from '../../merge/op-id.ts';
import type { ToldConflict } from '../../protocol/receipt-message.ts';

/** What the hub said when it had the op for good. */
export interface Kept {
  readonly op: OpId;
  /** Open conflicts that the op was in at that moment. */
  readonly conflicts: readonly ToldConflict[];
}

/** What a promise can do. */
export type Awaitable<T> = Pick<Promise<T>, 'then' | 'catch' | 'finally'>;

/** An op that was made: it shows at once; `await` it for the hub's durable receipt. */
export interface Made extends Awaitable<Kept> {
  readonly op: OpId;
  readonly id: string;
}

/** What is known at once, and can be waited for as for `promise`. */
export function awaitable<T, Known extends object>(
  promise: Promise<T>,
  known: Known,
): Known & Awaitable<T> {
  return {
    ...known,
    // oxlint-disable-next-line unicorn/no-thenable -- waiting for it is what it is for
    then: (onKept, onError) => promise.then(onKept, onError),
    catch: (onError) => promise.catch(onError),
    finally: (onEnd) => promise.finally(onEnd),
  };
}
