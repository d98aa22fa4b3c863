/**
 * The state by pieces, for replicas that catch up: events and ops on records, by the order of their keys or by
 * the origin that made them. Each call reads few rows, so that a large state is walked without stopping the hub.
 */
import { assert } from '../../base/assert.ts';
import { compareBytes, concatBytes, utf8 } from '../../base/bytes.ts';
import type { OpId } from '../../merge/op-id.ts';
import { encodeOrder, orderAt, ORIGIN_AT } from '../../merge/order.ts';
import type { StateItem } from '../../merge/state/state-item.ts';
import type { Lane, Origin } from '../../model/origin.ts';
import type { SeqRange } from '../../model/seq-ranges.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { FoldProgress } from '../folding/fold-progress.ts';
import { docOf } from '../records/doc-tables.ts';
import type { Place } from '../records/writes/op-places.ts';
import { nameOfOp, writeOf } from '../records/writes/packed-write.ts';
import type { WriteTables } from '../records/writes/write-tables.ts';
import { nameOf } from '../database/key-ids.ts';
import type { Guard } from '../records/records.ts';
import { eventOf } from '../database/rows.ts';
import type { SqliteFile, SqlRow, SqlValue } from '../database/sqlite.ts';

/** Keys from `from` on, before `to`, by their UTF-8. */
interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** Some items, and where to go on; `next` is undefined where the range has no more. */
interface StatePiece {
  readonly items: readonly StateItem[];
  readonly next: Uint8Array | undefined;
}

/** What the tables hold at the moment when a walk begins. */
interface WalkStart {
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
  SELECT name, op FROM keys JOIN writes ON writes.key_id = keys.id
  WHERE name = ? AND op > ? ORDER BY op LIMIT ?`;
// Key by key: the outer loop goes by names, whatever SQLite thinks of the tables' sizes.
const WRITES = `
  SELECT name, op FROM keys CROSS JOIN writes ON writes.key_id = keys.id
  WHERE name >= ? AND name < ? ORDER BY name, op LIMIT ?`;
/** Between a key and a rank in a position; no UTF-8 has it. */
const RANK_MARK = 0xff;
const AFTER = Uint8Array.of(0);
/** Behind a rank: no kind is 0xff. */
const ABOVE_KINDS = Uint8Array.of(0xff);

/** What the reader needs of its store. */
interface ReaderParts {
  readonly db: SqliteFile;
  /** Writes what is gathered elsewhere into the tables. */
  readonly settle: () => void;
  readonly writes: () => WriteTables;
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
      mark < 0
        ? []
        : this.#rows(REST_OF_KEY, [firstKey, behindRank(start.subarray(mark + 1)), rowsMax]);
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
    const items = this.#parts.guard(() => {
      const found: StateItem[] = [];
      for (const { order } of this.#placesOf(origin, afterSeq, position)) {
        const item = this.#itemOf(order);
        if (item !== undefined) found.push(item);
        if (found.length === rowsMax) break;
      }
      return found;
    });
    return this.#piece(items, rowsMax, 'origins');
  }

  /** The op on a record as it counts now; undefined where it is not kept. */
  writeItem(op: OpId): StateItem | undefined {
    return this.#parts.guard(() => this.#itemOf(op));
  }

  /** Position behind an item in a walk by keys, or by origins. */
  behind(item: StateItem, by: 'keys' | 'origins'): Uint8Array {
    assert('key' in item, 'a reader gives what has a key');
    if (item.type !== 'write') return concatBytes([utf8(item.key), AFTER]);
    if (by === 'origins') return encodeOrder(item.write.order).slice(ORIGIN_AT);
    const key = utf8(item.key);
    return concatBytes([key, Uint8Array.of(RANK_MARK), encodeOrder(item.write.order)]);
  }

  /** Of a position in a walk by origins: all ops of the origin with lower numbers lie before it. */
  seqAt(position: Uint8Array): number {
    return seqIn(position);
  }

  #itemOf(op: OpId): StateItem | undefined {
    const found = this.#parts.writes().find(op);
    return found && { type: 'write', key: found[0], write: found[1] };
  }

  /** Of an origin, behind the seq, or behind the position. */
  *#placesOf(origin: Origin, afterSeq: number, position: Uint8Array | undefined): Generator<Place> {
    const { places } = this.#parts.writes();
    const from = position === undefined ? afterSeq + 1 : seqIn(position);
    for (const place of places.ofOrigin(origin, from)) {
      const isBehind = position === undefined || compareBytes(nameOfOp(place.order), position) > 0;
      if (isBehind) yield place;
    }
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

/** Behind all ops of this rank. */
function behindRank(rank: Uint8Array): Uint8Array {
  return concatBytes([rank, ABOVE_KINDS]);
}

/** In a position of a walk by origins. */
function seqIn(position: Uint8Array): number {
  return orderAt(concatBytes([new Uint8Array(ORIGIN_AT), position]), 0).seq;
}
