/**
 * The region's word that it takes nothing for a while (BATCH.md §6): a quota is spent, or it has more to do than it can. The
 * hub sends nothing until then but what the region takes nonetheless, and asks again afterwards; everything stays in the journal. Only what the region has signed
 * counts, and never for longer than a few hours, so that a quota that was raised is noticed.
 */
import type { Clock } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { OpClass } from '../../model/class.ts';
import type { AskedToWait } from '../../batch/wire/asked-to-wait.ts';

const WAIT_S_MAX = 6 * 3_600;

export class RegionWait {
  readonly #clock: Clock;
  #untilMs = 0;
  #why = '';
  #takes: readonly OpClass[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  heed({ wait }: { readonly wait?: AskedToWait | undefined }): void {
    if (wait === undefined) return;
    const seconds = Math.min(wait.seconds, WAIT_S_MAX);
    this.#untilMs = this.#clock.monotonicMs() + seconds * 1_000;
    this.#why = `the region asks to wait ${seconds} s: ${wait.why}`;
    this.#takes = wait.takes ?? [];
  }

  /** While it lasts, in words for the log. */
  get waitWhy(): string | undefined {
    return this.#clock.monotonicMs() < this.#untilMs ? this.#why : undefined;
  }

  /** Classes that go nonetheless. */
  get takes(): readonly OpClass[] {
    return this.#takes;
  }

  get fault(): HubError | undefined {
    const { waitWhy } = this;
    return waitWhy === undefined ? undefined : new HubError('uplink.held-off', waitWhy);
  }
}
