/**
 * The journal as the broker's session log: publishes lie in it as ops, the broker's records as local entries, and
 * `sessions.cbor` beside it sums up what retention has let go of.
 */
import { HubError, messageOf } from '../../base/errors.ts';
import { encodeLocalEntry } from '../../model/entry.ts';
import type { LogFinder, LoggedItem, Lsn, SessionLog } from '../../broker/contract.ts';
import { localBody, PublishScan } from '../../ingest/door/publish-scan.ts';
import type { Journal } from '../../journal/journal.ts';
import type { Origin } from '../../model/origin.ts';
import type { Files } from '../../platform/files/files.ts';
import { replaceOffLoop } from '../../platform/files/off-loop.ts';

interface JournalSessionLogOptions {
  readonly journal: Pick<Journal, 'firstLsn' | 'lastLsn' | 'append' | 'cursor'>;
  readonly hub: Origin;
  readonly files: Files;
  readonly path: string;
}

/** A finder reads on over so many entries before it looks the place up anew. */
const STRIDE_MAX = 2_000;

export class JournalSessionLog implements SessionLog {
  readonly #options: JournalSessionLogOptions;
  readonly #scan: PublishScan;

  constructor(options: JournalSessionLogOptions) {
    this.#options = options;
    this.#scan = new PublishScan(options.hub);
  }

  get firstLsn(): Lsn {
    return this.#options.journal.firstLsn;
  }

  get lastLsn(): Lsn {
    return this.#options.journal.lastLsn;
  }

  append(record: Uint8Array, lingerMs: number): Lsn {
    return this.#options.journal.append(encodeLocalEntry(record), lingerMs);
  }

  *scan(fromLsn: Lsn): Generator<LoggedItem> {
    const cursor = this.#options.journal.cursor(fromLsn);
    for (let next = cursor.next(); next !== undefined; next = cursor.next()) {
      const item = this.#itemOf(next.lsn, next.entry);
      if (item !== undefined) yield item;
    }
  }

  finder(): LogFinder {
    const { journal } = this.#options;
    let cursor = journal.cursor(0);
    let behind: Lsn = 0;
    let ahead: { readonly lsn: Lsn; readonly entry: Uint8Array } | undefined;
    const find = (lsn: Lsn): LoggedItem | undefined => {
      if (lsn <= behind || lsn > behind + STRIDE_MAX) {
        cursor = journal.cursor(lsn);
        ahead = undefined;
      }
      while (ahead === undefined || ahead.lsn < lsn) {
        ahead = cursor.next();
        if (ahead === undefined) return undefined;
      }
      if (ahead.lsn !== lsn) return undefined; // Released, or damaged and accounted for.
      behind = lsn;
      return this.#itemOf(lsn, ahead.entry);
    };
    return { find };
  }

  load(): Uint8Array | undefined {
    return this.#options.files.read(this.#options.path);
  }

  async save(bytes: Uint8Array): Promise<void> {
    const { files, path } = this.#options;
    try {
      await replaceOffLoop(files, path, bytes);
    } catch (error) {
      throw new HubError('snapshot.failed', `${path}: ${messageOf(error)}`, error);
    }
  }

  #itemOf(lsn: Lsn, entry: Uint8Array): LoggedItem | undefined {
    const record = localBody(entry);
    if (record !== undefined) return { lsn, record };
    const publish = this.#scan.read(entry);
    return publish && { lsn, publish };
  }
}
