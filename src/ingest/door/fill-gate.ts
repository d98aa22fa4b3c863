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

/** Bulk leaves so many bytes to the classes above it: 15 % of 40 MiB hold two days of a site's readings. */
const LEFT_BY_BULK_BYTES = 64 << 20;
/** However small the journal is, so much of it is for bulk as well. */
const BULK_RATIO_MIN = 0.6;

export class FillGate {
  readonly #journal: Pick<JournalPort, 'stat'>;
  readonly #bulkGivesWay: boolean;
  #bulkRatioMax = FILL_RATIO_MAX[BULK];
  #ratio = 0;
  #bytesUntilRefresh = 0;

  /** `bulkGivesWay`: what waits of it is dropped in need, and holds no room that others want. */
  constructor(journal: Pick<JournalPort, 'stat'>, bulkGivesWay = false) {
    this.#journal = journal;
    this.#bulkGivesWay = bulkGivesWay;
    this.#refresh();
  }

  /** Why an op of the class is not taken now, or undefined where it is. */
  refusal(opClass: OpClass): HubError | undefined {
    if (this.#bytesUntilRefresh <= 0) this.#refresh();
    if (!this.#isFullFor(opClass) || opClass === ALARM) return undefined;
    // Space may have been released since: look again before refusing.
    this.#refresh();
    if (!this.#isFullFor(opClass)) return undefined;
    const name = CLASS_NAMES[opClass];
    return new HubError(
      'journal.full',
      `journal is ${this.#percent} % full: class ${name} is refused`,
    );
  }

  /** Which classes are refused, undefined where all are taken. */
  get fault(): HubError | undefined {
    this.#refresh();
    const refused = CLASSES.filter((opClass) => this.#isFullFor(opClass));
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

  #isFullFor(opClass: OpClass): boolean {
    const isShared = opClass === BULK && !this.#bulkGivesWay;
    return this.#ratio >= (isShared ? this.#bulkRatioMax : FILL_RATIO_MAX[opClass]);
  }

  #refresh(): void {
    const { fillRatio, bytesMax } = this.#journal.stat();
    this.#ratio = fillRatio;
    const left = 1 - LEFT_BY_BULK_BYTES / bytesMax;
    this.#bulkRatioMax = Math.min(FILL_RATIO_MAX[BULK], Math.max(BULK_RATIO_MIN, left));
    this.#bytesUntilRefresh = bytesMax * REFRESH_SHARE;
  }
}
