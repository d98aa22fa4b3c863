/**
 * The machine's files. Promises what files.ts says; the waiting sync runs on Node's thread pool, everything
 * else is a system call on the spot, because a call into the page cache is shorter than a promise.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

import { HubError, systemCode, systemError } from '../../base/errors.ts';
import { lockDirectory } from './directory-lock.ts';
import { type Files, type OpenFile, type OpenMode, putInPlace } from './files.ts';
import { remove } from './remove.ts';

const FLAGS: Record<OpenMode, string> = { read: 'r', update: 'r+', create: 'w+' };
const FILE_MODE = 0o600;
const ZERO_PAGE = new Uint8Array(4_096);
const FOLDER_MODE = 0o700;
const NAME_BYTES = 6;
/** What `link` says where the file system has none. */
const WITHOUT_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

class MachineFile implements OpenFile {
  readonly path: string;
  /** Undefined once closed: the system may have given the number to another file by then. */
  #open: number | undefined;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#open = descriptor;
  }

  get #descriptor(): number {
    if (this.#open === undefined) throw systemError('EBADF', `${this.path} is closed`);
    return this.#open;
  }

  readAt(into: Uint8Array, offset: number): number {
    let done = 0;
    while (done < into.length) {
      const count = readSync(this.#descriptor, into, done, into.length - done, offset + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  writeAt(bytes: Uint8Array, offset: number): void {
    let done = 0;
    while (done < bytes.length) {
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done);
    }
  }

  fillZeros(offset: number, bytes: number): void {
    for (let done = 0; done < bytes; done += ZERO_PAGE.length) {
      this.writeAt(ZERO_PAGE.subarray(0, bytes - done), offset + done);
    }
  }

  size(): number {
    return fstatSync(this.#descriptor).size;
  }

  truncate(size: number): void {
    ftruncateSync(this.#descriptor, size);
  }

  datasync(done: (error: Error | undefined) => void): void {
    fdatasync(this.#descriptor, (error) => done(error ?? undefined));
  }

  datasyncNow(): void {
    fdatasyncSync(this.#descriptor);
  }

  close(): void {
    if (this.#open === undefined) return;
    closeSync(this.#open);
    this.#open = undefined;
  }
}

/** A pipe without a writer would be waited for, and a device never ends: neither is a file. */
function readWhole(path: string): Uint8Array {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() && !stat.isDirectory()) {
      throw systemError('EINVAL', `${path} is a pipe or a device`);
    }
    return new Uint8Array(readFileSync(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** The result, or undefined where the path does not exist. */
function whereItExists<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function syncDir(dir: string): void {
  const descriptor = openSync(dir, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function open(path: string, mode: OpenMode): OpenFile {
  return new MachineFile(path, openSync(path, FLAGS[mode], FILE_MODE));
}

function writeWhole(path: string, bytes: Uint8Array): void {
  const file = open(path, 'create');
  try {
    file.writeAt(bytes, 0);
    file.datasyncNow();
  } finally {
    file.close();
  }
}

function replace(path: string, bytes: Uint8Array): void {
  putInPlace(machineFiles, path, (beside) => writeWhole(beside, bytes));
  syncDir(dirname(path));
}

/**
 * One plain call a folder. Node's recursive one says of a read-only disk that the folder is not there, and never comes
 * back where a parent is there and takes no folder (`/proc`).
 */
function makeDir(dir: string): void {
  if (isFolder(dir)) return;
  const above = dirname(dir);
  if (above !== dir) makeDir(above);
  try {
    mkdirSync(dir, FOLDER_MODE);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    if (isFolder(dir)) return;
    const what = existsSync(dir)
      ? 'is no folder'
      : 'is a link to what is not there: is its disk mounted?';
    throw new HubError('files.refused', `${dir} ${what}`, error);
  }
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

/** A link fails where its name is taken, a rename does not; a name of its own, since others write at the same moment. */
function createNew(path: string, bytes: Uint8Array): boolean {
  if (existsSync(path)) return false;
  const beside = `${path}.${randomBytes(NAME_BYTES).toString('hex')}.new`;
  try {
    writeWhole(beside, bytes);
    linkOrRename(beside, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    remove(beside);
    syncDir(dirname(path));
  }
}

/** File systems without links (FAT on a stick) are nobody's shared folder. */
function linkOrRename(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!WITHOUT_LINKS.has(systemCode(error) ?? '')) throw error;
    renameSync(from, to);
  }
}

export const machineFiles: Files = {
  open,
  exists: existsSync,
  read: (path) => whereItExists(() => readWhole(path)),
  replace,
  createNew,
  list: (dir) => whereItExists(() => readdirSync(dir).toSorted()) ?? [],
  makeDir,
  rename: renameSync,
  remove,
  syncDir,
  freeBytes: (dir) => {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  },
  lockDir: lockDirectory,
};
