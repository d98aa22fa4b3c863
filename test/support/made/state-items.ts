/** A state in memory as the items of a snapshot, in their order. */
import type { MemoryState } from '../../../src/merge/state/memory-state.ts';
import type { StateItem } from '../../../src/merge/state/state-item.ts';
import type { SeenOps } from '../../../src/store/folding/seen-ops.ts';

export function* itemsOfState(state: MemoryState, seen: SeenOps): Generator<StateItem> {
  for (const { lane, upTo, beyond } of seen.all()) yield { type: 'lane', lane, upTo, beyond };
  for (const key of state.recordKeys()) {
    for (const write of state.writes(key)) yield { type: 'write', key, write };
  }
  for (const [key, write] of state.events()) yield { type: 'event', key, write };
  for (const [key, field, write] of state.fields()) yield { type: 'field', key, field, write };
  for (const [key, field, counter] of state.counters()) {
    yield { type: 'counter', key, field, counter };
  }
  for (const [key, doc] of state.docs()) yield { type: 'doc', key, doc };
}
