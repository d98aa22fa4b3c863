/**
 * What waits to be sealed, by class: counted by following the journal once, in slices, behind the
 * acknowledgements. A class that waits for weeks costs a few numbers, and is never counted again.
 */
import { CLASSES, type OpClass, perClass } from '../../model/class.ts';
import { classOfEntry, peekEntry } from './peek-entry.ts';
import type { JournalCursor, JournalReader, Lsn } from '../ports.ts';

/** Ops of one class that no batch holds yet, as of now. */
export interface Unsealed {
  readonly ops: number;
  readonly bytes: number;
  /** No op of the class that waits lies before this. */
  readonly firstLsn: Lsn;
  /** Stamp of the first one, wall milliseconds. */
  readonly oldestStampMs: number;
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

const nothing = (): Mutable<Unsealed> => ({ ops: 0, bytes: 0, firstLsn: 0, oldestStampMs: 0 });

export class UnsealedCount {
  readonly #journal: JournalReader;
  readonly #byClass: Record<OpClass, Mutable<Unsealed>> = perClass(nothing);
  /** Ops at or below are in batches already. */
  #sealedLsn: Record<OpClass, Lsn>;
  #cursor: JournalCursor;
  #scannedLsn: Lsn;

  constructor(journal: JournalReader, sealedLsn: Readonly<Record<OpClass, Lsn>>) {
    this.#journal = journal;
    this.#sealedLsn = { ...sealedLsn };
    this.#scannedLsn = this.#lowestSealed();
    this.#cursor = journal.cursor(this.#scannedLsn + 1);
  }

  /** The journal is counted up to here. */
  get scannedLsn(): Lsn {
    return this.#scannedLsn;
  }

  of(opClass: OpClass): Unsealed {
    return this.#byClass[opClass];
  }

  /** Counts up to `entriesMax` more entries; false where the end of what is durable was reached. */
  scan(entriesMax: number): boolean {
    for (let i = 0; i < entriesMax; i++) {
      if (!this.#cursor.step()) return false;
      this.#scannedLsn = this.#cursor.lsn;
      this.#count(this.#cursor);
    }
    return true;
  }

  /** Ops of the class went into a batch that ends at `throughLsn`; `next` is the first one behind it. */
  sealed(
    opClass: OpClass,
    taken: { readonly ops: number; readonly bytes: number; readonly throughLsn: Lsn },
    next: { readonly lsn: Lsn; readonly stampMs: number } | undefined,
  ): void {
    const { ops, bytes } = this.#byClass[opClass];
    this.#sealedLsn[opClass] = taken.throughLsn;
    const left = next === undefined ? 0 : ops - taken.ops;
    this.#byClass[opClass] =
      next === undefined || left <= 0
        ? nothing()
        : {
            ops: left,
            bytes: Math.max(0, bytes - taken.bytes),
            firstLsn: next.lsn,
            oldestStampMs: next.stampMs,
          };
  }

  /** Ops of the class were let go of, unsealed, with all of the journal through `throughLsn`. */
  gone(
    opClass: OpClass,
    gone: { readonly ops: number; readonly bytes: number },
    throughLsn: Lsn,
  ): void {
    const { ops, bytes, firstLsn, oldestStampMs } = this.#byClass[opClass];
    const left = ops - gone.ops;
    this.#byClass[opClass] =
      left <= 0
        ? nothing()
        : {
            ops: left,
            bytes: Math.max(0, bytes - gone.bytes),
            firstLsn: Math.max(firstLsn, throughLsn + 1),
            oldestStampMs,
          };
  }

  /** Counts again, from where the classes now stand. */
  restart(sealedLsn: Readonly<Record<OpClass, Lsn>>): void {
    this.#sealedLsn = { ...sealedLsn };
    Object.assign(this.#byClass, perClass(nothing));
    this.#scannedLsn = this.#lowestSealed();
    this.#cursor = this.#journal.cursor(this.#scannedLsn + 1);
  }

  #lowestSealed(): Lsn {
    return Math.min(...CLASSES.map((opClass) => this.#sealedLsn[opClass]));
  }

  /** In place, and without looking for what is known already: this runs for every message. */
  #count({ lsn, bytes, start, end }: JournalCursor): void {
    const opClass = classOfEntry(bytes, start, end);
    if (opClass === undefined || lsn <= this.#sealedLsn[opClass]) return;
    const counted = this.#byClass[opClass];
    if (counted.ops === 0) {
      counted.firstLsn = lsn;
      counted.oldestStampMs = peekEntry(bytes.subarray(start, end))?.stampMs ?? 0;
    }
    counted.ops += 1;
    counted.bytes += end - start;
  }
}
