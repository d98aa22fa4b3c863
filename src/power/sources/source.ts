/**
 * A place where readings come from. A source that loses its device says so once and goes on trying by
 * itself, so that an adapter may be pulled and put back; only a source that can never work (a name that
 * means nothing, a path that is no device) throws `power.source-invalid`, when it is made.
 */
import type { Clock, Timers } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Files } from '../../platform/files/files.ts';
import type { SerialPorts } from '../../platform/serial.ts';
import type { Reading } from '../estimate/reading.ts';

export interface PowerSource {
  /** As in the config: `ve-direct:/dev/ttyUSB0`. */
  readonly name: string;
  /** Looked for by `auto`, not asked for by name: its absence is no fault. */
  readonly optional?: boolean;
  /** Readings come from now on, at least twice a minute while the device lives. `onLost` says why there are none. */
  start(onReading: (reading: Reading) => void, onLost: (reason: string) => void): void;
  /**
   * Reads again where a poll is overdue: an event loop that stalls, or a simulated day that races, must not make
   * a sensor that works look silent. Whoever is about to decide calls it; sources that are told have nothing to do.
   */
  refresh?(): void;
  stop(): void;
}

/** Ten seconds between polls: six chances before a reading is stale. */
export const POLL_PERIOD_MS = 10_000;
/** Nobody is served while a chip is waited for; one on a bus that hangs is waited for a second and more. */
const WAITED_RATIO_MAX = 0.02;
/** Two chances before a reading is stale. */
const POLL_PERIOD_MS_MAX = 30_000;

interface PollMachine {
  readonly timers: Timers;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** What sources need of the machine; `sysRoot` is `/sys`, or a made tree in tests. */
export interface PowerMachine {
  readonly files: Pick<Files, 'list' | 'read' | 'exists'>;
  readonly serial: SerialPorts;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly sysRoot: string;
  /** `/dev`, likewise. */
  readonly devRoot: string;
}

/**
 * A source that is asked again and again: `read` gives undefined where nothing is there. It is asked less often where
 * it takes long to answer.
 */
export class PolledSource implements PowerSource {
  readonly name: string;
  readonly #machine: PollMachine;
  readonly #read: (nowMs: number) => Reading | undefined;
  readonly #absent: string;
  #cancel: (() => void) | undefined;
  #poll: (() => void) | undefined;
  #polledMs = -Infinity;
  #pauseMs = 0;
  #lost = false;

  /** `absent` is what a person reads where `read` finds nothing. */
  constructor(
    name: string,
    machine: PollMachine,
    read: (nowMs: number) => Reading | undefined,
    absent: string,
  ) {
    this.name = name;
    this.#machine = machine;
    this.#read = read;
    this.#absent = absent;
  }

  start(onReading: (reading: Reading) => void, onLost: (reason: string) => void): void {
    const poll = (): void => {
      const { clock } = this.#machine;
      const nowMs = clock.monotonicMs();
      if (nowMs - this.#polledMs < this.#pauseMs) return;
      this.#polledMs = nowMs;
      const reading = this.#read(nowMs);
      const tookMs = clock.monotonicMs() - nowMs;
      this.#pauseMs = Math.min(tookMs / WAITED_RATIO_MAX, POLL_PERIOD_MS_MAX);
      if (reading !== undefined) {
        this.#lost = false;
        onReading(reading);
      } else if (!this.#lost) {
        this.#lost = true;
        onLost(this.#absent);
      }
    };
    this.#poll = poll;
    this.#cancel = this.#machine.timers.every(POLL_PERIOD_MS, poll);
    poll();
  }

  refresh(): void {
    if (this.#machine.clock.monotonicMs() - this.#polledMs > POLL_PERIOD_MS) this.#poll?.();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#poll = undefined;
  }
}
