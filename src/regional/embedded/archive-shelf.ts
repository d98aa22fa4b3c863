/** The batches that an archive keeps as files, for healing. */
import type { StampedOp } from '../../model/op.ts';
import type { Archive } from './archive.ts';
import type { Shelf, ShelvedBatch } from '../healing/shelf.ts';

export function archiveShelf(
  archive: Archive,
  open: (batch: ShelvedBatch) => Promise<readonly StampedOp[]>,
): Shelf {
  return {
    list: async (classes) => archive.list().filter((batch) => classes.includes(batch.class)),
    head: async ({ id }) => archive.head(id),
    open,
  };
}
