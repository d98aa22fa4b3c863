/**
 * Simulated twin of machine-files.ts: a disk in memory that keeps what a real one keeps. Two pictures of every
 * file exist, what programs see (the page cache) and what the medium holds; a sync carries one to the other, and
 * `powerCut` rolls dice over everything in between:
 *
 * - each 512-byte sector that was written and not synced is on the medium or is not, on its own (a torn write);
 * - a size that was not synced is the old one or the new one;
 * - each name made, moved or removed since `syncDir` is there or is not, an operation being lost with all later
 *   ones on the same path.
 *
 * `kill` ends only the process: the page cache stays, which is how a failed sync deceives a restarted program.
 * The disk can be told to crash after the n-th operation, to fail the n-th sync or write, to refuse to read a
 * place (`SimFaults`), to be full, or to be slow. What it does not model: a drive that acknowledges a sync and
 * lies, and sectors that rot on their own (`flipBit` does that by hand).
 */
import { assert, must } from '../../base/assert.ts';
import type { Timers } from '../../base/clock.ts';
import { HubError, systemError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import {
  type DirectoryLock,
  type Files,
  folderOf,
  type OpenFile,
  type OpenMode,
  putInPlace,
} from '../files/files.ts';
import { SECTOR_BYTES, SimInode } from './inode.ts';
import { NameTable } from './names.ts';

/** Thrown by every operation of a program whose machine has crashed; nothing should catch it. */
export class SimCrash extends Error {
  override readonly name = 'SimCrash';
}

interface SimFaults {
  /** The machine dies when this many operations are done. */
  crashAfter?: number | undefined;
  /** Numbers of syncs (1, 2, 3 …) that fail with EIO and lose their dirty pages: the next sync reports success. */
  failSyncs?: ReadonlySet<number>;
  /** Numbers of writes that fail, after they wrote a part. */
  failWrites?: ReadonlyMap<number, 'EIO' | 'ENOSPC'>;
  /** Reads that touch this byte of a file fail with EIO. */
  unreadable?: { readonly path: string; readonly offset: number };
  /** This file does not open, with this code. */
  unopenable?: { readonly path: string; readonly code: string };
}

/** Files made between two looks for those that are gone. */
const SWEEP_FILES = 16;
/** Of files that were removed and might come back with a power cut: beyond that the system has written it back. */
const REMOVED_BYTES_MAX = 8 << 20;

interface SimFilesOptions {
  readonly random: Random;
  /** Room for the contents of all files. */
  readonly capacityBytes?: number;
  /** How long a sync takes; without it, a sync is done before the next event. */
  readonly sync?: { readonly timers: Timers; readonly delayMs: () => number };
}

export class SimFiles implements Files {
  /** What goes wrong; may be changed at any time. */
  readonly faults: SimFaults = {};
  /** Operations done that change something, counted through all crashes. */
  operations = 0;
  syncs = 0;
  writes = 0;
  readonly #random: Random;
  readonly #sync: SimFilesOptions['sync'];
  #capacityBytes: number;
  #names = new NameTable<SimInode>();
  readonly #inodes = new Set<SimInode>();
  #sweepAt = SWEEP_FILES;
  #removedBytes = 0;
  readonly #locks = new Map<string, number>();
  /** Number of the running process; handles and callbacks of earlier ones are dead. */
  #life = 1;
  #crashed = false;

  constructor(options: SimFilesOptions) {
    this.#random = options.random;
    this.#sync = options.sync;
    this.#capacityBytes = options.capacityBytes ?? Number.MAX_SAFE_INTEGER;
  }

  /** True after `faults.crashAfter` was reached, until `kill` or `powerCut`. */
  get crashed(): boolean {
    return this.#crashed;
  }

  /** True where names were made, moved or removed that no `syncDir` has made durable. */
  get hasUnsyncedNames(): boolean {
    return this.#names.hasUnsynced;
  }

  /** Room for the contents of all files, from now on. */
  setCapacity(bytes: number): void {
    this.#capacityBytes = bytes;
  }

  /** Ends the process; what it wrote stays visible to the next one, synced or not. */
  kill(): void {
    this.#life += 1;
    this.#crashed = false;
    this.#locks.clear();
    for (const inode of this.#inodes) inode.kill();
  }

  /** Ends the machine: what was not synced survives by dice. */
  powerCut(): void {
    this.kill();
    this.#names.powerCut(this.#random);
    for (const inode of this.#inodes) inode.powerCut(this.#random);
  }

  /** Turns one bit, on the medium and in the cache alike. */
  flipBit(path: string, offset: number, bit: number): void {
    this.#inodeAt(path).flipBit(offset, bit);
  }

  open(path: string, mode: OpenMode): OpenFile {
    this.#alive();
    const { unopenable } = this.faults;
    if (unopenable?.path === path) throw systemError(unopenable.code, `open ${path}`);
    let inode = this.#names.file(path);
    if (mode === 'create') inode = this.#create(path, inode);
    else if (inode === undefined) throw this.#missing(path);
    return new SimFile(this, path, inode, this.#life);
  }

  exists(path: string): boolean {
    this.#alive();
    return this.#names.has(path);
  }

  read(path: string): Uint8Array | undefined {
    this.#alive();
    return this.#names.file(path)?.content();
  }

  replace(path: string, bytes: Uint8Array): void {
    putInPlace(this, path, (beside) => {
      const file = this.open(beside, 'create');
      file.writeAt(bytes, 0);
      file.datasyncNow();
      file.close();
    });
    this.syncDir(folderOf(path));
  }

  createNew(path: string, bytes: Uint8Array): boolean {
    if (this.exists(path)) return false;
    this.replace(path, bytes);
    return true;
  }

  list(dir: string): string[] {
    this.#alive();
    return this.#names.list(dir);
  }

  makeDir(dir: string): void {
    this.#alive();
    if (this.#names.makeDir(dir)) this.#count();
  }

  rename(from: string, to: string): void {
    this.#alive();
    if (!this.#names.has(from) || !this.#names.has(folderOf(to))) throw this.#missing(from);
    this.#names.rename(from, to);
    this.#count();
  }

  remove(path: string): void {
    this.#alive();
    if (!this.#names.has(path)) return;
    this.#removedBytes += this.#names.file(path)?.size ?? 0;
    this.#names.remove(path);
    if (this.#removedBytes > REMOVED_BYTES_MAX) {
      this.#names.writeBack();
      this.#sweep();
    }
    this.#count();
  }

  syncDir(dir: string): void {
    this.#alive();
    if (!this.#names.has(dir)) throw this.#missing(dir);
    this.syncs += 1;
    if (this.faults.failSyncs?.has(this.syncs) === true) throw systemError('EIO', `fsync ${dir}`);
    this.#names.sync(dir);
    this.#count();
  }

  freeBytes(dir: string): number {
    this.#alive();
    assert(this.#names.has(dir), 'the folder exists');
    return Math.max(0, this.#capacityBytes - this.#usedBytes());
  }

  lockDir(dir: string): DirectoryLock {
    this.#alive();
    if (!this.#names.has(dir)) throw this.#missing(dir);
    if (this.#locks.has(dir))
      throw new HubError('data.locked', `${dir} is held by another process`);
    this.#locks.set(dir, this.#life);
    const life = this.#life;
    return {
      release: () => {
        if (this.#locks.get(dir) === life) this.#locks.delete(dir);
      },
    };
  }

  /** For the handles of this disk: throws where their process is dead. */
  alive(life: number): void {
    if (life !== this.#life) throw new SimCrash('this process is dead');
    this.#alive();
  }

  /** For the handles of this disk. */
  readFrom(inode: SimInode, into: Uint8Array, offset: number, path: string): number {
    const bad = this.faults.unreadable;
    const touches = bad?.path === path && bad.offset >= offset && bad.offset < offset + into.length;
    if (touches) throw systemError('EIO', `read ${path}`);
    return inode.read(into, offset);
  }

  /** For the handles of this disk. */
  writeInto(inode: SimInode, bytes: Uint8Array, offset: number, path: string): void {
    this.writes += 1;
    const fault = this.faults.failWrites?.get(this.writes);
    const room =
      this.#capacityBytes - this.#usedBytes() - inode.bytesToAllocate(offset, bytes.length);
    if (fault === undefined && room >= 0) {
      inode.write(bytes, offset);
      this.#count();
      return;
    }
    inode.write(
      bytes.subarray(0, Math.floor(bytes.length / 2 / SECTOR_BYTES) * SECTOR_BYTES),
      offset,
    );
    this.#count();
    throw systemError(fault ?? 'ENOSPC', `write ${path}`);
  }

  /** For the handles of this disk. */
  truncateTo(inode: SimInode, size: number): void {
    inode.truncate(size);
    this.#count();
  }

  /** For the handles of this disk: begins a sync; the returned function ends it. */
  beginSync(inode: SimInode, path: string): () => void {
    this.syncs += 1;
    const failed = this.faults.failSyncs?.has(this.syncs) === true;
    const end = inode.beginSync();
    return () => {
      end(failed ? 'failed' : 'settled', this.#random);
      this.#count();
      if (failed) throw systemError('EIO', `fdatasync ${path}`);
    };
  }

  /** For the handles of this disk: runs `done` when the sync's time is over, unless the process died meanwhile. */
  whenSynced(life: number, done: () => void): void {
    const ifAlive = (): void => {
      if (life === this.#life && !this.#crashed) done();
    };
    if (this.#sync === undefined) queueMicrotask(ifAlive);
    else this.#sync.timers.after(this.#sync.delayMs(), ifAlive);
  }

  #create(path: string, existing: SimInode | undefined): SimInode {
    if (existing !== undefined) {
      this.truncateTo(existing, 0);
      return existing;
    }
    if (!this.#names.has(folderOf(path))) throw this.#missing(path);
    if (this.#inodes.size >= this.#sweepAt) this.#sweep();
    const inode = new SimInode();
    this.#inodes.add(inode);
    this.#names.add(path, inode);
    this.#count();
    return inode;
  }

  /** Forgets the contents of files that no name can lead to any more: a month of files would fill the memory. */
  #sweep(): void {
    const reachable = this.#names.reachable();
    for (const inode of this.#inodes) if (!reachable.has(inode)) this.#inodes.delete(inode);
    this.#sweepAt = this.#inodes.size + SWEEP_FILES;
    this.#removedBytes = 0;
  }

  #usedBytes(): number {
    if (this.#capacityBytes === Number.MAX_SAFE_INTEGER) return 0;
    let bytes = 0;
    for (const inode of this.#names.files()) bytes += inode.allocatedBytes;
    return bytes;
  }

  #inodeAt(path: string): SimInode {
    return must(this.#names.file(path), `no such file: ${path}`);
  }

  #count(): void {
    this.operations += 1;
    if (this.operations === this.faults.crashAfter) {
      this.#crashed = true;
      throw new SimCrash(`crash after operation ${this.operations}`);
    }
  }

  #alive(): void {
    if (this.#crashed) throw new SimCrash('this machine is dead');
  }

  #missing(path: string): Error {
    return systemError('ENOENT', path);
  }
}

class SimFile implements OpenFile {
  readonly path: string;
  readonly #disk: SimFiles;
  readonly #inode: SimInode;
  readonly #life: number;
  #isClosed = false;

  constructor(disk: SimFiles, path: string, inode: SimInode, life: number) {
    this.#disk = disk;
    this.path = path;
    this.#inode = inode;
    this.#life = life;
  }

  readAt(into: Uint8Array, offset: number): number {
    this.#alive();
    return this.#disk.readFrom(this.#inode, into, offset, this.path);
  }

  writeAt(bytes: Uint8Array, offset: number): void {
    this.#alive();
    this.#disk.writeInto(this.#inode, bytes, offset, this.path);
  }

  fillZeros(offset: number, bytes: number): void {
    this.writeAt(new Uint8Array(bytes), offset);
  }

  size(): number {
    this.#alive();
    return this.#inode.size;
  }

  truncate(size: number): void {
    this.#alive();
    this.#disk.truncateTo(this.#inode, size);
  }

  datasync(done: (error: Error | undefined) => void): void {
    this.#alive();
    const finish = this.#disk.beginSync(this.#inode, this.path);
    this.#disk.whenSynced(this.#life, () => {
      try {
        finish();
      } catch (error) {
        if (error instanceof SimCrash) return; // Dead processes get no calls.
        done(error as Error);
        return;
      }
      done(undefined);
    });
  }

  datasyncNow(): void {
    this.#alive();
    this.#disk.beginSync(this.#inode, this.path)();
  }

  close(): void {
    this.#isClosed = true;
  }

  #alive(): void {
    this.#disk.alive(this.#life);
    if (this.#isClosed) throw systemError('EBADF', `${this.path} is closed`);
  }
}
