/** What ingest needs of the journal; `journal/journal.ts` satisfies it. */
import type { HubError } from '../base/errors.ts';

export type Lsn = number;

export interface JournalCursor {
  /** The next durable entry, or undefined where there is none yet. */
  next(): { readonly lsn: Lsn; readonly entry: Uint8Array } | undefined;
}

export interface JournalPort {
  /** Copies the entry; throws `HubError` where it cannot be taken. */
  append(entry: Uint8Array, lingerMs: number): Lsn;
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly durableLsn: Lsn;
  readonly fault: HubError | undefined;
  readonly saturated: boolean;
  onDurable(listener: (durableLsn: Lsn) => void): void;
  /** Entries that are not written yet, oldest first; no cursor gives them out before they are durable. */
  waiting(): Iterable<Uint8Array>;
  cursor(fromLsn: Lsn): JournalCursor;
  /** The entry with this LSN, durable or not, where it can be had at no great cost; valid until the next append. */
  entryAt(lsn: Lsn): Uint8Array | undefined;
  stat(): { readonly fillRatio: number; readonly bytesMax: number };
}
