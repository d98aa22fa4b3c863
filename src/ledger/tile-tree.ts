/**
 * A Merkle tree that is kept as its hash tiles (C2SP tlog-tiles): at each level of tiles 256 hashes side by side, the
 * hash over a full tile being one hash of the level above. Appending a leaf copies 32 bytes; every 256th hashes
 * a tile. So everything that was ever appended can be proven, at 32.1 bytes a leaf.
 *
 *   hashes of a level   │ full tiles, in a file │ full tiles, not written yet │ the open tile │
 *
 * A file holds full tiles only, one behind the other, and is only ever grown: no synced byte is written over, so
 * a torn write cannot reach what was durable. Open tiles go into the ledger's state file (ledger-state.ts).
 */
import { assert } from '../base/assert.ts';
import { type Files, folderOf, type OpenFile } from '../platform/files/files.ts';
import { synced } from '../platform/files/off-loop.ts';
import { foldHashes } from './lanes/node-lanes.ts';
import { HASH_BYTES } from './merkle.ts';
import { rootOf } from './proofs.ts';

export const TILE_HEIGHT = 8;
export const TILE_HASHES = 2 ** TILE_HEIGHT;
export const TILE_BYTES = TILE_HASHES * HASH_BYTES;
/** Tiles read at once by a search, and their leaves. */
const FIND_TILES = 16;
const FIND_LEAVES = FIND_TILES * TILE_HASHES;
const findBuffer = new Uint8Array(FIND_TILES * TILE_BYTES);
/** Read tiles that are kept in memory. */
const READ_MAX = 8;
/**
 * Tiles that were written and wait to be filled again, of all trees. One that is thrown away lies in the old heap until V8 looks
 * through all of it: at 50,000 ops a second that were up to 50 MB. 4 MiB; twice as many as a ledger lets gather, for others come
 * while they are written.
 */
const SPARE_MAX = 512;
const spareTiles: Uint8Array[] = [];

/** The open tile of each level, and how many full tiles stand before it. */
export interface OpenTile {
  readonly fullTiles: number;
  readonly hashes: Uint8Array;
}

interface Level {
  /** Full tiles that the file holds durably. */
  written: number;
  unwritten: Uint8Array[];
  open: Uint8Array;
  openHashes: number;
}

/** What a tree needs of a disk. */
export type TileFiles = Pick<Files, 'open' | 'syncDir'>;

export class TileTree {
  readonly #files: TileFiles;
  readonly #path: string;
  readonly #levels: Level[] = [];
  readonly #readTiles = new Map<string, Uint8Array>();
  #size = 0;

  /** Level L is kept in the file `<path>.<L>`; `tiles` as they were saved, none for an empty tree. */
  constructor(files: TileFiles, path: string, tiles: readonly OpenTile[] = []) {
    this.#files = files;
    this.#path = path;
    for (const { fullTiles, hashes } of tiles) {
      const level = newLevel(fullTiles);
      level.open.set(hashes);
      level.openHashes = hashes.length / HASH_BYTES;
      this.#levels.push(level);
    }
    const leaves = this.#levels[0];
    if (leaves !== undefined) this.#size = leaves.written * TILE_HASHES + leaves.openHashes;
  }

  get size(): number {
    return this.#size;
  }

  get unwrittenTiles(): number {
    return this.#levels.reduce((sum, level) => sum + level.unwritten.length, 0);
  }

  append(leafHash: Uint8Array): void {
    this.#size += 1;
    let hash = leafHash;
    for (let at = 0; ; at++) {
      const level = (this.#levels[at] ??= newLevel(0));
      level.open.set(hash, level.openHashes * HASH_BYTES);
      level.openHashes += 1;
      if (level.openHashes < TILE_HASHES) return;
      const tile = level.open;
      level.unwritten.push(tile);
      level.open = emptyTile();
      level.openHashes = 0;
      hash = foldHashes(tile, 0, TILE_HASHES);
    }
  }

  /** Root over the first `size` leaves. */
  root(size = this.#size): Uint8Array {
    assert(size <= this.#size, 'a tree has the roots of its past only');
    return rootOf(this.node, size);
  }

  readonly node = (level: number, index: number): Uint8Array => {
    const within = level % TILE_HEIGHT;
    const count = 2 ** within;
    const first = index * count;
    const tileLevel = (level - within) / TILE_HEIGHT;
    const tile = this.#tile(tileLevel, Math.floor(first / TILE_HASHES));
    return foldHashes(tile, first % TILE_HASHES, count);
  };

  /** The first `width` hashes of a tile; undefined where the tree has not so many there. */
  tile(level: number, index: number, width: number): Uint8Array | undefined {
    const own = this.#levels[level];
    if (own === undefined) return undefined;
    const open = own.written + own.unwritten.length;
    const hashes = index < open ? TILE_HASHES : index === open ? own.openHashes : 0;
    if (width > hashes) return undefined;
    return this.#tile(level, index).slice(0, width * HASH_BYTES);
  }

  /** Index of the leaf that has this hash, looking at all of them from a guess outwards: 10 ms for a million. */
  find(leafHash: Uint8Array, near: number): number | undefined {
    const leaves = this.#levels[0];
    if (leaves === undefined) return undefined;
    const runs = Math.ceil(this.#size / FIND_LEAVES);
    const first = Math.max(0, Math.min(runs - 1, Math.floor(near / FIND_LEAVES)));
    let file: OpenFile | undefined;
    const read = (run: number): number | undefined => {
      const tile = run * FIND_TILES;
      if (tile >= leaves.written) return this.#findUnwritten(leafHash, leaves, tile);
      file ??= this.#files.open(this.#levelPath(0), 'read');
      const tiles = Math.min(FIND_TILES, leaves.written - tile);
      const hashes = findBuffer.subarray(0, tiles * TILE_BYTES);
      file.readAt(hashes, tile * TILE_BYTES);
      const found = hashIn(hashes, leafHash);
      if (found !== undefined) return tile * TILE_HASHES + found;
      return this.#findUnwritten(leafHash, leaves, tile);
    };
    try {
      for (let distance = 0; distance < runs; distance++) {
        for (const run of distance === 0 ? [first] : [first - distance, first + distance]) {
          const found = run < 0 || run >= runs ? undefined : read(run);
          if (found !== undefined) return found;
        }
      }
      return undefined;
    } finally {
      file?.close();
    }
  }

  /** Among the tiles of the run that begins at `tile`, those that are in memory. */
  #findUnwritten(leafHash: Uint8Array, leaves: Level, tile: number): number | undefined {
    for (let at = Math.max(tile, leaves.written); at < tile + FIND_TILES; at++) {
      const full = leaves.unwritten[at - leaves.written];
      const isOpen = at === leaves.written + leaves.unwritten.length;
      const hashes = isOpen ? leaves.open.subarray(0, leaves.openHashes * HASH_BYTES) : full;
      const found = hashes === undefined ? undefined : hashIn(hashes, leafHash);
      if (found !== undefined) return at * TILE_HASHES + found;
    }
    return undefined;
  }

  /** With the full tiles before them, all of the tree as it is at this moment. */
  openTiles(): OpenTile[] {
    return this.#levels.map((level) => ({
      fullTiles: level.written + level.unwritten.length,
      hashes: level.open.slice(0, level.openHashes * HASH_BYTES),
    }));
  }

  /** Writes the full tiles of this moment to their files, durably. Rejects with what the disk throws; one call at a time. */
  async write(): Promise<void> {
    for (const [at, level] of this.#levels.entries()) {
      const tiles = level.unwritten.slice();
      if (tiles.length === 0) continue;
      await this.#append(at, level.written, tiles);
      level.written += tiles.length;
      level.unwritten = level.unwritten.slice(tiles.length);
      spareTiles.push(...tiles.slice(0, SPARE_MAX - spareTiles.length));
    }
  }

  async #append(level: number, written: number, tiles: readonly Uint8Array[]): Promise<void> {
    const path = this.#levelPath(level);
    // Nothing of it counts yet: a file that is there is left of a try whose name may not be durable.
    const isNew = written === 0;
    const file = this.#files.open(path, isNew ? 'create' : 'update');
    try {
      for (const [at, tile] of tiles.entries()) file.writeAt(tile, (written + at) * TILE_BYTES);
      await synced(file);
    } finally {
      file.close();
    }
    if (isNew) this.#files.syncDir(folderOf(path));
  }

  #tile(level: number, index: number): Uint8Array {
    const own = this.#levels[level];
    assert(own !== undefined, 'the tree has this level');
    if (index < own.written) return this.#readTile(level, index);
    return own.unwritten[index - own.written] ?? own.open;
  }

  #readTile(level: number, index: number): Uint8Array {
    const name = `${level}/${index}`;
    const known = this.#readTiles.get(name);
    if (known !== undefined) return known;
    const file = this.#files.open(this.#levelPath(level), 'read');
    const tile = new Uint8Array(TILE_BYTES);
    const count = file.readAt(tile, index * TILE_BYTES);
    file.close();
    assert(count === TILE_BYTES, 'a tile that was written is there');
    if (this.#readTiles.size >= READ_MAX) this.#readTiles.clear();
    this.#readTiles.set(name, tile);
    return tile;
  }

  #levelPath(level: number): string {
    return `${this.#path}.${level}`;
  }
}

/** Which hash of a row of them it is. */
function hashIn(hashes: Uint8Array, hash: Uint8Array): number | undefined {
  const row = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.length);
  for (let at = row.indexOf(hash); at >= 0; at = row.indexOf(hash, at + 1)) {
    if (at % HASH_BYTES === 0) return at / HASH_BYTES;
  }
  return undefined;
}

function newLevel(written: number): Level {
  return { written, unwritten: [], open: emptyTile(), openHashes: 0 };
}

/** What lies in it is of no account. */
function emptyTile(): Uint8Array {
  return spareTiles.pop() ?? new Uint8Array(TILE_BYTES);
}
