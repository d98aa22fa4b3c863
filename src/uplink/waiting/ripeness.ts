/** Which classes are worth a batch although one of them was sealed a moment ago. */
import type { Clock } from '../../base/clock.ts';
import { ALARM, COMMAND, type OpClass } from '../../model/class.ts';
import type { UplinkLimits } from '../options.ts';
import type { Outbox } from '../outbox.ts';

export class Ripeness {
  readonly #limits: Pick<UplinkLimits, 'gatherMs' | 'seal'>;
  readonly #clock: Clock;
  readonly #sealedAtMs = new Map<OpClass, number>();

  constructor(limits: Pick<UplinkLimits, 'gatherMs' | 'seal'>, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  sealed(opClass: OpClass): void {
    this.#sealedAtMs.set(opClass, this.#clock.monotonicMs());
  }

  /** Those of `classes` that are. */
  of(classes: readonly OpClass[], outbox: Pick<Outbox, 'unsealedOps'>): OpClass[] {
    const { gatherMs, seal } = this.#limits;
    return classes.filter((opClass) => {
      if (opClass === ALARM || opClass === COMMAND) return true;
      const sealedAtMs = this.#sealedAtMs.get(opClass);
      if (sealedAtMs === undefined || outbox.unsealedOps(opClass) >= seal.opsMax) return true;
      return this.#clock.monotonicMs() - sealedAtMs >= gatherMs;
    });
  }
}
