/**
 * A file of zeros that is given up where a full disk has no block for what SQLite needs to open: the folder that it locks by, and
 * its log. A hub that stands still on such a disk would not come back, and nobody would be told why.
 */
import { systemCode } from '../../base/errors.ts';
import type { Files } from '../../platform/files/files.ts';

/** SQLite opens with two blocks; but XFS makes no folder where it could not have dozens for it, and gets by with 1 MiB. */
const SPARE_BYTES = 1 << 20;

/** Lays the file down, and what is missing of it: on a full disk as much as there is room for. */
export function keepSpareRoom(files: Pick<Files, 'exists' | 'open'>, path: string): void {
  try {
    const file = files.open(path, files.exists(path) ? 'update' : 'create');
    try {
      const bytes = file.size();
      if (bytes >= SPARE_BYTES) return;
      file.fillZeros(bytes, SPARE_BYTES - bytes);
      file.datasyncNow();
    } finally {
      file.close();
    }
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

/** Gives its room to others; false where there is none to give. */
export function giveSpareRoom(files: Pick<Files, 'exists' | 'remove'>, path: string): boolean {
  if (!files.exists(path)) return false;
  files.remove(path);
  return true;
}
