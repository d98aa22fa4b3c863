/** What the columns of the state hold. SQLite keeps no checksums: what is malformed is damage to the file, not a bug. */
import { HubError } from '../../base/errors.ts';
import type { EventWrite } from '../../merge/fold-target.ts';
import { decodeOrder, ORDER_BYTES, type WriteOrder } from '../../merge/order.ts';
import type { SqlRow } from './sqlite.ts';

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

function malformed(what: string): HubError {
  return new HubError('store.damaged', `state database: ${what} is malformed`);
}
