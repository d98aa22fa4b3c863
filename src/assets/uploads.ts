/**
 * Contents that come in order, by HTTP: each grows in a file of its own until it has all its bytes. What came stays when
 * the connection breaks, so that the sender goes on from there; its hash is judged when it is whole. Sizes stand in
 * the names, what has come is the length of the file: after a power cut its end may be wrong, and the hash says so.
 */
import type { Timers } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { hexOf } from '../base/bytes.ts';
import type { Files, OpenFile } from '../platform/files/files.ts';
import { synced } from '../platform/files/off-loop.ts';
import type { ContentId } from './content-id.ts';
import { hashFile } from './hash-file.ts';

/** Uploads that are kept; beyond it the longest untouched goes. */
const UPLOADS_MAX = 16;

export class Upload {
  readonly path: string;
  /** Bytes that it will have. */
  readonly size: number;
  readonly #file: OpenFile;
  readonly #release: () => void;
  #received: number;

  constructor(path: string, size: number, file: OpenFile, release: () => void) {
    this.path = path;
    this.size = size;
    this.#file = file;
    this.#release = release;
    this.#received = Math.min(size, file.size());
  }

  get received(): number {
    return this.#received;
  }

  get isWhole(): boolean {
    return this.#received === this.size;
  }

  append(bytes: Uint8Array): void {
    this.#file.writeAt(bytes, this.#received);
    this.#received += bytes.length;
  }

  readAt(into: Uint8Array, offset: number): number {
    return this.#file.readAt(into, offset);
  }

  /** Makes it survive a power cut, and says what it is. */
  async hash(timers: Timers): Promise<ContentId> {
    await synced(this.#file);
    return hashFile(this.#file, this.size, timers);
  }

  /** Others may go on with it. */
  close(): void {
    this.#file.close();
    this.#release();
  }
}

export class Uploads {
  readonly #files: Files;
  readonly #dir: string;
  readonly #random: Random;
  /** The longest untouched first. */
  readonly #names: Set<string>;
  readonly #open = new Set<string>();

  constructor(files: Files, dir: string, random: Random) {
    this.#files = files;
    this.#dir = dir;
    this.#random = random;
    files.makeDir(dir);
    const names = files.list(dir);
    for (const name of names.filter((each) => !isNamed(each))) files.remove(`${dir}/${name}`);
    this.#names = new Set(names.filter((name) => isNamed(name)));
  }

  /** Bytes of an upload that are here. */
  received(id: ContentId, size: number): number {
    const path = `${this.#dir}/${id}.${size}`;
    if (!this.#files.exists(path)) return 0;
    const file = this.#files.open(path, 'read');
    const received = Math.min(size, file.size());
    file.close();
    return received;
  }

  /** Goes on with an upload, or begins it; without an id it has no name and cannot be gone on with. Undefined while somebody else has it, or too many are open. */
  take(id: ContentId | undefined, size: number): Upload | undefined {
    const name = id === undefined ? `new-${hexOf(this.#random.bytes(8))}` : `${id}.${size}`;
    if (this.#open.has(name) || this.#open.size >= UPLOADS_MAX) return undefined;
    this.#names.delete(name);
    for (const oldest of this.#names) {
      if (this.#names.size < UPLOADS_MAX) break;
      if (!this.#open.has(oldest)) this.#remove(oldest);
    }
    const path = `${this.#dir}/${name}`;
    const file = this.#files.open(path, this.#files.exists(path) ? 'update' : 'create');
    this.#names.add(name);
    this.#open.add(name);
    return new Upload(path, size, file, () => {
      this.#open.delete(name);
      if (id === undefined) this.#remove(name);
    });
  }

  /** Forgets an upload that is closed. */
  drop(id: ContentId, size: number): void {
    this.#remove(`${id}.${size}`);
  }

  #remove(name: string): void {
    this.#names.delete(name);
    this.#files.remove(`${this.#dir}/${name}`);
  }
}

function isNamed(name: string): boolean {
  return /^[0-9a-f]{64}\.[0-9]+$/.test(name);
}
