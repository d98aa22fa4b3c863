/**
 * Which writes the writer of a patch has before its eyes: that is how conflicts are told from order (MERGE.md §7). An edit that
 * takes time knows what stood when it began, and nothing of what has come since.
 */
import { isDispute } from '../../merge/conflicts.ts';
import type { OpId } from '../../merge/op-id.ts';
import { SEEN_MAX } from '../../merge/patch.ts';
import type { View } from './view.ts';

export type SeenOf = (field: string) => readonly OpId[];

/** Who sees what stands has seen those, too, that say the same; `knowsAll`: whatever they say. */
export function seenOf(view: View, key: string, knowsAll = false): SeenOf {
  const record = view.record(key);
  return (field) => {
    const standing = record.fields.get(field)?.order;
    const losers = view.conflicts(key, field).filter((each) => knowsAll || !isDispute(each));
    const known = losers.map(({ loser }) => loser);
    return (standing === undefined ? known : [standing, ...known]).slice(0, SEEN_MAX);
  };
}

/** The same as it is now, whatever comes. */
export function seenNow(view: View, key: string): SeenOf {
  const seen = seenOf(view, key);
  const known = new Map([...view.record(key).fields.keys()].map((field) => [field, seen(field)]));
  return (field) => known.get(field) ?? [];
}
