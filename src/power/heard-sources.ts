/**
 * The sources of a site as they are heard: what each has told last, why it is silent where it is, and what people should know of that.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { Disputes, disputesOf } from './estimate/agreement.ts';
import type { Suspect } from './estimate/plausibility.ts';
import { HeardReading, type Reading } from './estimate/reading.ts';
import type { SourceView } from './probe.ts';
import { disputeFault, faultsOf, type Lost, type PowerFault } from './source-faults.ts';
import type { PowerSource } from './sources/source.ts';

export interface HeardSourcesOptions {
  /** In order of trust. */
  readonly sources: readonly PowerSource[];
  readonly clock: Clock;
  readonly log: Log;
  readonly nominalVolts: number;
  /** What the source at `index` tells and nobody believes. */
  readonly suspectsOf: (index: number, nowMs: number) => readonly Suspect[];
  readonly onReading: (index: number, reading: Reading) => void;
}

interface SourceState {
  readonly source: PowerSource;
  readonly reading: HeardReading;
  isHeard: boolean;
  lostSince: Lost | undefined;
  /** Why `auto` has not found it yet. */
  absence?: string;
}

export class HeardSources {
  readonly #options: HeardSourcesOptions;
  readonly #states: readonly SourceState[];
  readonly #disputes = new Disputes();

  constructor(options: HeardSourcesOptions) {
    this.#options = options;
    this.#states = options.sources.map((source) => ({
      source,
      reading: new HeardReading(),
      isHeard: false,
      lostSince: undefined,
    }));
    this.#states.forEach((state, index) => this.#start(state, index));
  }

  /** Timers may be late; what is thought of the battery then rests on readings of now all the same. */
  refresh(): void {
    for (const { source } of this.#states) source.refresh?.();
  }

  /** Every source side by side, in order of trust. */
  views(): SourceView[] {
    const { clock, suspectsOf } = this.#options;
    const nowMs = clock.monotonicMs();
    return this.#states.map(({ source, reading, lostSince, absence }, index) => ({
      name: source.name,
      fields: reading.fields(),
      suspects: suspectsOf(index, nowMs),
      lost: lostSince?.reason ?? absence,
    }));
  }

  /** At every tick: who agrees with whom. */
  compare(): void {
    if (this.#states.length < 2) return;
    const { clock, nominalVolts } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#disputes.look(disputesOf(this.views(), nowMs, nominalVolts), nowMs);
  }

  faults(): PowerFault[] {
    const { clock, suspectsOf } = this.#options;
    const nowMs = clock.monotonicMs();
    const ofEach = this.#states.flatMap(({ source, lostSince }, index) =>
      faultsOf({ name: source.name, lostSince, suspects: suspectsOf(index, nowMs) }, clock),
    );
    return [...ofEach, ...this.#disputes.lasting(nowMs).map((it) => disputeFault(it, clock))];
  }

  stop(): void {
    for (const { source } of this.#states) source.stop();
  }

  #start(state: SourceState, index: number): void {
    const { log, clock, onReading } = this.#options;
    const { source } = state;
    source.start(
      (reading) => {
        if (!state.isHeard || state.lostSince !== undefined) {
          log.info('power.source-found', { source: source.name });
        }
        state.isHeard = true;
        state.lostSince = undefined;
        delete state.absence;
        state.reading.take(reading);
        onReading(index, reading);
      },
      (reason) => {
        // What `auto` merely looked for and never found is no fault.
        if (source.optional === true && !state.isHeard) {
          state.absence = reason;
          return;
        }
        state.lostSince = { wallMs: clock.wallMs(), reason };
        log.warn('power.source-lost', { source: source.name, reason });
      },
    );
  }
}
