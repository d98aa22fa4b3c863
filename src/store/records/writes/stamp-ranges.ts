/**
 * The stamps of the ops on records, lane by lane: what two hubs compare to find the ops that they have under different
 * ones (sync/peers/PEERS.md §3).
 */
import { concatBytes, EMPTY_BYTES } from '../../../base/bytes.ts';
import type { OpStamp } from '../../../merge/op-stamps.ts';
import { CLASS_AT, ORIGIN_AT } from '../../../merge/order.ts';
import { type Lane, splitLane } from '../../../model/origin.ts';
import { writeOf } from '../../database/rows.ts';
import { sha256Hasher } from '../../sha256-hasher.ts';
import type { SqliteFile, SqlRow } from '../../database/sqlite.ts';
import { COLUMNS, nameOfOp } from './record-rows.ts';

const IN_LANE = `
  SELECT ${COLUMNS} FROM writes INDEXED BY writes_by_op
  WHERE substr(rank, 10) >= ? AND substr(rank, 10) <= ? ORDER BY substr(rank, 10)`;
const DIGEST_BYTES = 8;

export class StampRanges {
  readonly #db: SqliteFile;
  readonly #settle: () => void;

  /** `settle` writes what is not in the table yet. */
  constructor(db: SqliteFile, settle: () => void) {
    this.#db = db;
    this.#settle = settle;
  }

  /** Eight bytes over the stamps of the lane's ops from `from` to `to`: equal where all of them are. */
  digest(lane: Lane, from: number, to: number): Uint8Array {
    const marks = this.#rows(lane, from, to).flatMap(({ rank, stamp }) => [
      (rank as Uint8Array).subarray(0, 1),
      (rank as Uint8Array).subarray(ORIGIN_AT),
      (stamp as Uint8Array | null) ?? EMPTY_BYTES,
    ]);
    const hasher = sha256Hasher();
    hasher.update(concatBytes(marks));
    return hasher.finish().subarray(0, DIGEST_BYTES);
  }

  /** The stamps of these ops, as far as they are kept. */
  list(lane: Lane, from: number, to: number): OpStamp[] {
    return this.#rows(lane, from, to).flatMap((row) => {
      const { order, stamp } = writeOf(row);
      if (stamp === undefined) return [];
      const { origin, class: opClass, seq, authority } = order;
      return { op: { origin, class: opClass, seq }, authority, ...stamp };
    });
  }

  #rows(lane: Lane, from: number, to: number): SqlRow[] {
    const { origin, class: opClass } = splitLane(lane);
    const nameOf = (seq: number): Uint8Array => nameOfOp({ origin, class: opClass, seq });
    this.#settle();
    return this.#db
      .rows(IN_LANE, [nameOf(from), nameOf(to)])
      .filter(({ rank }) => (rank as Uint8Array)[CLASS_AT] === opClass);
  }
}
