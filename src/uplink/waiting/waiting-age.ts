/**
 * How long what waits has waited. The wall clock and the stamps say so, unless the clock is behind the stamps, as
 * after a boot into 1970: then nothing would seem to age, and no deadline would ever open a session that could
 * set the clock right. So an op is at least as old as this process has seen it wait at the head of its class.
 */
import { type OpClass, perClass } from '../../model/class.ts';
import type { Lsn } from '../ports.ts';

interface Head {
  readonly lsn: Lsn;
  readonly sinceMs: number;
}

export class WaitingAges {
  readonly #heads = perClass<Head | undefined>(() => undefined);

  /**
   * Age of the op at `lsn`, the first that waits in its class; undefined where none does. `wallAgeMs` is what clock
   * and stamp make of it, `nowMs` is monotonic.
   */
  of(opClass: OpClass, lsn: Lsn | undefined, wallAgeMs: number, nowMs: number): number {
    if (lsn === undefined) {
      this.#heads[opClass] = undefined;
      return 0;
    }
    let head = this.#heads[opClass];
    if (head?.lsn !== lsn) this.#heads[opClass] = head = { lsn, sinceMs: nowMs };
    return Math.max(0, wallAgeMs, nowMs - head.sinceMs);
  }
}
