/**
 * The state by pieces, for replicas that catch up: events and ops on records, by the order of their keys or by
 * the origin that made them. Each call reads few rows, so that a large state is walked without stopping the hub.
 */
import { assert } from '../../base/assert.ts';
import { concatBytes, utf8 } from '../../base/bytes.ts';
import type { OpId } from '../../merge/op-id.ts';
import { encodeOrder, ORIGIN_AT } from '../../merge/order.ts';
import type { StateItem } from '../../merge/state/state-item.ts';
import { ALARM } from '../../model/class.ts';
import { type Lane, type Origin, ORIGIN_BYTES } from '../../model/origin.ts';
import type { SeqRange } from '../../model/seq-ranges.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { FoldProgress } from '../folding/fold-progress.ts';
import { docOf } from '../records/doc-tables.ts';
import { nameOfOp } from '../records/writes/record-rows.ts';
import { nameOf } from '../database/key-ids.ts';
import type { Guard } from '../records/records.ts';
import { eventOf, writeOf } from '../database/rows.ts';
import type { SqliteFile, SqlRow, SqlValue } from '../database/sqlite.ts';

/** Keys from `from` on, before `to`, by their UTF-8. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** Some items, and where to go on; `next` is undefined where the range has no more. */
export interface StatePiece {
  readonly items: readonly StateItem[];
  readonly next: Uint8Array | undefined;
}

/** What the tables hold at the moment when a walk begins. */
export interface WalkStart {
  /** How far each lane is folded without a gap. */
  readonly vector: VersionVector;
  /** How far it is folded, gaps or not. */
  readonly highest: VersionVector;
  readonly lsn: number;
}

const EVENTS = `
  SELECT name, rank, body FROM keys JOIN events ON events.key_id = keys.id
  WHERE name >= ? AND name < ? ORDER BY name LIMIT ?`;
const DOCS = `
  SELECT name, heads, state FROM keys JOIN docs ON docs.key_id = keys.id
  WHERE name >= ? AND name < ? ORDER BY name LIMIT ?`;
const REST_OF_KEY = `
  SELECT name, rank, kind, body, stamp FROM keys JOIN writes ON writes.key_id = keys.id
  WHERE name = ? AND rank > ? ORDER BY rank LIMIT ?`;
// Key by key: the outer loop goes by names, whatever SQLite thinks of the tables' sizes.
const WRITES = `
  SELECT name, rank, kind, body, stamp FROM keys CROSS JOIN writes ON writes.key_id = keys.id
  WHERE name >= ? AND name < ? ORDER BY name, rank LIMIT ?`;
const WRITES_OF_ORIGIN = `
  SELECT name, rank, kind, body, stamp FROM writes INDEXED BY writes_by_op
  JOIN keys ON keys.id = writes.key_id
  WHERE substr(rank, 10) > ? AND substr(rank, 10) < ? ORDER BY substr(rank, 10) LIMIT ?`;
const WRITE_OF = `
  SELECT name, rank, kind, body, stamp FROM writes INDEXED BY writes_by_op
  JOIN keys ON keys.id = writes.key_id WHERE substr(rank, 10) = ?`;
/** Between a key and a rank in a position; no UTF-8 has it. */
const RANK_MARK = 0xff;
const AFTER = Uint8Array.of(0);
/** Behind every seq and class. */
const END = new Uint8Array(10).fill(0xff);

/** What the reader needs of its store. */
export interface ReaderParts {
  readonly db: SqliteFile;
  /** Writes what is gathered elsewhere into the tables. */
  readonly settle: () => void;
  /** The same for ops on records alone. */
  readonly settleWrites: () => void;
  readonly guard: Guard;
  readonly progress: () => FoldProgress;
  readonly appliedLsn: () => number;
}

export class StateReader {
  readonly #parts: ReaderParts;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  /** The beginning of a walk, which shows at least this much. */
  begin(): WalkStart {
    const { settle, guard, progress, appliedLsn } = this.#parts;
    guard(settle);
    const { seen } = progress();
    return { vector: seen.vector(), highest: seen.highest(), lsn: appliedLsn() };
  }

  /** What is folded of the lane. */
  rangesOf(lane: Lane): readonly SeqRange[] {
    return this.#parts.progress().seen.rangesOf(lane);
  }

  /** LSN of the last op that came after later ones of its lane. */
  get filledLsn(): number {
    return this.#parts.progress().filledLsn;
  }

  /** LSN at which a state was taken over last. */
  get joinedLsn(): number {
    return this.#parts.progress().joinedLsn;
  }

  /** Latest events of the keys in the range, from `position` on. */
  events({ from, to }: KeyRange, position: Uint8Array | undefined, rowsMax: number): StatePiece {
    const rows = this.#rows(EVENTS, [position ?? from, to, rowsMax]);
    const items = rows.map((row): StateItem => ({
      type: 'event',
      key: nameOf(row['name']),
      write: eventOf(row),
    }));
    return this.#piece(items, rowsMax, 'keys');
  }

  /** Documents in the range, from `position` on. */
  docs({ from, to }: KeyRange, position: Uint8Array | undefined, rowsMax: number): StatePiece {
    const rows = this.#rows(DOCS, [position ?? from, to, rowsMax]);
    const items = rows.map((row): StateItem => ({
      type: 'doc',
      key: nameOf(row['name']),
      doc: docOf(row),
    }));
    return this.#piece(items, rowsMax, 'keys');
  }

  /** Ops on the records in the range, by key and rank, from `position` on. */
  writes({ from, to }: KeyRange, position: Uint8Array | undefined, rowsMax: number): StatePiece {
    const start = position ?? from;
    const mark = start.indexOf(RANK_MARK);
    const firstKey = mark < 0 ? start : start.subarray(0, mark);
    const rest =
      mark < 0 ? [] : this.#rows(REST_OF_KEY, [firstKey, start.subarray(mark + 1), rowsMax]);
    const nextKey = mark < 0 ? firstKey : concatBytes([firstKey, AFTER]);
    const others =
      rest.length < rowsMax ? this.#rows(WRITES, [nextKey, to, rowsMax - rest.length]) : [];
    return this.#piece(writeItemsOf([...rest, ...others]), rowsMax, 'keys');
  }

  /** Ops on records that one origin made, from beyond `afterSeq` or from `position` on. */
  writesOf(
    origin: Origin,
    afterSeq: number,
    position: Uint8Array | undefined,
    rowsMax: number,
  ): StatePiece {
    // All classes of a seq lie beside each other: the first one would be excluded by its own name.
    const from = position ?? nameOfOp({ origin, class: ALARM, seq: afterSeq + 1 }).subarray(0, -1);
    const rows = this.#rows(WRITES_OF_ORIGIN, [from, endOf(origin), rowsMax]);
    return this.#piece(writeItemsOf(rows), rowsMax, 'origins');
  }

  /** The op on a record as it counts now; undefined where it is not kept. */
  writeItem(op: OpId): StateItem | undefined {
    const { guard, settleWrites } = this.#parts;
    guard(settleWrites);
    return writeItemsOf(this.#rows(WRITE_OF, [nameOfOp(op)]))[0];
  }

  /** Position behind an item in a walk by keys, or by origins. */
  behind(item: StateItem, by: 'keys' | 'origins'): Uint8Array {
    assert('key' in item, 'a reader gives what has a key');
    if (item.type !== 'write') return concatBytes([utf8(item.key), AFTER]);
    if (by === 'origins') return encodeOrder(item.write.order).slice(ORIGIN_AT);
    const key = utf8(item.key);
    return concatBytes([key, Uint8Array.of(RANK_MARK), encodeOrder(item.write.order)]);
  }

  #piece(items: readonly StateItem[], rowsMax: number, by: 'keys' | 'origins'): StatePiece {
    const last = items.at(-1);
    const isEnd = items.length < rowsMax || last === undefined;
    return { items, next: isEnd ? undefined : this.behind(last, by) };
  }

  #rows(sql: string, values: SqlValue[]): SqlRow[] {
    const { db, guard } = this.#parts;
    return guard(() => db.rows(sql, values));
  }
}

function writeItemsOf(rows: readonly SqlRow[]): StateItem[] {
  return rows.map((row) => ({ type: 'write', key: nameOf(row['name']), write: writeOf(row) }));
}

/** Behind all ops of the origin, before those of the next. */
function endOf(origin: Origin): Uint8Array {
  return concatBytes([nameOfOp({ origin, class: ALARM, seq: 0 }).subarray(0, ORIGIN_BYTES), END]);
}
