/**
 * Files that keep count of what the medium takes through them, by cause, so that nobody who writes has to.
 *
 * The medium takes whole pages of 4 KiB: a block of 200 bytes costs 4,096, and the same page costs again when
 * it is written again after a sync. That is what Linux counts in `write_bytes`, and what this counts: a page
 * that is written several times before it goes down counts once. What is never synced goes down by itself
 * after some time (30 s, `dirty_expire_centisecs`), so a page counts anew after that. Names, lengths and
 * other figures of the file system are not counted.
 */
import type { Clock } from '../../base/clock.ts';
import type { Files, OpenFile } from './files.ts';

const PAGE_BYTES = 4_096;
const WRITEBACK_MS = 30_000;

export interface CountingFiles<Cause extends string> {
  readonly files: Files;
  /** Bytes that the medium took so far, by cause. */
  readonly writtenBytes: Readonly<Record<Cause, number>>;
}

/** Wraps `files`; `causeOf` says on whose account a path is written. */
export function countWrites<Cause extends string>(
  files: Files,
  causes: readonly Cause[],
  causeOf: (path: string) => Cause,
  clock: Pick<Clock, 'monotonicMs'>,
): CountingFiles<Cause> {
  const writtenBytes = Object.fromEntries(causes.map((cause) => [cause, 0])) as Record<
    Cause,
    number
  >;
  const countFor = (path: string): ((bytes: number) => void) => {
    const cause = causeOf(path);
    return (bytes) => {
      writtenBytes[cause] += bytes;
    };
  };
  return {
    writtenBytes,
    files: {
      open: (path, mode) => {
        const file = files.open(path, mode);
        return mode === 'read' ? file : new CountedFile(file, clock, countFor(path));
      },
      replace: (path, bytes) => {
        files.replace(path, bytes);
        countFor(path)(Math.ceil(bytes.length / PAGE_BYTES) * PAGE_BYTES);
      },
      createNew: (path, bytes) => {
        const isMade = files.createNew(path, bytes);
        if (isMade) countFor(path)(Math.ceil(bytes.length / PAGE_BYTES) * PAGE_BYTES);
        return isMade;
      },
      exists: (path) => files.exists(path),
      read: (path) => files.read(path),
      list: (dir) => files.list(dir),
      makeDir: (dir) => files.makeDir(dir),
      rename: (from, to) => files.rename(from, to),
      remove: (path) => files.remove(path),
      syncDir: (dir) => files.syncDir(dir),
      freeBytes: (dir) => files.freeBytes(dir),
      lockDir: (dir) => files.lockDir(dir),
    },
  };
}

class CountedFile implements OpenFile {
  readonly path: string;
  readonly #file: OpenFile;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #count: (bytes: number) => void;
  /** The last page written, while it waits to go down; writers append, so that one is enough to know. */
  #waitingPage = -1;
  #waitingSinceMs = 0;

  constructor(file: OpenFile, clock: Pick<Clock, 'monotonicMs'>, count: (bytes: number) => void) {
    this.path = file.path;
    this.#file = file;
    this.#clock = clock;
    this.#count = count;
  }

  readAt(into: Uint8Array, offset: number): number {
    return this.#file.readAt(into, offset);
  }

  writeAt(bytes: Uint8Array, offset: number): void {
    this.#file.writeAt(bytes, offset);
    this.#note(offset, bytes.length);
  }

  fillZeros(offset: number, bytes: number): void {
    this.#file.fillZeros(offset, bytes);
    this.#note(offset, bytes);
  }

  size(): number {
    return this.#file.size();
  }

  truncate(size: number): void {
    this.#file.truncate(size);
  }

  datasync(done: (error: Error | undefined) => void): void {
    this.#waitingPage = -1;
    this.#file.datasync(done);
  }

  datasyncNow(): void {
    this.#waitingPage = -1;
    this.#file.datasyncNow();
  }

  close(): void {
    this.#file.close();
  }

  #note(offset: number, length: number): void {
    if (length === 0) return;
    const nowMs = this.#clock.monotonicMs();
    const first = Math.floor(offset / PAGE_BYTES);
    const last = Math.floor((offset + length - 1) / PAGE_BYTES);
    const isCounted = first === this.#waitingPage && nowMs - this.#waitingSinceMs < WRITEBACK_MS;
    this.#count((last - first + (isCounted ? 0 : 1)) * PAGE_BYTES);
    if (isCounted && last === first) return;
    this.#waitingPage = last;
    this.#waitingSinceMs = nowMs;
  }
}
