/**
 * A journal that fills up refuses low classes first, so that an alarm still finds room when photos have not
 * for long. What was acknowledged is never touched.
 */
import { HubError } from '../../base/errors.ts';
import {
  ALARM,
  BULK,
  CLASS_NAMES,
  CLASSES,
  COMMAND,
  LOG,
  type OpClass,
  PREVIEW,
  RECORD,
  TELEMETRY,
} from '../../model/class.ts';
import type { JournalPort } from '../journal-port.ts';

/** How full the journal may be for an op of the class to be taken; for alarms the journal itself decides. */
export const FILL_RATIO_MAX: Record<OpClass, number> = {
  [ALARM]: 1,
  [COMMAND]: 0.98,
  [RECORD]: 0.96,
  [TELEMETRY]: 0.94,
  [PREVIEW]: 0.9,
  [BULK]: 0.85,
  [LOG]: 0.85,
};

/** The ratio is looked up again after this share of the journal has been appended. */
const REFRESH_SHARE = 1 / 1024;

export class FillGate {
  readonly #journal: Pick<JournalPort, 'stat'>;
  #ratio = 0;
  #bytesUntilRefresh = 0;

  constructor(journal: Pick<JournalPort, 'stat'>) {
    this.#journal = journal;
    this.#refresh();
  }

  /** Why an op of the class is not taken now, or undefined where it is. */
  refusal(opClass: OpClass): HubError | undefined {
    if (this.#bytesUntilRefresh <= 0) this.#refresh();
    if (this.#ratio < FILL_RATIO_MAX[opClass] || opClass === ALARM) return undefined;
    // Space may have been released since: look again before refusing.
    this.#refresh();
    if (this.#ratio < FILL_RATIO_MAX[opClass]) return undefined;
    const name = CLASS_NAMES[opClass];
    return new HubError(
      'journal.full',
      `journal is ${this.#percent} % full: class ${name} is refused`,
    );
  }

  /** Which classes are refused, undefined where all are taken. */
  get fault(): HubError | undefined {
    this.#refresh();
    const refused = CLASSES.filter((opClass) => this.#ratio >= FILL_RATIO_MAX[opClass]);
    if (refused.length === 0) return undefined;
    const names = refused.map((opClass) => CLASS_NAMES[opClass]).join(', ');
    return new HubError('journal.full', `journal is ${this.#percent} % full: refused are ${names}`);
  }

  appended(bytes: number): void {
    this.#bytesUntilRefresh -= bytes;
  }

  get #percent(): number {
    return Math.floor(this.#ratio * 100);
  }

  #refresh(): void {
    const { fillRatio, bytesMax } = this.#journal.stat();
    this.#ratio = fillRatio;
    this.#bytesUntilRefresh = bytesMax * REFRESH_SHARE;
  }
}
