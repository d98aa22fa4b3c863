/**
 * Leaves of the hub's tree that the region lacks: their ops were lost or dropped, or the region has lost its copy. It witnesses
 * nothing of a class until the next batch tells them (BATCH.md §3): from its last word on, and if that does not help, from the start.
 * Where neither does, as with more leaves than a batch tells, the class stays unwitnessed.
 */
import { SKIPPED_LEAVES_MAX } from '../../batch/limits.ts';
import { type OpClass, perClass } from '../../model/class.ts';
import type { HistoryLog } from '../ports.ts';

interface Lacking {
  isLacking: boolean;
  /** Batches that have told leaves since the region has last witnessed the tree. */
  told: number;
}

export class LackingLeaves {
  readonly #history: HistoryLog | undefined;
  readonly #byClass = perClass((): Lacking => ({ isLacking: false, told: 0 }));

  constructor(history: HistoryLog | undefined) {
    this.#history = history;
  }

  /** Ops of the class will never be sent. */
  lost(opClass: OpClass): void {
    this.#byClass[opClass].isLacking = true;
  }

  /** The region could place a stored batch in the tree that it was told, or could not. */
  placed(opClass: OpClass, isWitnessed: boolean): void {
    const state = this.#byClass[opClass];
    state.isLacking = !isWitnessed;
    if (isWitnessed) state.told = 0;
  }

  /** What the next batch tells, whose ops stand in the tree behind `until` others; undefined where that is nothing. */
  next(opClass: OpClass, until: number): Uint8Array | undefined {
    const state = this.#byClass[opClass];
    const history = this.#history;
    if (history === undefined || !state.isLacking || state.told === 2) return undefined;
    state.isLacking = false; // Until a receipt says that it still does.
    state.told += 1;
    const first = state.told === 1 ? history.witnessedSize(opClass) : 0;
    const count = until - first;
    const isTellable = count > 0 && count <= SKIPPED_LEAVES_MAX;
    return isTellable ? history.leaves(opClass, first, until) : undefined;
  }
}
