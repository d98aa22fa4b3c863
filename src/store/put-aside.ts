/**
 * A damaged state database makes way for a new one. Readings that have left the journal may be in it alone: it stays beside
 * until somebody has looked, and a later one does not take its place.
 */
import { type Files, folderOf } from '../platform/files/files.ts';
import { SqliteFile } from './database/sqlite.ts';

/** Where one lies that made way: because it is damaged, of a newer version, or from before it was folded anew. */
export function asideOf(path: string, why: 'damaged' | 'newer' | 'before'): string {
  return `${path}.${why}`;
}

/**
 * Returns its new name; or undefined where it was removed, because that name is taken or the disk has no room for another of
 * its size beyond `keptBytes`.
 */
export function putAside(files: Files, path: string, keptBytes: number): string | undefined {
  const file = files.open(path, 'read');
  const bytes = file.size();
  file.close();
  if (files.freeBytes(folderOf(path)) - keptBytes >= bytes) return putUnreadAside(files, path);
  SqliteFile.remove(files, path);
  return undefined;
}

/** The same of one that may not even open; nobody asks for room. */
export function putUnreadAside(files: Files, path: string): string | undefined {
  const aside = asideOf(path, 'damaged');
  if (files.exists(aside)) {
    SqliteFile.remove(files, path);
    return undefined;
  }
  SqliteFile.rename(files, path, aside);
  return aside;
}
