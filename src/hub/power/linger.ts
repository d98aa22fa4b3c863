/**
 * How long an op of each class may wait for company before the card is asked to sync. On a scarce battery
 * what is not urgent waits longer: fewer syncs are less flash and less energy, and the device hears its
 * acknowledgement a little later. Alarms, commands and records never wait longer than the config says.
 */
import type { Config } from '../../config/schema.ts';
import { BULK, CLASS_NAMES, LOG, type OpClass, PREVIEW, TELEMETRY } from '../../model/class.ts';
import type { PowerState } from '../../power/govern/decision.ts';

/** Classes that may be stretched. */
const PATIENT: ReadonlySet<OpClass> = new Set([TELEMETRY, PREVIEW, BULK, LOG]);
const SCARCE: ReadonlySet<PowerState> = new Set(['saver', 'critical', 'shutdown']);

export class Lingers {
  readonly #usual: readonly number[];
  readonly #scarce: readonly number[];
  #now: readonly number[];

  constructor({ lingerMs }: Config['journal']) {
    this.#usual = CLASS_NAMES.map((name) => lingerMs[name]);
    this.#scarce = this.#usual.map((ms, opClass) =>
      PATIENT.has(opClass as OpClass) ? Math.max(ms, lingerMs.scarce) : ms,
    );
    this.#now = this.#usual;
  }

  of(opClass: OpClass): number {
    return this.#now[opClass] ?? 0;
  }

  stateIs(state: PowerState): void {
    this.#now = SCARCE.has(state) ? this.#scarce : this.#usual;
  }
}
