/** The conflicts that were met, as store/records/conflict-book.ts keeps them on a hub. */
import { utf8 } from '../../../base/bytes.ts';
import type { Conflict } from '../../../merge/conflicts.ts';
import { textOfOpId } from '../../../merge/op-id.ts';
import { encodeOrder } from '../../../merge/order.ts';
import type { PgRow, Sql } from '../../../platform/network/postgres.ts';
import { labelOf } from '../key-book.ts';
import { nameIn, orderIn } from './record-tables.ts';
import type { RecordConflicts } from './working-set.ts';

const OPEN = 'SELECT * FROM heliograph.conflict WHERE key_id = $1 AND closed_at IS NULL';
const CLOSE =
  'UPDATE heliograph.conflict SET closed_at = to_timestamp($2::float8 / 1000) WHERE id = $1';
const FOUND = `
  INSERT INTO heliograph.conflict (key_id, field, label, kind, winner, loser, found_at)
  VALUES ($1, $2, $3, $4, $5, $6, to_timestamp($7::float8 / 1000))
  ON CONFLICT (key_id, field, winner, loser) DO UPDATE SET closed_at = NULL, kind = excluded.kind`;

/** Compares what is open in the records that changed with what is noted. */
export async function noteConflicts(sql: Sql, met: readonly RecordConflicts[]): Promise<void> {
  for (const { id, lookMs, found } of met) {
    const fresh = new Map(found.map((conflict) => [nameOf(conflict), conflict]));
    for (const row of await sql.query(OPEN, [id])) {
      if (!fresh.delete(nameOf(conflictIn(row)))) {
        await sql.query(CLOSE, [row['id'] as string, lookMs]);
      }
    }
    for (const { field, kind, winner, loser } of fresh.values()) {
      const orders = [encodeOrder(winner), encodeOrder(loser)] as const;
      await sql.query(FOUND, [id, utf8(field), labelOf(field), kind, ...orders, lookMs]);
    }
  }
}

function conflictIn(row: PgRow): Conflict {
  return {
    field: nameIn(row),
    kind: row['kind'] as Conflict['kind'],
    winner: orderIn(row, 'winner'),
    loser: orderIn(row, 'loser'),
  };
}

function nameOf({ field, kind, winner, loser }: Conflict): string {
  return `${kind} ${textOfOpId(winner)} ${textOfOpId(loser)} ${field}`;
}
