/** Which classes are worth a batch although one of them was sealed a moment ago. */
import type { Clock } from '../../base/clock.ts';
import { ALARM, COMMAND, LOG, type OpClass } from '../../model/class.ts';
import type { UplinkLimits } from '../options.ts';
import type { Outbox } from '../outbox.ts';

/** A batch of the log costs with its receipt three times its lines; where nothing else travels, it goes so seldom. */
const LOG_ALONE_MS = 2 * 3_600_000;
const LOG_ALONE_OPS = 512;
/** A session may go on for days where alarms do not cease; what waits of the log would keep the journal from letting go of anything. */
const LOG_AGAIN_MS = 60_000;

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

  /** Of the classes that could be sealed, all but the log where that had better wait for company. */
  worthSealing(
    classes: readonly OpClass[],
    outbox: Pick<Outbox, 'unsealedOps' | 'sendable'>,
  ): readonly OpClass[] {
    const isAlone = classes.length === 1 && classes[0] === LOG && outbox.sendable().length === 0;
    const sealedAtMs = this.#sealedAtMs.get(LOG);
    if (!isAlone || sealedAtMs === undefined) return classes;
    const isDue = this.#clock.monotonicMs() - sealedAtMs >= LOG_ALONE_MS;
    return isDue || outbox.unsealedOps(LOG) >= LOG_ALONE_OPS ? classes : [];
  }

  /** Those of `classes` that are. */
  of(classes: readonly OpClass[], outbox: Pick<Outbox, 'unsealedOps'>): OpClass[] {
    const { gatherMs, seal } = this.#limits;
    return classes.filter((opClass) => {
      if (opClass === ALARM || opClass === COMMAND) return true;
      const sealedAtMs = this.#sealedAtMs.get(opClass);
      const opsMax = opClass === LOG ? LOG_ALONE_OPS : seal.opsMax;
      if (sealedAtMs === undefined || outbox.unsealedOps(opClass) >= opsMax) return true;
      return this.#clock.monotonicMs() - sealedAtMs >= (opClass === LOG ? LOG_AGAIN_MS : gatherMs);
    });
  }
}
