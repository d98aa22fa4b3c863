/**
 * When a document is full (MERGE.md §9): what a door takes of it. Folding takes whatever came through some door, so a
 * document may have grown beyond its limit all the same, where several hubs filled it before they met.
 */
import type { DocChange } from './read-update.ts';
import { DELETED_REF } from './run.ts';

/** Bytes of a document's state up to which a door takes what makes it longer. */
export const DOC_BYTES_MAX = 1 << 20;
/** Beyond, for what only takes away: a gap in a text costs a few bytes more than the letter that stood there. */
export const DOC_ROOM_TO_DELETE_BYTES = 64 * 1024;

export interface DocSizes {
  /** Of the state as it is. */
  readonly bytes: number;
  /** By which the update makes it longer, or shorter where it is negative. */
  readonly growth: number;
}

/** Whether a door takes the update into a document of this size. */
export function hasRoomFor(change: DocChange, { bytes, growth }: DocSizes): boolean {
  if (growth <= 0 || bytes + growth <= DOC_BYTES_MAX) return true;
  return bytes + growth <= DOC_BYTES_MAX + DOC_ROOM_TO_DELETE_BYTES && onlyTakesAway(change);
}

/** Whether no unit of the update has content. */
function onlyTakesAway({ clients }: DocChange): boolean {
  return [...clients.values()].every(({ runs }) =>
    runs.every(({ content }) => content.ref === DELETED_REF),
  );
}
