/** Own ops by the key that they are about, in the order of their birth. */
import type { Op } from '../../model/op.ts';

interface WithOp {
  readonly op: Pick<Op, 'key'>;
}

export function byKeyOf<E extends WithOp>(entries: readonly E[]): Map<string, E[]> {
  const map = new Map<string, E[]>();
  for (const entry of entries) addByKey(map, entry);
  return map;
}

export function addByKey<E extends WithOp>(map: Map<string, E[]>, entry: E): void {
  const known = map.get(entry.op.key);
  if (known === undefined) map.set(entry.op.key, [entry]);
  else known.push(entry);
}
