/**
 * Times of ops that were made while their maker's clock was not set, or is in doubt (MERGE.md §11). Such an op says when it was
 * made only in milliseconds of its maker's boot. The first op of the same boot that knows the time says when that boot was; from then on
 * all of that boot have a time. Order, state and digest go by HLC and stamp as before: only what people are shown changes.
 *
 * What waits is remembered by rows: which reading, or which op on a record, lies at which moment of which boot.
 */
import { addTo } from '../../base/groups.ts';
import { type OpId, textOfOpId } from '../../merge/op-id.ts';
import type { StampedOp } from '../../model/op.ts';
import { bytesOfOrigin, type Origin } from '../../model/origin.ts';
import type { KeyIds } from '../database/key-ids.ts';
import type { OpScan } from '../folding/op-scan.ts';
import { DAY_MS } from '../readings/reading-chunk.ts';
import type { Readings, Retimed } from '../readings/readings.ts';
import type { SqliteFile, SqlRow } from '../database/sqlite.ts';
import { isAsGood, isInDoubt } from './doubt.ts';

/** What an op on a record says of its time, where it is not as good as its HLC. */
export interface OpTime {
  readonly quality: 'unknown' | 'doubtful' | 'repaired';
  /** UTC, where it is known by now. */
  readonly atMs: number | undefined;
}

interface Boot {
  /** UTC of its beginning; undefined while nobody has told. */
  startMs: number | undefined;
  /** Whether something of it waits. */
  isWaiting: boolean;
}

/** Boots in memory; those of which nothing waits are read again when they come again. */
const BOOTS_MAX = 4096;
/** Readings that may wait for a time; beyond, those that came first stay where their HLC puts them. */
const WAITING_MAX = 100_000;
/** So many of them give up at once. */
const GIVE_UP = 10_000;
/** Ops on records whose moment is kept; of later ones the HLC is shown. */
const UNDATED_OPS_MAX = 200_000;
const GET_BOOT = 'SELECT start_ms FROM boots WHERE origin = ? AND boot_id = ?';
const PUT_BOOT = 'INSERT OR REPLACE INTO boots (origin, boot_id, start_ms) VALUES (?, ?, ?)';
const ADD_READING = `
  INSERT INTO undated_readings (origin, boot_id, monotonic_ms, own_start_ms, key_id, at_ms)
  VALUES (?, ?, ?, ?, ?, ?)`;
const READINGS_OF = `
  SELECT key_id, at_ms, monotonic_ms, own_start_ms FROM undated_readings WHERE origin = ? AND boot_id = ?
  ORDER BY key_id, id`;
const WAITING_DAYS = `SELECT DISTINCT at_ms / ${DAY_MS} AS day FROM undated_readings`;
const ADD_OP = `
  INSERT OR IGNORE INTO undated_ops (op, origin, boot_id, monotonic_ms, own_start_ms)
  VALUES (?, ?, ?, ?, ?)`;
const OP_TIME = `
  SELECT monotonic_ms, own_start_ms, start_ms FROM undated_ops
  LEFT JOIN boots ON boots.origin = undated_ops.origin AND boots.boot_id = undated_ops.boot_id
  WHERE op = ?`;

export class BootTimes {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  readonly #boots = new Map<string, Boot>();
  /** Boots whose beginning became known while something of them waited. */
  readonly #due: { readonly origin: Origin; readonly bootId: number; readonly startMs: number }[] =
    [];
  #waiting = 0;
  /** Days (UTC) on which readings lie that wait. */
  readonly #waitingDays = new Set<number>();
  #undatedOps = 0;
  /** The boot that was met last and is known: ops come in runs. */
  #recentOrigin: Origin | undefined;
  #recentBootId = 0;

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
  }

  /** Moment of the reading that the scan stands on: that of its HLC, or a repaired one. */
  readingMs(scan: OpScan, origin: Origin, key: string): number {
    const { quality, bootId, monotonicMs, ms, ownMs } = scan;
    if (quality > 0 && !isInDoubt(ownMs, scan.stampMs)) {
      if (this.#recentOrigin !== origin || this.#recentBootId !== bootId) {
        this.#learn(origin, bootId, ownMs - monotonicMs);
      }
      return ms;
    }
    const boot = this.#boot(origin, bootId);
    const ownStartMs = quality > 0 ? ownMs - monotonicMs : null;
    if (boot.startMs !== undefined) {
      return isAsGood(ownStartMs, boot.startMs) ? ms : boot.startMs + monotonicMs;
    }
    if (this.#waiting >= WAITING_MAX) this.#forgetOldest();
    this.#waiting += 1;
    this.#waitingDays.add(Math.floor(ms / DAY_MS));
    boot.isWaiting = true;
    const made = [bytesOfOrigin(origin), bootId, monotonicMs, ownStartMs];
    this.#db.run(ADD_READING, [...made, this.#keys.idOf(key), ms]);
    return ms;
  }

  /** Whether readings lie on that day which wait for their time. */
  isWaiting(day: number): boolean {
    return this.#waitingDays.has(day);
  }

  /** Takes note of the time of an op on a record. */
  note({ op, stamp }: StampedOp): void {
    const { origin, clock, hlc } = op;
    const { quality, bootId, monotonicMs } = clock;
    const ownStartMs = hlc.ms - monotonicMs;
    if (quality === 'unknown' || isInDoubt(hlc.ms, stamp.hlc.ms)) {
      if (this.#undatedOps >= UNDATED_OPS_MAX) return;
      const made = [bytesOfOrigin(origin), bootId, monotonicMs];
      const values = [textOfOpId(op), ...made, quality === 'unknown' ? null : ownStartMs];
      this.#undatedOps += this.#db.run(ADD_OP, values);
    } else if (this.#recentOrigin !== origin || this.#recentBootId !== bootId) {
      this.#learn(origin, bootId, ownStartMs);
    }
  }

  /** Undefined where the HLC of the op is its time. */
  timeOf(op: OpId): OpTime | undefined {
    const row = this.#db.row(OP_TIME, [textOfOpId(op)]);
    if (row === undefined) return undefined;
    const [startMs, ownStartMs] = [row['start_ms'], row['own_start_ms'] as number | null];
    if (typeof startMs !== 'number') {
      return { quality: ownStartMs === null ? 'unknown' : 'doubtful', atMs: undefined };
    }
    if (isAsGood(ownStartMs, startMs)) return undefined;
    return { quality: 'repaired', atMs: startMs + (row['monotonic_ms'] as number) };
  }

  /** True where readings can be put where they belong; what has gathered must be written before. */
  get isDue(): boolean {
    return this.#due.length > 0;
  }

  /** Puts the readings that waited where they belong, in the open transaction. */
  repair(readings: Readings): void {
    for (const { origin, bootId, startMs } of this.#due.splice(0)) {
      const boot = [bytesOfOrigin(origin), bootId];
      for (const [keyId, moves] of movesByKey(this.#db.rows(READINGS_OF, boot), startMs)) {
        readings.retime(keyId, moves);
      }
      const sql = 'DELETE FROM undated_readings WHERE origin = ? AND boot_id = ?';
      this.#waiting -= this.#db.run(sql, boot);
    }
    this.#loadDays();
  }

  /** Reads what is kept in memory: after opening, and when the tables were emptied. */
  load(): void {
    this.#boots.clear();
    this.#due.length = 0;
    this.#recentOrigin = undefined;
    this.#waiting = this.#countOf('undated_readings');
    this.#undatedOps = this.#countOf('undated_ops');
    this.#loadDays();
  }

  /** A boot that has not told in so long will not tell any more; newer ones may. */
  #forgetOldest(): void {
    const oldest = 'SELECT id FROM undated_readings ORDER BY id LIMIT ?';
    const sql = `DELETE FROM undated_readings WHERE id IN (${oldest})`;
    this.#waiting -= this.#db.run(sql, [GIVE_UP]);
    this.#loadDays();
  }

  #loadDays(): void {
    this.#waitingDays.clear();
    for (const { day } of this.#db.rows(WAITING_DAYS, [])) this.#waitingDays.add(day as number);
  }

  #countOf(table: string): number {
    return this.#db.row(`SELECT count(*) AS count FROM ${table}`)?.['count'] as number;
  }

  #learn(origin: Origin, bootId: number, startMs: number): void {
    this.#recentOrigin = origin;
    this.#recentBootId = bootId;
    const boot = this.#boot(origin, bootId);
    if (boot.startMs !== undefined) return;
    boot.startMs = startMs;
    this.#db.run(PUT_BOOT, [bytesOfOrigin(origin), bootId, startMs]);
    if (boot.isWaiting) this.#due.push({ origin, bootId, startMs });
    boot.isWaiting = false;
  }

  #boot(origin: Origin, bootId: number): Boot {
    const name = `${origin} ${bootId}`;
    const known = this.#boots.get(name);
    if (known !== undefined) return known;
    const values = [bytesOfOrigin(origin), bootId];
    const startMs = this.#db.row(GET_BOOT, values)?.['start_ms'];
    const waits = 'SELECT 1 FROM undated_readings WHERE origin = ? AND boot_id = ? LIMIT 1';
    const boot: Boot = {
      startMs: typeof startMs === 'number' ? startMs : undefined,
      isWaiting: this.#waiting > 0 && this.#db.row(waits, values) !== undefined,
    };
    if (this.#boots.size >= BOOTS_MAX) this.#boots.clear();
    this.#boots.set(name, boot);
    return boot;
  }
}

function movesByKey(rows: readonly SqlRow[], startMs: number): Map<number, Retimed[]> {
  const moves = new Map<number, Retimed[]>();
  for (const row of rows) {
    if (isAsGood(row['own_start_ms'] as number | null, startMs)) continue;
    const keyId = row['key_id'] as number;
    const move = {
      fromMs: row['at_ms'] as number,
      toMs: startMs + (row['monotonic_ms'] as number),
    };
    addTo(moves, keyId, move);
  }
  return moves;
}
