/** What the columns of the state hold. SQLite keeps no checksums: what is malformed is damage to the file, not a bug. */
import { HubError } from '../../base/errors.ts';
import type { EventWrite } from '../../merge/fold-target.ts';
import type { FieldWrite } from '../../merge/record.ts';
import { decodeOrder, ORDER_BYTES, type WriteOrder } from '../../merge/order.ts';
import { type Counter, totalOfBytes } from '../../merge/record.ts';
import type { SqlRow } from './sqlite.ts';

const TOTAL_BYTES = 8;

export function orderOf(row: SqlRow): WriteOrder {
  const rank = row['rank'];
  if (!(rank instanceof Uint8Array) || rank.length !== ORDER_BYTES) throw malformed('a rank');
  return decodeOrder(rank);
}

export function rankOf(row: SqlRow | undefined): WriteOrder | undefined {
  return row === undefined ? undefined : orderOf(row);
}

export function eventOf(row: SqlRow): EventWrite {
  return { order: orderOf(row), body: row['body'] as Uint8Array };
}

export function fieldOf(row: SqlRow): FieldWrite {
  return { order: orderOf(row), value: row['value'] as Uint8Array };
}

export function counterOf(row: SqlRow): Counter {
  const total = row['total'];
  if (!(total instanceof Uint8Array) || total.length !== TOTAL_BYTES) throw malformed('a counter');
  return { total: totalOfBytes(total), adds: row['adds'] as number };
}

function malformed(what: string): HubError {
  return new HubError('store.damaged', `state database: ${what} is malformed`);
}
