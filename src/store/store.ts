/**
 * The state of a site in SQLite: folded from ops by merge/, with the readings over time. Used by the hub,
 * which folds its journal, and by the regional node, one store a site.
 *
 * The invariant: the tables hold exactly the ops that `vector()` and the ranges beyond it name, and all
 * that the journal has up to `checkpointLsn`; both change in one transaction. An op is folded once, known
 * by (lane, seq), so that replaying is harmless. The file is disposable: damaged or deleted, it is folded
 * anew from the journal.
 *
 * After a fault the store refuses everything until it is opened again, because what it remembers of the
 * failed transaction may be ahead of the tables.
 */
import { assert } from '../base/assert.ts';
import { HubError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { finish, type Steps } from '../base/steps.ts';
import { CborError } from '../codec/reader.ts';
import type { EventWrite } from '../merge/fold-target.ts';
import type { StateItem } from '../merge/state/state-item.ts';
import type { WriteOrder } from '../merge/order.ts';
import type { Hlc } from '../model/hlc.ts';
import type { StampedOp } from '../model/op.ts';
import type { Origin } from '../model/origin.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { Files } from '../platform/files/files.ts';
import { putCheckpoint, readCheckpoint } from './database/checkpoint.ts';
import { ConflictBook } from './records/conflict-book.ts';
import { EntryFolder } from './folding/entry-folder.ts';
import { EventGather } from './readings/event-gather.ts';
import { FoldProgress } from './folding/fold-progress.ts';
import { KeyIds } from './database/key-ids.ts';
import { Readings, type ReadingsPage, type ReadingsQuery } from './readings/readings.ts';
import { type Guard, Records } from './records/records.ts';
import { StampRanges } from './records/writes/stamp-ranges.ts';
import { seedWrites } from './database/old-tables.ts';
import { emptyTables, migrate } from './database/schema.ts';
import { type Durability, SqliteFile } from './database/sqlite.ts';
import { type StateDigest, takeDigest } from './state/state-digest.ts';
import { itemsOf, takeItem } from './state/state-items.ts';
import { BootTimes } from './times/boot-times.ts';
import { StateReader } from './state/state-reader.ts';
import { StateTables } from './state/state-tables.ts';

type Lsn = number;

export interface StoreOptions {
  readonly path: string;
  readonly files: Files;
  readonly log: Log;
  /** How long readings stay. */
  readonly readingsDays: number;
  /** Size of the database from which on the oldest readings go, whatever their age; 1 GiB. */
  readonly readingsBytesMax?: number;
  /** `replayable` (a hub, whose journal has it all) by default. */
  readonly durability?: Durability;
}

export interface StoreEntry {
  readonly lsn: Lsn;
  readonly stamped: StampedOp;
}

const READINGS_BYTES_MAX = 1 << 30;

export class Store {
  /** Queries about records. */
  readonly records: Records;
  /** The state by pieces. */
  readonly reader: StateReader;
  readonly #db: SqliteFile;
  readonly #log: Log;
  readonly #keys: KeyIds;
  readonly #tables: StateTables;
  readonly #readings: Readings;
  readonly #gather: EventGather;
  readonly #book: ConflictBook;
  readonly #times: BootTimes;
  readonly #durability: Durability;
  #progress = new FoldProgress();
  #folder: EntryFolder;
  #stagedLsn: Lsn = 0;
  #checkpointLsn: Lsn = 0;
  #durableLsn: Lsn = 0;
  #fault: HubError | undefined;
  #isClosed = false;

  private constructor(options: StoreOptions, db: SqliteFile) {
    this.#db = db;
    this.#log = options.log;
    this.#durability = options.durability ?? 'replayable';
    this.#keys = new KeyIds(db);
    this.#tables = new StateTables(db, this.#keys);
    const bytesMax = options.readingsBytesMax ?? READINGS_BYTES_MAX;
    this.#readings = new Readings(db, this.#keys, { days: options.readingsDays, bytesMax });
    this.#gather = new EventGather(db, this.#keys, this.#readings);
    this.#book = new ConflictBook(db, this.#keys, this.#tables);
    this.#times = new BootTimes(db, this.#keys);
    this.#folder = this.#newFolder();
    const [tables, book, times] = [this.#tables, this.#book, this.#times];
    const parts = { tables, book, times, stamps: new StampRanges(tables.writeTables.places) };
    const guard: Guard = (query) => this.#guarded(query);
    this.records = new Records({ ...parts, guard, seen: () => this.#progress.seen });
    this.reader = this.#newReader();
  }

  /**
   * Opens or makes the database; the folder it lies in must be locked by us. Throws `HubError`:
   * `store.damaged` (`putAside`, and open again), `store.failed`, `data.newer`.
   */
  static open(options: StoreOptions): Store {
    const { files, path, durability = 'replayable' } = options;
    const db = SqliteFile.open({ files, path, durability });
    try {
      migrate(db);
      const store = new Store(options, db);
      store.#load();
      return store;
    } catch (error) {
      db.abandon();
      throw error;
    }
  }

  /** Removes the database; the next open begins with an empty one. */
  static remove(files: Files, path: string): void {
    SqliteFile.remove(files, path);
  }

  /** All of the journal up to here is kept in the tables. */
  get checkpointLsn(): Lsn {
    return this.#checkpointLsn;
  }

  /** All of the journal up to here shows in queries; a crash may take back what is beyond the checkpoint. */
  get appliedLsn(): Lsn {
    return this.#stagedLsn;
  }

  /** All of the journal up to here survives a power cut in the tables: the journal may let go of it. */
  get durableLsn(): Lsn {
    return this.#durability === 'each-commit' ? this.#checkpointLsn : this.#durableLsn;
  }

  get fault(): HubError | undefined {
    return this.#fault;
  }

  /** Folds the ops and moves the checkpoint, in one transaction. */
  apply(entries: readonly StoreEntry[], checkpointLsn: Lsn): void {
    this.stage(entries, checkpointLsn);
    this.commit();
  }

  /**
   * Folds the ops into the open transaction, beginning one where there is none. Queries see them at once;
   * they are kept from the next `commit` on. Large transactions write fewer pages, staging keeps each
   * call short.
   */
  stage(entries: readonly StoreEntry[], checkpointLsn: Lsn): void {
    this.#guarded(() => {
      this.#db.beginOnce();
      for (const { stamped } of entries) this.#folder.fold(stamped);
      if (this.#times.isDue) this.#repairTimes();
      this.#stagedLsn = Math.max(this.#stagedLsn, checkpointLsn);
      this.#progress.noteFills(this.#stagedLsn);
    });
  }

  /**
   * Folds the journal's next entry into the open transaction, as `stage` does; why it cannot be read, or
   * undefined where it was. The bytes are the caller's again afterwards.
   */
  stageEntry(lsn: Lsn, entry: Uint8Array): string | undefined {
    if (this.#fault !== undefined) throw this.#fault;
    this.#stagedLsn = lsn;
    try {
      this.#db.beginOnce();
      this.#folder.take(entry);
      this.#progress.noteFills(lsn);
      if (this.#times.isDue) this.#repairTimes();
      return undefined;
    } catch (error) {
      if (error instanceof CborError) return error.message;
      throw this.#fail(error);
    }
  }

  /** True where `flush` should come before more is staged. */
  get isFlushDue(): boolean {
    return this.#gather.isDue || this.#tables.writeTables.isFlushDue;
  }

  /**
   * Writes a part of what has gathered into the open transaction, of about `rowsMax` rows; true where all is
   * written. `compact` spares the card and costs time.
   */
  flush(rowsMax: number, compact: boolean): boolean {
    return this.#guarded(() => {
      this.#db.beginOnce();
      if (!this.#tables.flushSome(rowsMax)) return false;
      return this.#gather.isEmpty || this.#gather.flush(rowsMax, compact);
    });
  }

  /** Keeps what was staged, with its checkpoint. */
  commit(): void {
    this.#guarded(() => {
      this.#flushAll();
      if (!this.#db.inTransaction) return;
      this.#progress.save(this.#db);
      this.#book.save();
      putCheckpoint(this.#db, { lsn: this.#stagedLsn, isUnsure: this.#tables.isUnsure });
      this.#db.commit();
      this.#checkpointLsn = this.#stagedLsn;
    });
  }

  /** Bytes that went to the file system for this database since it was opened. */
  get writtenBytes(): number {
    return this.#db.writtenBytes;
  }

  /** Pages of 8 KiB that wait for `persist`. */
  unsettledPages(): number {
    return this.#guarded(() => this.#db.walPages());
  }

  /** Makes all that is committed survive a power cut, off the event loop; nothing may be staged meanwhile. */
  async persist(): Promise<Lsn> {
    this.commit();
    const lsn = this.#checkpointLsn;
    try {
      await this.#db.checkpoint();
    } catch (error) {
      throw this.#fail(error);
    }
    this.#durableLsn = lsn;
    return lsn;
  }

  /** How far each lane is folded without a gap. */
  vector(): VersionVector {
    return this.#progress.seen.vector();
  }

  /** The highest seq folded of each lane, gaps or not. */
  highest(): VersionVector {
    return this.#progress.seen.highest();
  }

  /** The newest stamp of a hub among the folded ops. */
  lastStamp(hub: Origin): Hlc | undefined {
    return this.#progress.lastStamp(hub);
  }

  digest(): StateDigest {
    return finish(this.digestInSteps());
  }

  /** The same in small steps. Nothing may be staged before the last of them. */
  *digestInSteps(): Steps<StateDigest> {
    this.#guarded(() => this.#settleState());
    return yield* takeDigest(this.#tables, this.#progress, (step) => this.#guarded(step));
  }

  /** Order of the event that stands for a key, as far as it is written down. */
  eventOrder(key: string): WriteOrder | undefined {
    return this.#guarded(() => this.#tables.eventOrder(key));
  }

  /** Latest event of each key that begins with `prefix`, in byte order, at most `limit` of them. */
  latest(prefix: string, limit = 1000): (readonly [key: string, write: EventWrite])[] {
    return this.#guarded(() => {
      this.#settleState();
      return this.#tables.latest(prefix, limit);
    });
  }

  readings(query: ReadingsQuery): ReadingsPage {
    return this.#guarded(() => this.#readings.query(query, this.#gather));
  }

  /**
   * Removes at most `chunksMax` chunks of readings beyond their limits, in the open transaction, and returns how
   * many went. `nowMs` must come from a clock that is trusted: one that runs ahead would empty the table.
   */
  prune(nowMs: number, chunksMax: number): number {
    return this.#guarded(() => {
      this.#db.beginOnce();
      return this.#readings.prune(nowMs, chunksMax, (day) => this.#times.isWaiting(day));
    });
  }

  /** Sets the checkpoint back, where the journal is not the one that was folded; ops known stay known. */
  rewind(lsn: Lsn): void {
    this.#guarded(() => {
      this.commit();
      this.#db.begin();
      this.#stagedLsn = lsn;
      this.#durableLsn = Math.min(this.#durableLsn, lsn);
      this.commit();
    });
  }

  /** Empties the state, to be folded anew. */
  clear(): void {
    this.#guarded(() => {
      this.commit();
      emptyTables(this.#db);
      this.#keys.forget();
      this.#gather.clear();
      this.#tables.load();
      this.#book.load();
      this.#times.load();
      this.#progress = new FoldProgress();
      this.#folder = this.#newFolder();
      this.#stagedLsn = this.#checkpointLsn = this.#durableLsn = 0;
    });
  }

  /** The whole state, readings excepted. Nothing may be staged until it is read to the end. */
  *dump(): Generator<StateItem> {
    assert(this.#gather.isEmpty, 'what is dumped is committed');
    yield* itemsOf(this.#progress, this.#tables);
  }

  /** Takes over a dumped state that has all of the journal up to `lsn`; the store is empty before. */
  load(items: Iterable<StateItem>, lsn: Lsn): void {
    this.#guarded(() => {
      assert(
        this.#stagedLsn === 0 && this.#progress.seen.count() === 0,
        'only an empty store takes a state',
      );
      this.#db.begin();
      for (const item of items) takeItem(item, this.#progress, this.#tables);
      this.#tables.flushAll();
      seedWrites(this.#db);
      for (const key of this.#tables.writeTables.keysOfAll()) this.#book.look(key, 'all', 0);
      this.#stagedLsn = lsn;
      this.commit();
    });
  }

  /** Keeps what was staged and closes; again, it does nothing. */
  close(): void {
    if (this.#fault !== undefined) {
      this.#db.abandon();
      return;
    }
    if (this.#isClosed) return;
    this.commit();
    this.#db.close();
    this.#isClosed = true;
  }

  #newReader(): StateReader {
    return new StateReader({
      db: this.#db,
      settle: () => this.#settleState(),
      writes: () => this.#tables.writeTables,
      guard: (query) => this.#guarded(query),
      progress: () => this.#progress,
      appliedLsn: () => this.#stagedLsn,
    });
  }

  #newFolder(): EntryFolder {
    const [tables, gather, progress] = [this.#tables, this.#gather, this.#progress];
    return new EntryFolder({ tables, gather, progress, book: this.#book, times: this.#times });
  }

  /** Puts readings where they belong now that it is known when they were made. */
  #repairTimes(): void {
    this.#flushAll();
    this.#times.repair(this.#readings);
  }

  /** Brings all of the state into the tables; readings go on gathering, so that questions do not cut them into pieces. */
  #settleState(): void {
    this.#tables.flushAll();
    if (this.#gather.isEmpty) return;
    this.#db.beginOnce();
    this.#gather.writeNewest();
  }

  #flushAll(): void {
    this.#settleState();
    this.#gather.flush(Infinity, false);
  }

  #load(): void {
    this.#progress.load(this.#db);
    this.#tables.load();
    this.#book.load();
    this.#times.load();
    const { lsn, isUnsure } = readCheckpoint(this.#db);
    this.#tables.isUnsure = isUnsure;
    this.#stagedLsn = this.#checkpointLsn = lsn;
    // What was read back may still lie in the page cache alone; the next `persist` covers it.
    this.#durableLsn = 0;
    this.#log.debug('store.opened', { checkpointLsn: lsn, lanes: this.vector().size });
  }

  #guarded<T>(work: () => T): T {
    if (this.#fault !== undefined) throw this.#fault;
    try {
      return work();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #fail(error: unknown): unknown {
    if (error instanceof HubError && this.#fault === undefined) {
      this.#fault = error;
      this.#log.error('store.fault', { code: error.code, error: error.message });
    }
    return error;
  }
}
