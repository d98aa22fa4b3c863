/** The state as items (merge/state/state-item.ts), out of the tables and into them: for snapshots. */
import { unreachable } from '../../base/assert.ts';
import type { StateItem } from '../../merge/state/state-item.ts';
import { laneOf } from '../../model/origin.ts';
import type { FoldProgress } from '../folding/fold-progress.ts';
import type { SeenOps } from '../folding/seen-ops.ts';
import type { StateTables } from './state-tables.ts';

/** The whole state in the order of SNAPSHOT.md §1, readings excepted. */
export function* itemsOf(progress: FoldProgress, tables: StateTables): Generator<StateItem> {
  yield* progress.items();
  for (const [key, order] of tables.tombstones()) yield { type: 'tombstone', key, order };
  for (const [key, write] of tables.writeTables.everywhere()) yield { type: 'write', key, write };
  for (const [key, write] of tables.events()) yield { type: 'event', key, write };
  for (const [key, field, write] of tables.fields()) yield { type: 'field', key, field, write };
  for (const [key, field, counter] of tables.counters()) {
    yield { type: 'counter', key, field, counter };
  }
  for (const [key, doc] of tables.docs()) yield { type: 'doc', key, doc };
}

/** Whether the item is no op on a record, or one that is known by (lane, seq). */
export function isSeen(item: StateItem, seen: SeenOps): boolean {
  if (item.type !== 'write') return true;
  const { origin, class: opClass, seq } = item.write.order;
  return seen.has(laneOf(origin, opClass), seq);
}

/** Takes over one item; what it names is not there yet. */
export function takeItem(item: StateItem, progress: FoldProgress, tables: StateTables): void {
  switch (item.type) {
    case 'lane':
      return progress.seen.load(item);
    case 'hub':
      return progress.noteStamp(item.hub, item.hlc);
    case 'event':
      return tables.putEvent(item.key, item.write);
    case 'tombstone':
      return tables.putTombstone(item.key, item.order);
    case 'field':
      return tables.putField(item.key, item.field, item.write);
    case 'write':
      tables.isUnsure ||= !isSeen(item, progress.seen);
      return tables.writeTables.add(item.key, item.write);
    case 'counter':
      return tables.putCounter(item.key, item.field, item.counter);
    case 'doc':
      return tables.docTables.join(item.key, item.doc);
    default:
      return unreachable(item);
  }
}
