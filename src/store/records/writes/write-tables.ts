/**
 * The ops on records in their table, and those on their way there. Undos lie in memory by what they name, and which records have a horizon, since every
 * op that comes is asked about; all else is asked of the table (record-rows.ts).
 */
import { ASSET_HASH_AT } from '../../../merge/asset/asset-version.ts';
import type { OpId } from '../../../merge/op-id.ts';
import { compareTimes, encodeOrder } from '../../../merge/order.ts';
import type { RecordWrite } from '../../../merge/record.ts';
import { ListedOps, type RecordOps } from '../../../merge/record/record-ops.ts';
import { ASSET, AUTHORITY, CONTROL, UNDO } from '../../../model/op.ts';
import { bytesOfOrigin, splitLane } from '../../../model/origin.ts';
import type { VersionVector } from '../../../model/version-vector.ts';
import { type KeyIds, nameOf } from '../../database/key-ids.ts';
import { orderOf, writeOf } from '../../database/rows.ts';
import type { SqliteFile } from '../../database/sqlite.ts';
import { type Crowded, Crowding, type HistoryLimits } from './crowding.ts';
import { LISTED_OPS_MAX, ListedRecords } from './listed-records.ts';
import { PendingWrites } from './pending-writes.ts';
import { COLUMNS, nameOfOp, RecordRows, type Remembered } from './record-rows.ts';
import { UndoIndex } from './undo-index.ts';

const HORIZONS = `
  SELECT ${COLUMNS} FROM writes INDEXED BY writes_horizon WHERE key_id = ? AND kind = ${CONTROL}`;
const FEW = `SELECT ${COLUMNS} FROM writes WHERE key_id = ? LIMIT ${LISTED_OPS_MAX + 1}`;
const ALL = `
  SELECT name, ${COLUMNS} FROM keys JOIN writes ON writes.key_id = keys.id
  ORDER BY name, rank`;
const BY_CONTENT = `
  SELECT name, ${COLUMNS} FROM writes JOIN keys ON keys.id = writes.key_id
  WHERE kind = ${ASSET} AND substr(body, ${ASSET_HASH_AT + 1}, 32) = ? LIMIT ?`;
const NEWEST = `
  SELECT ${COLUMNS} FROM writes WHERE key_id = ? AND rank > ? AND rank < ? ORDER BY rank DESC LIMIT ?`;
const KEY_OF_OP = `
  SELECT name FROM writes INDEXED BY writes_by_op JOIN keys ON keys.id = writes.key_id
  WHERE substr(rank, 10) = ?`;
const COVERED = `
  key_id = ? AND kind <> ${CONTROL}
  AND substr(rank, 10, 8) = ? AND substr(rank, 18, 8) <= ? AND substr(rank, 26, 1) = ?`;
/** Records whose horizons lie in memory, decoded. */
const HORIZONS_MAX = 64;
const NO_OPS = new ListedOps();
const NO_HORIZONS: readonly RecordWrite[] = [];

/** A record that is being looked at over several turns. */
export interface Watch {
  /** Whether one of its ops was taken away, brought back or stamped anew since. */
  readonly isDisturbed: boolean;
  end(): void;
}

export class WriteTables {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  readonly #undos = new UndoIndex();
  /** Records with a horizon. */
  readonly #folded = new Set<number>();
  readonly #horizons = new Map<number, readonly RecordWrite[]>();
  readonly #remembered: Remembered;
  readonly #crowding: Crowding;
  readonly #pending: PendingWrites;
  readonly #listed = new ListedRecords();
  readonly #watched = new Map<number, { isDisturbed: boolean }>();

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
    this.#crowding = new Crowding(db);
    this.#pending = new PendingWrites(db);
    this.#remembered = {
      settle: (keyId) => this.#pending.settle(keyId),
      undos: this.#undos,
      horizonsOf: (keyId) => this.#horizonsOf(keyId),
      listOf: (keyId) => this.#listed.of(keyId, () => this.#readFew(keyId)),
    };
  }

  /** The ops of a record. */
  of(key: string): RecordOps {
    const id = this.#keys.find(key);
    return id === undefined ? NO_OPS : new RecordRows(this.#db, id, this.#remembered);
  }

  /** Keeps an op that is not kept. Its bytes are the caller's again. */
  add(key: string, write: RecordWrite): void {
    const { order, kind, body } = write;
    const id = this.#keys.idOf(key);
    this.#pending.add(id, write);
    this.#listed.add(id, write);
    this.#crowding.noteAdded(id);
    if (kind === UNDO) {
      this.#undos.add(order, body);
      this.#disturb(id);
    } else if (kind === CONTROL) {
      this.#folded.add(id);
      this.#horizons.delete(id);
    }
  }

  /** True where ops should be written into the table before more come. */
  get isFlushDue(): boolean {
    return this.#pending.isDue;
  }

  /** Writes the ops of at most `keysMax` records into the table; true where all are there. */
  flush(keysMax: number): boolean {
    return this.#pending.flush(keysMax);
  }

  /** Writes all of them. */
  flushAll(): void {
    while (!this.#pending.flush(Infinity));
  }

  replace(key: string, before: RecordWrite, write: RecordWrite): void {
    const id = this.#keys.idOf(key);
    this.#drop(id, before);
    this.add(key, write);
    this.#disturb(id);
  }

  dropCovered(key: string, vector: VersionVector, gone: readonly RecordWrite[]): void {
    const id = this.#keys.idOf(key);
    this.#pending.settle(id);
    this.#listed.forget(id);
    for (const [lane, seq] of vector) {
      const { origin, class: opClass } = splitLane(lane);
      const seqBytes = nameOfOp({ origin, class: opClass, seq }).subarray(8, 16);
      const values = [id, bytesOfOrigin(origin), seqBytes, Uint8Array.of(opClass)];
      const undos = `SELECT rank, body FROM writes WHERE kind = ${UNDO} AND ${COVERED}`;
      for (const row of this.#db.rows(undos, values)) {
        this.#undos.drop(orderOf(row), row['body'] as Uint8Array);
      }
      this.#crowding.noteDropped(this.#db.run(`DELETE FROM writes WHERE ${COVERED}`, values));
    }
    for (const horizon of gone) this.#drop(id, horizon);
    this.#disturb(id);
  }

  /** The newest ops of a record, at most `limit`, the earliest first. */
  newest(key: string, limit: number): RecordWrite[] {
    const id = this.#keys.find(key);
    if (id === undefined) return [];
    this.#pending.settle(id);
    // In each authority ranks go by time.
    const writes = Object.values(AUTHORITY).flatMap((authority) => {
      const values = [id, Uint8Array.of(authority), Uint8Array.of(authority + 1), limit];
      return this.#db.rows(NEWEST, values).map((row) => writeOf(row));
    });
    return writes.toSorted((a, b) => compareTimes(a.order, b.order)).slice(-limit);
  }

  /** Key of the record that the op was made on. */
  keyOfOp(op: OpId): string | undefined {
    const pending = this.#pending.keyIdOf(op);
    if (pending !== undefined) return this.#keyOf(pending);
    const row = this.#db.row(KEY_OF_OP, [nameOfOp(op)]);
    return row === undefined ? undefined : nameOf(row['name']);
  }

  *everywhere(): Generator<readonly [string, RecordWrite]> {
    this.flushAll();
    for (const row of this.#db.each(ALL)) yield [nameOf(row['name']), writeOf(row)];
  }

  /** Keys of the records that have ops. */
  keysOfAll(): string[] {
    this.flushAll();
    const sql = 'SELECT name FROM keys WHERE id IN (SELECT key_id FROM writes) ORDER BY name';
    return this.#db.rows(sql).map((row) => nameOf(row['name']));
  }

  /** Records that grew beyond a limit, found in steps, each with the count of ops that shall stay. */
  *crowded(limits: HistoryLimits): Generator<void, (readonly [key: string, keep: number])[]> {
    this.flushAll();
    const crowded: readonly Crowded[] = yield* this.#crowding.look(limits);
    return crowded.map(({ keyId, keep }) => [this.#keyOf(keyId), keep] as const);
  }

  /** Notes what happens to a record; one watch of it at a time. */
  watch(key: string): Watch {
    const id = this.#keys.idOf(key);
    const watched = { isDisturbed: false };
    this.#watched.set(id, watched);
    return {
      get isDisturbed() {
        return watched.isDisturbed;
      },
      end: () => this.#watched.delete(id),
    };
  }

  /** Versions of assets that name the content, standing or not. */
  versionsOf(sha256: Uint8Array, limit: number): (readonly [key: string, write: RecordWrite])[] {
    this.flushAll();
    const rows = this.#db.rows(BY_CONTENT, [sha256, limit]);
    return rows.map((row) => [nameOf(row['name']), writeOf(row)] as const);
  }

  /** Reads what is kept in memory: after opening, and when the tables were replaced. */
  load(): void {
    this.#pending.clear();
    this.#listed.clear();
    this.#undos.clear();
    this.#folded.clear();
    this.#horizons.clear();
    this.#crowding.clear();
    for (const watched of this.#watched.values()) watched.isDisturbed = true;
    for (const row of this.#db.each(`SELECT rank, body FROM writes WHERE kind = ${UNDO}`)) {
      this.#undos.add(orderOf(row), row['body'] as Uint8Array);
    }
    const folded = `SELECT key_id FROM writes INDEXED BY writes_horizon WHERE kind = ${CONTROL}`;
    for (const row of this.#db.rows(folded)) this.#folded.add(row['key_id'] as number);
  }

  /** The ops of a record, in its table and on their way there; some more than `LISTED_OPS_MAX` where it has more. */
  #readFew(keyId: number): RecordWrite[] {
    const rows = this.#db.rows(FEW, [keyId]);
    if (rows.length > LISTED_OPS_MAX) return rows.map((row) => writeOf(row));
    const pending = this.#pending
      .of(keyId)
      .map((write) => ({ ...write, body: write.body.slice() }));
    return [...rows.map((row) => writeOf(row)), ...pending];
  }

  #horizonsOf(keyId: number): readonly RecordWrite[] {
    if (!this.#folded.has(keyId)) return NO_HORIZONS;
    let horizons = this.#horizons.get(keyId);
    if (horizons === undefined) {
      if (this.#horizons.size >= HORIZONS_MAX) this.#horizons.clear();
      this.#pending.settle(keyId);
      horizons = this.#db.rows(HORIZONS, [keyId]).map((row) => writeOf(row));
      this.#horizons.set(keyId, horizons);
    }
    return horizons;
  }

  #disturb(keyId: number): void {
    const watched = this.#watched.get(keyId);
    if (watched !== undefined) watched.isDisturbed = true;
  }

  #keyOf(id: number): string {
    return nameOf(this.#db.row('SELECT name FROM keys WHERE id = ?', [id])?.['name'] ?? null);
  }

  #drop(keyId: number, { order, kind, body }: RecordWrite): void {
    this.#pending.settle(keyId);
    this.#listed.forget(keyId);
    const values = [keyId, encodeOrder(order)];
    const dropped = this.#db.run('DELETE FROM writes WHERE key_id = ? AND rank = ?', values);
    this.#crowding.noteDropped(dropped);
    if (kind === UNDO) this.#undos.drop(order, body);
    if (kind === CONTROL) this.#horizons.delete(keyId);
  }
}
