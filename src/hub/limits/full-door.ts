/**
 * Connections that found no place (`broker.connections_max`, `http.connections_max`): counted, said once in the log, and a fault for as long as it goes
 * on. The kernel's side of a refused connection shows nothing; without this, a device that leaks connections would shut
 * out all others and nobody could tell.
 */
import type { Clock } from '../../base/clock.ts';
import { type FaultCode, HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';

/** Who is turned away comes back within seconds; silence for so long means that there is room again. */
const OVER_MS = 60_000;

export class FullDoor {
  /** Connections turned away since the start. */
  turnedAway = 0;
  readonly #code: FaultCode;
  readonly #connectionsMax: number;
  readonly #clock: Clock;
  readonly #log: Log;
  #lastMs = -Infinity;

  constructor(
    code: 'broker.full' | 'http.full',
    connectionsMax: number,
    { clock, log }: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#code = code;
    this.#connectionsMax = connectionsMax;
    this.#clock = clock;
    this.#log = log;
  }

  /** One more was turned away. */
  note(): void {
    if (this.fault === undefined)
      this.#log.warn(this.#code, { connectionsMax: this.#connectionsMax });
    this.turnedAway += 1;
    this.#lastMs = this.#clock.monotonicMs();
  }

  /** While connections are turned away. */
  get fault(): HubError | undefined {
    if (this.#clock.monotonicMs() - this.#lastMs >= OVER_MS) return undefined;
    const message = `all ${this.#connectionsMax} connections are taken, ${this.turnedAway} were turned away`;
    return new HubError(this.#code, message);
  }
}
