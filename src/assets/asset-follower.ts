/**
 * Folds pieces and previews of assets out of the journal into the blob store, behind the acknowledgements. The door tells
 * where they lie (`note`); what came before the start is looked for from a cursor on, which is written only when all
 * before it is on the medium. Folding is idempotent, so a cursor that lags costs nothing but reading.
 *
 * A full or failing disk stops it for a while; the journal keeps what is not folded (`settle`), and the fault says so. Then
 * all since the last sync is folded anew.
 */
import { type Cancel, type Timers, turn } from '../base/clock.ts';
import { HubError, messageOf, systemCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { carriesBytes, readPiece, readPreview } from '../model/asset-bytes.ts';
import { decodeEntry } from '../model/entry.ts';
import type { Op } from '../model/op.ts';
import type { Files } from '../platform/files/files.ts';
import type { BlobStore } from './blob-store.ts';

type Lsn = number;

interface FollowedJournal {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly durableLsn: Lsn;
  onDurable(listener: (durableLsn: Lsn) => void): void;
  cursor(fromLsn: Lsn): {
    next(): { readonly lsn: Lsn; readonly entry: Uint8Array } | undefined;
  };
}

interface AssetFollowerOptions {
  readonly journal: FollowedJournal;
  readonly blobs: Pick<BlobStore, 'put' | 'putPreview' | 'settle'>;
  readonly files: Files;
  readonly dir: string;
  readonly timers: Timers;
  readonly log: Log;
}

/** Entries looked at, and pieces folded, before others have their turn. */
const SLICE_ENTRIES = 256;
const SLICE_PIECES = 4;
/** Pieces between two syncs. */
const SYNC_PIECES = 64;
/** The cursor is written after so many entries, even where none was ours. */
const CURSOR_STEP = 100_000;
const RETRY_MS = 30_000;

export class AssetFollower {
  readonly #options: AssetFollowerOptions;
  /** All before is folded; what is at or behind `#scanEnd` is known by the notes alone. */
  #nextLsn: Lsn;
  readonly #scanEnd: Lsn;
  #notes: Lsn[] = [];
  #settledLsn: Lsn;
  #savedLsn: Lsn;
  /** Pieces that were folded since the last sync. */
  #unsynced: Lsn[] = [];
  #working: Promise<void> | undefined;
  #cancelRetry: Cancel | undefined;
  #fault: HubError | undefined;
  #isClosed = false;

  private constructor(options: AssetFollowerOptions, cursorLsn: Lsn) {
    const { journal } = options;
    this.#options = options;
    this.#nextLsn = cursorLsn + 1;
    this.#scanEnd = journal.lastLsn;
    this.#settledLsn = this.#savedLsn = cursorLsn;
  }

  static start(options: AssetFollowerOptions): AssetFollower {
    const { files, dir, journal } = options;
    const saved = readCursor(files.read(`${dir}/cursor`));
    const isOurs = saved !== undefined && saved <= journal.lastLsn;
    const follower = new AssetFollower(options, isOurs ? saved : journal.firstLsn - 1);
    journal.onDurable(() => follower.#wake());
    follower.#wake();
    return follower;
  }

  get fault(): HubError | undefined {
    return this.#fault;
  }

  /** The entry at `lsn`, the highest so far, carries bytes of an asset. */
  note(lsn: Lsn): void {
    this.#notes.push(lsn);
  }

  /** Folds all that is durable, and says up to where the journal is not needed here any more. */
  async settle(): Promise<Lsn> {
    this.#wake();
    await this.#working;
    await this.#save();
    return this.#settledLsn;
  }

  /** Resolves when all that is durable now is folded, or cannot be. */
  async caughtUp(): Promise<void> {
    this.#wake();
    await this.#working;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry?.();
    await this.#working;
    await this.#save();
  }

  #wake(): void {
    if (this.#working !== undefined || this.#isClosed || this.#cancelRetry !== undefined) return;
    if (!this.#hasWork()) return;
    this.#working = this.#work()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#working = undefined;
        if (this.#fault === undefined) this.#wake();
      });
  }

  #hasWork(): boolean {
    const { durableLsn } = this.#options.journal;
    const isScanning = this.#nextLsn <= Math.min(this.#scanEnd, durableLsn);
    return isScanning || (this.#notes[0] ?? Infinity) <= durableLsn;
  }

  async #work(): Promise<void> {
    const { journal, timers } = this.#options;
    if (this.#nextLsn <= this.#scanEnd) await this.#scan();
    let pieces = 0;
    for (
      let lsn = this.#notes[0];
      lsn !== undefined && lsn <= journal.durableLsn;
      lsn = this.#notes[0]
    ) {
      const found = lsn < this.#nextLsn ? undefined : journal.cursor(lsn).next();
      if (found?.lsn === lsn) this.#fold(lsn, found.entry);
      this.#notes.shift();
      this.#nextLsn = Math.max(this.#nextLsn, lsn + 1);
      if (this.#unsynced.length >= SYNC_PIECES) await this.#sync();
      if ((pieces += 1) % SLICE_PIECES === 0) await turn(timers);
    }
    if (this.#unsynced.length > 0) await this.#sync();
    this.#fault = undefined;
    if (this.#nextLsn - this.#savedLsn > CURSOR_STEP) await this.#save();
  }

  /** What lay in the journal before the start. */
  async #scan(): Promise<void> {
    const { journal, timers } = this.#options;
    const cursor = journal.cursor(this.#nextLsn);
    for (let count = 1; this.#nextLsn <= this.#scanEnd && !this.#isClosed; count++) {
      const next = cursor.next();
      if (next === undefined) {
        // What is damaged at the end is told by the journal, and is nothing to wait for: not until more is durable, either.
        const endLsn = Math.min(this.#scanEnd, journal.durableLsn);
        this.#nextLsn = Math.max(this.#nextLsn, endLsn + 1);
        return;
      }
      this.#fold(next.lsn, next.entry);
      this.#nextLsn = next.lsn + 1;
      if (this.#unsynced.length >= SYNC_PIECES) await this.#sync();
      if (count % SLICE_ENTRIES === 0) await turn(timers);
    }
  }

  #fold(lsn: Lsn, bytes: Uint8Array): void {
    const op = opOf(bytes);
    if (op === undefined || !carriesBytes(op)) return;
    const { blobs } = this.#options;
    const piece = readPiece(op.body);
    if (piece !== undefined) blobs.put(piece, { origin: op.origin, lsn });
    const preview = piece === undefined ? readPreview(op.body) : undefined;
    if (preview !== undefined) blobs.putPreview(preview);
    this.#unsynced.push(lsn);
  }

  async #sync(): Promise<void> {
    await this.#options.blobs.settle();
    this.#unsynced = [];
    this.#settledLsn = this.#nextLsn - 1;
  }

  /** Where nothing waits, all that is durable needs no folding. */
  async #save(): Promise<void> {
    const { journal, files, dir } = this.#options;
    if (this.#fault !== undefined) return;
    if (this.#unsynced.length === 0) {
      const isScanned = this.#nextLsn > this.#scanEnd;
      const upTo = Math.min(journal.durableLsn, (this.#notes[0] ?? Infinity) - 1);
      this.#settledLsn = isScanned ? Math.max(this.#nextLsn - 1, upTo) : this.#nextLsn - 1;
    }
    if (this.#settledLsn === this.#savedLsn) return;
    try {
      files.replace(
        `${dir}/cursor`,
        new CborWriter(16).array(2).uint(1).uint(this.#settledLsn).finish(),
      );
      this.#savedLsn = this.#settledLsn;
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (systemCode(error) === undefined) throw error;
    const { log, timers } = this.#options;
    this.#fault = new HubError('assets.failed', `assets: ${messageOf(error)}`, error);
    log.error('assets.failed', { reason: messageOf(error) });
    if (this.#isClosed) return;
    this.#nextLsn = this.#unsynced[0] ?? this.#nextLsn;
    this.#notes = [...this.#unsynced.filter((lsn) => lsn > this.#scanEnd), ...this.#notes];
    this.#unsynced = [];
    this.#cancelRetry ??= timers.after(RETRY_MS, () => {
      this.#cancelRetry = undefined;
      this.#wake();
    });
  }
}

function opOf(bytes: Uint8Array): Op | undefined {
  try {
    const entry = decodeEntry(bytes);
    return entry.type === 'op' ? entry.stamped.op : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined; // The applier says so.
    throw error;
  }
}

function readCursor(bytes: Uint8Array | undefined): Lsn | undefined {
  if (bytes === undefined) return undefined;
  try {
    const reader = new CborReader(bytes);
    reader.expectArray(2);
    return reader.uint() === 1 ? reader.uint() : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}
