/** A journal in memory whose disk syncs when the test says so. */
import { HubError } from '../../../src/base/errors.ts';
import type { JournalCursor, JournalPort, Lsn } from '../../../src/ingest/journal-port.ts';

export class DoorJournal implements JournalPort {
  readonly entries: Uint8Array[] = [];
  firstLsn: Lsn = 1;
  durableLsn: Lsn = 0;
  fault: HubError | undefined;
  saturated = false;
  fillRatio = 0;
  /** Thrown by the next appends. */
  refusal: HubError | undefined;
  readonly lingers: number[] = [];
  readonly #listeners: ((durableLsn: Lsn) => void)[] = [];

  get lastLsn(): Lsn {
    return this.entries.length;
  }

  append(entry: Uint8Array, lingerMs: number): Lsn {
    if (this.refusal !== undefined) throw this.refusal;
    this.lingers.push(lingerMs);
    return this.entries.push(entry.slice());
  }

  onDurable(listener: (durableLsn: Lsn) => void): void {
    this.#listeners.push(listener);
  }

  /** Makes everything up to `lsn` durable. */
  sync(lsn: Lsn = this.lastLsn): void {
    this.durableLsn = lsn;
    for (const listener of this.#listeners) listener(lsn);
  }

  waiting(): Iterable<Uint8Array> {
    return this.entries.slice(this.durableLsn);
  }

  cursor(fromLsn: Lsn): JournalCursor {
    let lsn = Math.max(fromLsn, this.firstLsn);
    return {
      next: () => {
        if (lsn > this.durableLsn) return undefined;
        const entry = this.entries[lsn - 1] as Uint8Array;
        return { lsn: lsn++, entry };
      },
    };
  }

  entryAt(lsn: Lsn): Uint8Array | undefined {
    return lsn < this.firstLsn ? undefined : this.entries[lsn - 1];
  }

  /** Lets go of everything up to `lsn`. */
  release(lsn: Lsn): void {
    this.firstLsn = lsn + 1;
  }

  stat(): { fillRatio: number; bytesMax: number } {
    return { fillRatio: this.fillRatio, bytesMax: 1 << 20 };
  }
}
