/**
 * The ops on records in their table, and those on their way there. Undos lie in memory by what they name, and which records have a horizon, since every
 * op that comes is asked about; all else is asked of the table (record-rows.ts).
 */
import type { Steps } from '../../../base/steps.ts';
import type { OpId } from '../../../merge/op-id.ts';
import { compareTimes, encodeOrder, orderAt } from '../../../merge/order.ts';
import type { RecordWrite } from '../../../merge/record.ts';
import { ListedOps, type RecordOps } from '../../../merge/record/record-ops.ts';
import { AUTHORITY, CONTROL, UNDO } from '../../../model/op.ts';
import { bytesOfOrigin, splitLane } from '../../../model/origin.ts';
import type { VersionVector } from '../../../model/version-vector.ts';
import { type KeyIds, nameOf } from '../../database/key-ids.ts';
import type { SqliteFile } from '../../database/sqlite.ts';
import { type Crowded, Crowding, type HistoryLimits } from './crowding.ts';
import { LISTED_OPS_MAX, ListedRecords } from './listed-records.ts';
import { OpPlaces } from './op-places.ts';
import {
  bodyOf,
  boundAbove,
  isNamed,
  kindOf,
  nameOfOp,
  packedOf,
  type PackedWrite,
  packWrite,
  unpackWrite,
  writeOf,
} from './packed-write.ts';
import { contentMark, dropMark, PendingWrites } from './pending-writes.ts';
import { blobOf, KIND_IN_OP, ONE, RecordRows, type Remembered } from './record-rows.ts';
import { UndoIndex } from './undo-index.ts';

const MARKED = `
  SELECT marked.key_id, op FROM marked CROSS JOIN writes ON writes.key_id = marked.key_id
  AND op > rank AND op < CAST(rank || x'ff' AS BLOB) WHERE mark = ?`;
const HORIZONS = `${MARKED} AND marked.key_id = ?`;
const FEW = `SELECT op FROM writes WHERE key_id = ? LIMIT ${LISTED_OPS_MAX + 1}`;
const ALL = `
  SELECT name, op FROM keys JOIN writes ON writes.key_id = keys.id
  ORDER BY name, op`;
const NEWEST = `
  SELECT op FROM writes WHERE key_id = ? AND op > ? AND op < ? ORDER BY op DESC LIMIT ?`;
const DROP = 'DELETE FROM writes WHERE key_id = ? AND op > ? AND op < ?';
const COVERED = `
  key_id = ? AND ${KIND_IN_OP} <> ${blobOf(CONTROL)}
  AND substr(op, 10, 8) = ? AND substr(op, 18, 8) <= ? AND substr(op, 26, 1) = ?`;
/** Records whose horizons lie in memory, decoded. */
const HORIZONS_MAX = 64;
const NO_OPS = new ListedOps();
const NO_HORIZONS: readonly RecordWrite[] = [];

/** A record that is being looked at over several turns. */
interface Watch {
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
  /** Where each op lies. */
  readonly places: OpPlaces;
  readonly #listed = new ListedRecords();
  readonly #watched = new Map<number, { isDisturbed: boolean }>();

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
    this.#crowding = new Crowding(db);
    this.#pending = new PendingWrites(db);
    this.places = new OpPlaces(db);
    this.#remembered = {
      settle: (keyId) => this.#pending.settle(keyId),
      undos: this.#undos,
      horizonsOf: (keyId) => this.#horizonsOf(keyId),
      listOf: (keyId) => this.#listed.of(keyId, () => this.#readFew(keyId)),
      findOp: (op) => this.#findOp(op),
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
    this.#listed.add(id, this.#pending.add(id, write));
    this.places.put(id, write);
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
    if (!this.#pending.flush(keysMax)) return false;
    this.places.flush();
    return true;
  }

  /** Writes all of them. */
  flushAll(): void {
    while (!this.flush(Infinity));
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
      const covered = this.#db.rows(`SELECT op FROM writes WHERE ${COVERED}`, values);
      for (const row of covered) this.#forgetOp(id, packedOf(row));
      if (covered.length > 0) this.#db.run(`DELETE FROM writes WHERE ${COVERED}`, values);
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
    const place = this.places.find(op);
    return place && this.#keyOf(place.keyId);
  }

  /** The op and its record; undefined where it is not kept. */
  find(op: OpId): readonly [key: string, write: RecordWrite] | undefined {
    const found = this.#findOp(op);
    return found && [this.#keyOf(found.keyId), found.write];
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
  *crowded(limits: HistoryLimits): Steps<(readonly [key: string, keep: number])[]> {
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
    const rows = this.#db.rows(`${MARKED} LIMIT ?`, [contentMark(sha256), limit]);
    return rows.map((row) => [this.#keyOf(row['key_id'] as number), writeOf(row)] as const);
  }

  /** Reads what is kept in memory: after opening, and when the tables were replaced. */
  load(): void {
    this.#pending.clear();
    this.places.clear();
    this.#listed.clear();
    this.#undos.clear();
    this.#folded.clear();
    this.#horizons.clear();
    this.#crowding.clear();
    for (const watched of this.#watched.values()) watched.isDisturbed = true;
    for (const row of this.#db.each(MARKED, [Uint8Array.of(UNDO)])) {
      const undo = writeOf(row);
      this.#undos.add(undo.order, undo.body);
    }
    const folded = 'SELECT key_id FROM marked WHERE mark = ?';
    for (const row of this.#db.rows(folded, [Uint8Array.of(CONTROL)])) {
      this.#folded.add(row['key_id'] as number);
    }
  }

  /** The ops of a record, in its table and on their way there; some more than `LISTED_OPS_MAX` where it has more. */
  #readFew(keyId: number): PackedWrite[] {
    const ops = this.#db.rows(FEW, [keyId]).map((row) => packedOf(row));
    return ops.length > LISTED_OPS_MAX ? ops : [...ops, ...this.#pending.of(keyId)];
  }

  #findOp(op: OpId): { readonly keyId: number; readonly write: RecordWrite } | undefined {
    const place = this.places.find(op);
    if (place === undefined) return undefined;
    const { keyId, order } = place;
    const name = nameOfOp(op);
    const pending = this.#pending.of(keyId).find((packed) => isNamed(packed, name));
    if (pending !== undefined) return { keyId, write: unpackWrite(pending) };
    const row = this.#db.row(ONE, [keyId, encodeOrder(order), boundAbove(order)]);
    return row && { keyId, write: writeOf(row) };
  }

  #horizonsOf(keyId: number): readonly RecordWrite[] {
    if (!this.#folded.has(keyId)) return NO_HORIZONS;
    let horizons = this.#horizons.get(keyId);
    if (horizons === undefined) {
      if (this.#horizons.size >= HORIZONS_MAX) this.#horizons.clear();
      this.#pending.settle(keyId);
      horizons = this.#db
        .rows(HORIZONS, [Uint8Array.of(CONTROL), keyId])
        .map((row) => writeOf(row));
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

  #drop(keyId: number, write: RecordWrite): void {
    const { order } = write;
    this.#pending.settle(keyId);
    this.#listed.forget(keyId);
    const dropped = this.#db.run(DROP, [keyId, encodeOrder(order), boundAbove(order)]);
    if (dropped > 0) this.#forgetOp(keyId, packWrite(write));
  }

  /** What is remembered of an op that leaves the table. */
  #forgetOp(keyId: number, packed: PackedWrite): void {
    const order = orderAt(packed, 0);
    const kind = kindOf(packed);
    this.#crowding.noteDropped(1);
    this.places.drop(keyId, order);
    dropMark(this.#db, keyId, packed);
    if (kind === UNDO) this.#undos.drop(order, bodyOf(packed));
    if (kind === CONTROL) this.#horizons.delete(keyId);
  }
}
