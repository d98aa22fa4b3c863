/**
 * The one file that knows node-sqlite3-wasm: a synchronous SQLite in WebAssembly, without native code to
 * build. It hides three of its ways:
 *
 * - It locks by making a folder `<db>.lock`, which outlives a killed process and then blocks every open
 *   (https://github.com/tndrle/node-sqlite3-wasm). The data directory is ours by a lock of our own before
 *   this file is opened, so a folder found here is stale and goes.
 * - Its WAL needs `locking_mode=exclusive` to be set first, on every open.
 * - It syncs on the event loop. A card may take 200 ms for that, and acknowledgements would wait. Where the
 *   content can be replayed from the journal, SQLite therefore never syncs; instead `checkpoint` syncs the
 *   WAL off the event loop, has its pages copied, and syncs the database off the event loop, with no commit
 *   in between. That is the order that `synchronous=NORMAL` promises: a power cut costs the newest
 *   commits, never the file. Where a commit is itself a promise (`each-commit`), `synchronous=FULL` does fsync
 *   on every one.
 *
 * Texts are stored as UTF-8 blobs by the callers, because the binding ends a text at U+0000. Prepared
 * statements are kept until `close` and always run to their end, so that none holds a read transaction open.
 */
// First, so that SQLite is compiled the lean way.
// oxlint-disable-next-line import/no-unassigned-import -- the import is its effect
import '../../platform/lean-wasm.ts';

import sqlite from 'node-sqlite3-wasm';

import { assert, must } from '../../base/assert.ts';
import { HubError, messageOf } from '../../base/errors.ts';
import { type Files, folderOf, type OpenFile } from '../../platform/files/files.ts';
import { synced } from '../../platform/files/off-loop.ts';

/** `each-commit`: a commit that returned survives a power cut. `replayable`: only what `checkpoint` covered does. */
export type Durability = 'each-commit' | 'replayable';

interface SqliteOptions {
  readonly path: string;
  readonly files: Files;
  readonly durability: Durability;
}

export type SqlValue = number | string | Uint8Array | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** Of a new file. Half as many writes as with the usual 4 KiB, and rows are chunks of up to 16 KiB. */
const PAGE_BYTES = 8192;
/** In the WAL, before each page (https://sqlite.org/fileformat2.html#the_write_ahead_log). */
const FRAME_HEAD_BYTES = 24;
/** Pages in memory: the idle hub has 90 MB for everything. */
const CACHE_KIB = 2048;
/** Changed pages beyond these go to the WAL before the commit, so that it does not take long. */
const SPILL_PAGES = 24;
/** Beyond these the pages of the WAL go to the database, and its file is cut; a small disk has no room for more. */
const WAL_BYTES_KEPT = 4 << 20;
const WAL_PAGES_KEPT = WAL_BYTES_KEPT / PAGE_BYTES;
const OPEN_PRAGMAS = [
  'PRAGMA foreign_keys = OFF',
  `PRAGMA cache_size = -${CACHE_KIB}`,
  `PRAGMA cache_spill = ${SPILL_PAGES}`,
  `PRAGMA journal_size_limit = ${WAL_BYTES_KEPT}`,
];
const BROKEN_FILE = /malformed|not a database|corrupt/;

export class SqliteFile {
  readonly #options: SqliteOptions;
  readonly #database: sqlite.Database;
  readonly #statements = new Map<string, sqlite.Statement>();
  #checkpointing = false;
  /** Frames that the WAL had when it was last looked at; it begins anew after a checkpoint. */
  #walFrames = 0;
  #writtenBytes = 0;

  private constructor(options: SqliteOptions, database: sqlite.Database) {
    this.#options = options;
    this.#database = database;
  }

  /** Opens or makes the file; throws `HubError` `store.damaged` where it is no database, `store.failed` else. */
  static open(options: SqliteOptions): SqliteFile {
    const { files, path } = options;
    files.remove(`${path}.lock`);
    const file = new SqliteFile(
      options,
      guard(() => new sqlite.Database(path)),
    );
    try {
      file.#configure();
      // The first read makes the WAL, anew on every open. Its name must last before a commit promises anything;
      // the binding leaves the folder alone.
      file.rows('PRAGMA user_version');
      files.syncDir(folderOf(path));
    } catch (error) {
      file.#release();
      throw error;
    }
    return file;
  }

  /** Removes the database with all that belongs to it; it must not be open. */
  static remove(files: Files, path: string): void {
    for (const suffix of ['', '-wal', '-shm', '-journal', '.lock']) files.remove(path + suffix);
  }

  /** Gives the database, which must not be open, another name. */
  static rename(files: Files, from: string, to: string): void {
    SqliteFile.remove(files, to);
    for (const suffix of ['', '-wal']) {
      if (files.exists(from + suffix)) files.rename(from + suffix, to + suffix);
    }
    SqliteFile.remove(files, from);
  }

  /** All rows; meant for few. */
  rows(sql: string, values: SqlValue[] = []): SqlRow[] {
    return guard(() => this.#statement(sql).all(values) as SqlRow[]);
  }

  row(sql: string, values: SqlValue[] = []): SqlRow | undefined {
    return this.rows(sql, values)[0];
  }

  /** Rows one by one; the caller reads to the end and runs nothing else with the same text meanwhile. */
  *each(sql: string, values: SqlValue[] = []): Generator<SqlRow> {
    const rows = guard(() => this.#statement(sql).iterate(values));
    for (;;) {
      const next = guard(() => rows.next());
      if (next.done === true) return;
      yield next.value as SqlRow;
    }
  }

  /** Count of rows that changed. */
  run(sql: string, values: SqlValue[] = []): number {
    return guard(() => this.#statement(sql).run(values).changes);
  }

  /** Number of the row that was inserted. */
  insert(sql: string, values: SqlValue[]): number {
    return guard(() => Number(this.#statement(sql).run(values).lastInsertRowid));
  }

  /** Runs statements that are not worth keeping prepared. */
  exec(sql: string): void {
    guard(() => {
      this.#database.exec(sql);
    });
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction;
  }

  begin(): void {
    assert(!this.#checkpointing, 'no transaction begins while a checkpoint runs');
    this.run('BEGIN');
  }

  /** The same where no transaction is open yet. */
  beginOnce(): void {
    if (!this.inTransaction) this.begin();
  }

  commit(): void {
    this.run('COMMIT');
    this.#countWal();
  }

  /** Undoes the open transaction, where there is one. */
  rollback(): void {
    if (this.inTransaction) this.run('ROLLBACK');
  }

  /** Bytes given to the file system so far: frames of the WAL, and pages copied from it. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Pages that lie in the WAL and not yet in the database. */
  walPages(): number {
    const row = must(this.row('PRAGMA wal_checkpoint(NOOP)'), 'a checkpoint pragma gives a row');
    return Number(row['log']) - Number(row['checkpointed']);
  }

  /** Bytes that rows take in the database, free pages not counted. */
  usedBytes(): number {
    const pages = (name: string): number => Number(this.row(`PRAGMA ${name}`)?.[name]);
    return (pages('page_count') - pages('freelist_count')) * pages('page_size');
  }

  /** Makes all commits so far survive a power cut and empties the WAL. No transaction may begin meanwhile. */
  async checkpoint(): Promise<void> {
    assert(!this.inTransaction && !this.#checkpointing, 'a checkpoint runs between transactions');
    if (this.walPages() === 0) return;
    this.#checkpointing = true;
    try {
      await this.#datasync('-wal');
      this.#copyWalPages();
      await this.#datasync('');
    } finally {
      this.#checkpointing = false;
    }
  }

  /** Finishes as `checkpoint` does, but at once, and closes. */
  close(): void {
    try {
      this.rollback();
      if (this.walPages() > 0) {
        this.#withFile('-wal', (file) => {
          file.datasyncNow();
        });
        this.#copyWalPages();
        this.#withFile('', (file) => {
          file.datasyncNow();
        });
      }
    } finally {
      this.#release();
    }
  }

  /** Closes without saving anything: for a file that has failed. */
  abandon(): void {
    this.#release();
  }

  #configure(): void {
    const [mode] = this.rows('PRAGMA locking_mode = exclusive');
    assert(mode?.['locking_mode'] === 'exclusive', 'SQLite took the exclusive lock mode');
    this.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    const [journal] = this.rows('PRAGMA journal_mode = wal');
    assert(journal?.['journal_mode'] === 'wal', 'SQLite took the WAL mode');
    for (const pragma of OPEN_PRAGMAS) this.rows(pragma);
    const eachCommit = this.#options.durability === 'each-commit';
    this.exec(`PRAGMA synchronous = ${eachCommit ? 'FULL' : 'OFF'}`);
    this.rows(`PRAGMA wal_autocheckpoint = ${eachCommit ? WAL_PAGES_KEPT : 0}`);
  }

  #countWal(): void {
    const row = must(this.row('PRAGMA wal_checkpoint(NOOP)'), 'a checkpoint pragma gives a row');
    const frames = Number(row['log']);
    const added = frames >= this.#walFrames ? frames - this.#walFrames : frames;
    this.#walFrames = frames;
    this.#writtenBytes += added * (PAGE_BYTES + FRAME_HEAD_BYTES);
  }

  #copyWalPages(): void {
    this.#writtenBytes += this.walPages() * PAGE_BYTES;
    const row = must(this.row('PRAGMA wal_checkpoint(PASSIVE)'), 'a checkpoint pragma gives a row');
    assert(row['busy'] === 0 && row['log'] === row['checkpointed'], 'the checkpoint was complete');
  }

  async #datasync(suffix: string): Promise<void> {
    const file = this.#options.files.open(this.#options.path + suffix, 'update');
    try {
      await synced(file);
    } catch (error) {
      // A failed sync may have dropped the pages: it is never tried again, the store is rebuilt instead.
      throw new HubError('store.failed', `sync of the state database: ${messageOf(error)}`, error);
    } finally {
      file.close();
    }
  }

  #withFile(suffix: string, use: (file: OpenFile) => void): void {
    const file = this.#options.files.open(this.#options.path + suffix, 'update');
    try {
      use(file);
    } finally {
      file.close();
    }
  }

  #statement(sql: string): sqlite.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #release(): void {
    for (const statement of this.#statements.values()) {
      try {
        statement.finalize();
      } catch {
        // Finalising reports the statement's last error again; it was thrown when it happened.
      }
    }
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }
}

/** Runs `work`; an error of SQLite becomes the fault that says what to do. */
function guard<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof sqlite.SQLite3Error)) throw error;
    const code = BROKEN_FILE.test(messageOf(error)) ? 'store.damaged' : 'store.failed';
    throw new HubError(code, `state database: ${messageOf(error)}`, error);
  }
}
