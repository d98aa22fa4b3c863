/**
 * A file of zeros that is given up where a full disk has no block for what SQLite needs to open: the folder that it locks by, and
 * its log. A hub that stands still on such a disk would not come back, and nobody would be told why.
 */
import { systemCode } from '../../base/errors.ts';
import type { Files } from '../../platform/files/files.ts';

/** Sixteen blocks of most file systems; SQLite opens with two. */
const SPARE_BYTES = 64 * 1024;

/** Lays the file down, where it is not there and there is room. */
export function keepSpareRoom(files: Pick<Files, 'exists' | 'replace'>, path: string): void {
  if (files.exists(path)) return;
  try {
    files.replace(path, new Uint8Array(SPARE_BYTES));
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
