/**
 * What waits to be sealed, by class: counted by following the journal once, behind the acknowledgements. Mostly others offer the
 * entries, who read them anyway; what they do not is read in slices. A class that waits for weeks costs a few numbers, and is
 * never counted again.
 */
import { Offers } from '../../base/offers.ts';
import { CLASSES, type OpClass, perClass } from '../../model/class.ts';
import { classOfEntry, peekEntry } from './peek-entry.ts';
import type { JournalCursor, JournalReader, Lsn } from '../ports.ts';

/** Ops of one class that no batch holds yet, as of now. */
interface Unsealed {
  readonly ops: number;
  readonly bytes: number;
  /** No op of the class that waits lies before this. */
  readonly firstLsn: Lsn;
  /** Stamp of the first one, wall milliseconds. */
  readonly oldestStampMs: number;
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Entries read before other events get their turn. */
const SLICE_ENTRIES = 256;
/** And blocks: the seal of each is opened, for as much as ten entries cost. */
const SLICE_BLOCKS = 24;
/** In a burst whoever offers may be busy for a second with what has gathered; looks come every 60 ms. */
const QUIET_LOOKS_MAX = 50;

const nothing = (): Mutable<Unsealed> => ({ ops: 0, bytes: 0, firstLsn: 0, oldestStampMs: 0 });

export class UnsealedCount {
  readonly #journal: JournalReader;
  readonly #byClass: Record<OpClass, Mutable<Unsealed>> = perClass(nothing);
  /** Ops at or below are in batches already. */
  #sealedLsn: Record<OpClass, Lsn>;
  /** Undefined where others have offered what came, or nothing was read yet. */
  #cursor: JournalCursor | undefined;
  #scannedLsn: Lsn;
  readonly #offers = new Offers(QUIET_LOOKS_MAX);
  #offeredLsn: Lsn = 0;
  /** Whether all is to be read by ourselves, or only what others have passed; undefined from one scan to the next. */
  #readsAll: boolean | undefined;
  #awaitsOffers = false;
  #holds = 0;

  constructor(journal: JournalReader, sealedLsn: Readonly<Record<OpClass, Lsn>>) {
    this.#journal = journal;
    this.#sealedLsn = { ...sealedLsn };
    this.#scannedLsn = this.#lowestSealed();
  }

  /** The journal is counted up to here. */
  get scannedLsn(): Lsn {
    return this.#scannedLsn;
  }

  of(opClass: OpClass): Unsealed {
    return this.#byClass[opClass];
  }

  /** Nothing is counted until `goOn`, as often as this was called: what waits is being taken away. */
  hold(): void {
    this.#holds += 1;
  }

  goOn(): void {
    this.#holds -= 1;
  }

  /** A durable entry that somebody who follows the journal has read anyway: counted where it is the next one. */
  offer(lsn: Lsn, entry: Uint8Array): void {
    this.#offers.came();
    this.#offeredLsn = lsn;
    if (lsn !== this.#scannedLsn + 1 || this.#holds > 0) return;
    this.#cursor = undefined;
    this.#scannedLsn = lsn;
    this.#count(lsn, entry, 0, entry.length);
  }

  /** Reads and counts a slice of what nobody will offer, or of all that is durable; false where there is no more of it, or none while it is held. */
  scan(isAll = false): boolean {
    if (this.#holds > 0) return false;
    if (!isAll) this.#readsAll ??= !this.#offers.areToCome();
    const readsAll = isAll || this.#readsAll;
    let [blocks, block] = [0, this.#cursor?.bytes];
    for (let i = 0; i < SLICE_ENTRIES && blocks < SLICE_BLOCKS; i++) {
      const isOffered = !readsAll && this.#scannedLsn >= this.#offeredLsn;
      if (isOffered || !this.#countNext()) {
        this.#awaitsOffers = isOffered && this.#scannedLsn < this.#journal.durableLsn;
        this.#readsAll = undefined;
        return false;
      }
      if (this.#cursor?.bytes !== block) blocks += 1;
      block = this.#cursor?.bytes;
    }
    return true;
  }

  /** Something was left to be offered: scan again soon. */
  get awaitsOffers(): boolean {
    return this.#awaitsOffers;
  }

  /** False where the end of what is durable was reached. */
  #countNext(): boolean {
    const cursor = (this.#cursor ??= this.#journal.cursor(this.#scannedLsn + 1));
    if (!cursor.step()) return false;
    const { lsn, bytes, start, end } = cursor;
    this.#scannedLsn = lsn;
    this.#count(lsn, bytes, start, end);
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
    this.#cursor = undefined;
  }

  #lowestSealed(): Lsn {
    return Math.min(...CLASSES.map((opClass) => this.#sealedLsn[opClass]));
  }

  /** In place, and without looking for what is known already: this runs for every message. */
  #count(lsn: Lsn, bytes: Uint8Array, start: number, end: number): void {
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
