/** When what has become durable is counted, and who hears of it where it is urgent. */
import type { Cancel, Timers } from '../../base/clock.ts';
import { ALARM, COMMAND } from '../../model/class.ts';
import type { Outbox } from '../outbox.ts';
import type { JournalReader } from '../ports.ts';
import { afterOthers } from './breather.ts';

interface CountingOptions {
  readonly journal: JournalReader;
  readonly linkTimers: Timers;
  readonly outbox: Pick<Outbox, 'unsealed' | 'unsealedOps' | 'sealableClasses'>;
  /** Runs what may throw, and tells whoever must know. */
  readonly guarded: (work: () => void) => void;
  /** An alarm, a command, or a class that had nothing waiting has come: no reason to wait for the next look. */
  readonly onUrgent: () => void;
  /** Of these an alarm or a command. */
  readonly onAlarm: () => void;
}

/** A little more than the applier waits for company: what it has read was offered by then. */
const DELAY_MS = 60;
/** A millisecond of counting. */
const LITTLE_ENTRIES = 1_024;

export class Counting {
  readonly #options: CountingOptions;
  #cancel: Cancel | undefined;
  #isStopped = false;

  constructor(options: CountingOptions) {
    this.#options = options;
  }

  /** Sees to it that all is counted that is durable. */
  soon(): void {
    if (this.#isStopped || this.#cancel !== undefined) return;
    const { journal, linkTimers: timers, outbox, guarded, onUrgent, onAlarm } = this.#options;
    const before = this.#urgency();
    const alarmsBefore = this.#alarms();
    const slice = (): void => {
      this.#cancel = undefined;
      guarded(() => {
        if (outbox.unsealed.scan()) {
          this.#cancel = afterOthers({ journal, timers }, slice);
          return;
        }
        if (this.#alarms() > alarmsBefore) onAlarm();
        if (this.#urgency() > before) onUrgent();
        if (outbox.unsealed.awaitsOffers) this.soon();
      });
    };
    this.#cancel = timers.after(DELAY_MS, slice);
  }

  /** Counts the little that has come since, so that what is said is of this moment; false where it is more than a little. */
  now(): boolean {
    const { journal, outbox, guarded } = this.#options;
    const left = (): number => journal.durableLsn - outbox.unsealed.scannedLsn;
    if (left() > LITTLE_ENTRIES) return false;
    guarded(() => {
      while (left() > 0 && outbox.unsealed.scan(true));
    });
    return left() <= 0;
  }

  /** Resolves when all is counted that is durable now, or time is up: for a stick, which does not come back in a minute for the rest. */
  async all(isTimeUp: () => boolean): Promise<void> {
    const { journal, linkTimers: timers, outbox, guarded } = this.#options;
    const throughLsn = journal.durableLsn;
    while (outbox.unsealed.scannedLsn < throughLsn && !this.#isStopped && !isTimeUp()) {
      guarded(() => outbox.unsealed.scan(true));
      await new Promise<void>((resolve) => afterOthers({ journal, timers }, resolve));
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** Grows with what is urgent. */
  #urgency(): number {
    return this.#alarms() + this.#options.outbox.sealableClasses().length;
  }

  #alarms(): number {
    const { outbox } = this.#options;
    return outbox.unsealedOps(ALARM) + outbox.unsealedOps(COMMAND);
  }
}
