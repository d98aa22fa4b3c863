/**
 * A content that is still being gathered from pieces: its bytes, at their place, and a map of which cells of the grid are
 * there (ASSETS.md §2). The map is written behind the bytes that it speaks of, so it never claims what a power cut took.
 *
 * The pieces of one origin make one part: who sends wrong bytes under somebody's hash spoils nobody's part but its own.
 */
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { type AssetPiece, GRID_BYTES } from '../model/asset-bytes.ts';
import type { Origin } from '../model/origin.ts';
import type { Files, OpenFile } from '../platform/files/files.ts';
import { synced } from '../platform/files/off-loop.ts';
import type { ContentId } from './content-id.ts';

interface PartName {
  readonly id: ContentId;
  readonly size: number;
  readonly origin: Origin;
}

const NAME = /^([0-9a-f]{64})\.([1-9][0-9]{0,9})\.([0-9a-f]{16})$/;

export function textOfPart({ id, size, origin }: PartName): string {
  return `${id}.${size}.${origin}`;
}

/** Undefined for a file that is no part. */
export function partOfText(text: string): PartName | undefined {
  const [, id, size, origin] = NAME.exec(text) ?? [];
  if (id === undefined || origin === undefined) return undefined;
  return { id: id as ContentId, size: Number(size), origin: origin as Origin };
}

export class Part {
  readonly name: PartName;
  readonly path: string;
  readonly #files: Files;
  readonly #cells: Uint8Array;
  #missing: number;
  #file: OpenFile | undefined;
  #isDirty = false;
  #isGone = false;

  private constructor(files: Files, dir: string, name: PartName) {
    this.#files = files;
    this.name = name;
    this.path = `${dir}/${textOfPart(name)}`;
    const count = Math.ceil(name.size / GRID_BYTES);
    this.#cells = new Uint8Array(count);
    this.#missing = count;
  }

  /** The part as far as its map says; an empty one where there is none, or where it cannot be read. */
  static open(files: Files, dir: string, name: PartName): Part {
    const part = new Part(files, dir, name);
    if (!files.exists(part.path)) {
      files.remove(`${part.path}.map`); // Of an earlier part; it speaks of bytes that are gone.
      return part;
    }
    part.#readMap();
    return part;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  /** Removed: whoever was at work on it has nothing to finish. */
  get isGone(): boolean {
    return this.#isGone;
  }

  get isDirty(): boolean {
    return this.#isDirty;
  }

  /** Bytes that are here, whole cells counted. */
  get bytes(): number {
    return Math.min(this.name.size, (this.#cells.length - this.#missing) * GRID_BYTES);
  }

  /** Writes what is not here yet. */
  put({ offset, data }: Pick<AssetPiece, 'offset' | 'data'>): void {
    const first = offset / GRID_BYTES;
    const last = first + Math.ceil(data.length / GRID_BYTES);
    if (this.#cells.subarray(first, last).every((cell) => cell === 1)) return;
    this.file().writeAt(data, offset);
    for (let cell = first; cell < last; cell++) {
      if (this.#cells[cell] === 0) this.#missing -= 1;
      this.#cells[cell] = 1;
    }
    this.#isDirty = true;
  }

  /**
   * Makes bytes and map survive a power cut, off the event loop for the bytes. What a card does not take is not here: the
   * system counts such bytes as written from then on, and would not try them again.
   */
  async sync(): Promise<void> {
    const file = this.file();
    const cells = this.#cells.slice();
    this.#isDirty = false;
    try {
      await synced(file);
      if (!this.#isGone) this.#writeMap(cells);
    } catch (error) {
      if (this.#isGone) return;
      this.#readMap();
      throw error;
    }
  }

  /** The same, waiting. */
  syncNow(): void {
    this.#isDirty = false;
    try {
      this.file().datasyncNow();
      this.#writeMap(this.#cells);
    } catch (error) {
      this.#readMap();
      throw error;
    }
  }

  /** Open for reading and writing. */
  file(): OpenFile {
    this.#file ??= this.#files.open(this.path, this.#files.exists(this.path) ? 'update' : 'create');
    return this.#file;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  remove(): void {
    this.#isGone = true;
    this.close();
    this.#files.remove(`${this.path}.map`);
    this.#files.remove(this.path);
  }

  /** Goes by what the map says, and nothing else. */
  #readMap(): void {
    const map = this.#files.read(`${this.path}.map`);
    const cells = map === undefined ? undefined : cellsIn(map, this.#cells.length);
    this.#cells.fill(0);
    if (cells !== undefined) this.#cells.set(cells);
    this.#missing = this.#cells.reduce((missing, cell) => missing - cell, this.#cells.length);
  }

  #writeMap(cells: Uint8Array): void {
    const bits = new Uint8Array(Math.ceil(cells.length / 8));
    for (const [index, cell] of cells.entries()) {
      if (cell === 1) bits[index >> 3] = (bits[index >> 3] as number) | (0x80 >> (index & 7));
    }
    const map = new CborWriter(bits.length + 16).array(2).uint(cells.length).bytes(bits).finish();
    this.#files.replace(`${this.path}.map`, map);
  }
}

function cellsIn(map: Uint8Array, count: number): Uint8Array | undefined {
  try {
    const reader = new CborReader(map);
    reader.expectArray(2);
    if (reader.uint() !== count) return undefined;
    const bits = reader.bytes();
    if (!reader.atEnd || bits.length !== Math.ceil(count / 8)) return undefined;
    return Uint8Array.from(
      { length: count },
      (_, index) => ((bits[index >> 3] as number) >> (7 - (index & 7))) & 1,
    );
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}
