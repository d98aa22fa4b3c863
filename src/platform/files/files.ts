/**
 * Files as the hub needs them: positional reads and writes, an explicit sync, atomic renames. Everything is
 * synchronous except `datasync`, which waits for the card and must not stop the event loop. The simulated
 * twin (sim/files.ts) can crash after any operation, fill up, fail a sync and write short.
 *
 * Errors are thrown as the system gives them, with their `code` (`ENOSPC`, `EIO`, `ENOENT` …).
 */
import { EMPTY_BYTES, textOf } from '../../base/bytes.ts';

/** For the way out of a write that failed, which is told, not this: half a file on a full disk is in everybody's way. */
export function removeHalf(files: Pick<Files, 'remove'>, path: string): void {
  try {
    files.remove(path);
  } catch {
    // A disk that takes nothing does not give anything away either.
  }
}

/** Has `write` make a file beside `path`, and gives it that name; where either fails, nothing of it stays. */
export function putInPlace(
  files: Pick<Files, 'rename' | 'remove'>,
  path: string,
  write: (beside: string) => void,
): void {
  const beside = `${path}.new`;
  try {
    write(beside);
    files.rename(beside, path);
  } catch (error) {
    removeHalf(files, beside);
    throw error;
  }
}

/** What a small file says, without the blanks around it; nothing where it is not there, or holds no text. */
export function textIn(files: Pick<Files, 'read'>, path: string): string {
  return textOf(files.read(path) ?? EMPTY_BYTES)?.trim() ?? '';
}

/** The folder that a file lies in; of a bare name the one that the program runs in. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  if (slash < 0) return '.';
  return slash === 0 ? '/' : path.slice(0, slash);
}

export interface OpenFile {
  readonly path: string;
  /** Fills `into` from `offset`; returns how many bytes there were, fewer only at the end of the file. */
  readAt(into: Uint8Array, offset: number): number;
  /** Writes all of `bytes` at `offset`, or throws; a crash may leave any part of them. */
  writeAt(bytes: Uint8Array, offset: number): void;
  /**
   * Writes `bytes` zeros at `offset`, for room that small blocks will be written into later. Page by page, because
   * Linux keeps what one call wrote as one folio, and counts all of it as written each time a byte of it changes.
   */
  fillZeros(offset: number, bytes: number): void;
  size(): number;
  truncate(size: number): void;
  /** Calls back when all that was written before is on the medium (fdatasync), off the event loop. */
  datasync(done: (error: Error | undefined) => void): void;
  /** The same, waiting: for start-up and rare metadata only. */
  datasyncNow(): void;
  /** Whatever is asked of it afterwards throws `EBADF`; a second close does nothing. */
  close(): void;
}

/** `read`: must exist. `update`: must exist, read and write. `create`: made or emptied, read and write, mode 0600. */
export type OpenMode = 'read' | 'update' | 'create';

export interface DirectoryLock {
  release(): void;
}

export interface Files {
  open(path: string, mode: OpenMode): OpenFile;
  exists(path: string): boolean;
  /** The whole file, or undefined where there is none. */
  read(path: string): Uint8Array | undefined;
  /** Replaces a file so that a crash leaves the old or the new one: write beside, sync, rename, sync the folder. */
  replace(path: string, bytes: Uint8Array): void;
  /**
   * Puts a file, whole and durable, where there is none; false where there is one, which stays. Of processes that do so at once
   * exactly one succeeds.
   */
  createNew(path: string, bytes: Uint8Array): boolean;
  /** Names in the folder, sorted; empty where there is none. */
  list(dir: string): string[];
  /** Makes the folder and its parents, mode 0700. */
  makeDir(dir: string): void;
  rename(from: string, to: string): void;
  /** Removes a file or a whole folder; nothing happens where there is none. */
  remove(path: string): void;
  /** Makes renames, new names and removals in the folder durable. */
  syncDir(dir: string): void;
  /** Bytes that a normal user can still write below `dir`. */
  freeBytes(dir: string): number;
  /**
   * Takes the folder for this process; throws `HubError('data.locked')` that names the holder where another
   * lives. A dead holder does not block.
   */
  lockDir(dir: string): DirectoryLock;
}
