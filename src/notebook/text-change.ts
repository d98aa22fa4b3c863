/** Changes of a text: the one that was typed, and where a caret goes when others type. */
import type * as Y from 'yjs';

/** The one place where the two texts differ; never between the halves of a character. */
export function changeBetween(
  before: string,
  after: string,
): { readonly start: number; readonly removed: number; readonly inserted: string } {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start += 1;
  if (start > 0 && isHighHalf(before, start - 1)) start -= 1;
  let end = 0;
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  if (end > 0 && isLowHalf(before, before.length - end)) end -= 1;
  return {
    start,
    removed: before.length - end - start,
    inserted: after.slice(start, after.length - end),
  };
}

/** Where a place in the text lies after a change by somebody else. */
export function movedBy(delta: Y.YTextEvent['delta'], place: number): number {
  let at = 0;
  let moved = place;
  for (const { retain = 0, insert, delete: removed = 0 } of delta) {
    at += retain;
    if (at > moved) return moved;
    if (typeof insert === 'string') {
      moved += insert.length;
      at += insert.length;
    }
    moved -= Math.min(removed, moved - at);
  }
  return moved;
}

function isHighHalf(text: string, at: number): boolean {
  return /[\uD800-\uDBFF]/.test(text[at] ?? '');
}

function isLowHalf(text: string, at: number): boolean {
  return /[\uDC00-\uDFFF]/.test(text[at] ?? '');
}
