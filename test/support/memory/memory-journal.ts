/** A journal in memory whose entries are durable at once, for tests of those who read one. */
import { encodeCopyEntry, encodeLocalEntry, encodeOpEntry } from '../../../src/model/entry.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import type { JournalCursor, JournalReader } from '../../../src/uplink/ports.ts';

export class MemoryJournal implements JournalReader {
  firstLsn = 1;
  readonly #entries: Uint8Array[] = [];
  #listeners: ((durableLsn: number) => void)[] = [];
  /** Entries handed out, over all cursors. */
  reads = 0;

  get lastLsn(): number {
    return this.#entries.length;
  }

  get durableLsn(): number {
    return this.#entries.length;
  }

  append(...ops: StampedOp[]): void {
    for (const { bytes, stamp } of ops) this.#entries.push(encodeOpEntry(bytes, stamp));
    for (const listener of this.#listeners) listener(this.durableLsn);
  }

  appendCopies(ops: readonly StampedOp[]): void {
    for (const { bytes, stamp } of ops) this.#entries.push(encodeCopyEntry(bytes, stamp));
    for (const listener of this.#listeners) listener(this.durableLsn);
  }

  appendLocal(): void {
    this.appendEntry(encodeLocalEntry(Uint8Array.of(0x01)));
  }

  appendEntry(entry: Uint8Array): void {
    this.#entries.push(entry);
    for (const listener of this.#listeners) listener(this.durableLsn);
  }

  onDurable(listener: (durableLsn: number) => void): void {
    this.#listeners.push(listener);
  }

  /** The process that listened is dead. */
  forgetListeners(): void {
    this.#listeners = [];
  }

  cursor(fromLsn: number): JournalCursor {
    let lsn = Math.max(fromLsn, this.firstLsn);
    return {
      next: () => {
        const entry = this.#entries[lsn - 1];
        if (entry === undefined) return undefined;
        this.reads += 1;
        lsn += 1;
        return { lsn: lsn - 1, entry };
      },
    };
  }
}
