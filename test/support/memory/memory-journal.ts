/** A journal in memory whose entries are durable at once, for tests of those who read one. */
import { concatBytes, EMPTY_BYTES } from '../../../src/base/bytes.ts';
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
    const before = Math.max(fromLsn, this.firstLsn) - 1;
    const cursor = {
      lsn: before,
      bytes: EMPTY_BYTES as Uint8Array,
      start: 0,
      end: 0,
      step: (): boolean => {
        const entry = this.#entries[cursor.lsn];
        if (entry === undefined) return false;
        this.reads += 1;
        // As in a journal, where others lie around it.
        cursor.bytes = concatBytes([Uint8Array.of(1), entry, Uint8Array.of(2)]);
        Object.assign(cursor, { lsn: cursor.lsn + 1, start: 1, end: 1 + entry.length });
        return true;
      },
      next: () => {
        return cursor.step()
          ? { lsn: cursor.lsn, entry: cursor.bytes.subarray(cursor.start, cursor.end) }
          : undefined;
      },
    };
    return cursor;
  }
}
