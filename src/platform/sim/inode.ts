/** One file of the simulated disk: what programs see of it, and what the medium holds (files.ts). */
import type { Random } from '../../base/random.ts';

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

interface Sector {
  readonly number: number;
  readonly bytes: Uint8Array;
  /** Rises with every write of the sector: an older content never replaces a newer one. */
  readonly age: number;
}

/** How a sync ends: `settled`, or `failed`, which leaves a part of the sectors on the medium and none dirty. */
export type SyncEnd = (outcome: 'settled' | 'failed', random: Random) => void;

export class SimInode {
  size = 0;
  #cache = new Uint8Array(0);
  #medium = new Uint8Array(0);
  #mediumSize = 0;
  /** By sector: the age of what the cache holds and the medium does not, or may not. */
  readonly #dirty = new Map<number, number>();
  readonly #mediumAge = new Map<number, number>();
  #age = 0;
  /** Sectors that a sync has taken and not yet settled. */
  readonly #underway = new Set<Sector[]>();
  readonly #allocated = new Set<number>();

  get allocatedBytes(): number {
    return this.#allocated.size * SECTOR_BYTES;
  }

  content(): Uint8Array {
    return this.#cache.slice(0, this.size);
  }

  read(into: Uint8Array, offset: number): number {
    const count = Math.max(0, Math.min(into.length, this.size - offset));
    into.set(this.#cache.subarray(offset, offset + count));
    return count;
  }

  /** Bytes of room that a write there would take beyond what the file has. */
  bytesToAllocate(offset: number, length: number): number {
    return (
      sectorsOf(offset, length).filter((sector) => !this.#allocated.has(sector)).length *
      SECTOR_BYTES
    );
  }

  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    this.#grow(end);
    this.#cache.set(bytes, offset);
    if (bytes.length > 0) this.size = Math.max(this.size, end);
    for (const sector of sectorsOf(offset, bytes.length)) {
      this.#soil(sector);
      this.#allocated.add(sector);
    }
  }

  truncate(size: number): void {
    this.#grow(size);
    if (size < this.size) {
      this.#cache.fill(0, size);
      const last = Math.ceil(size / SECTOR_BYTES);
      for (const sector of this.#allocated) if (sector >= last) this.#allocated.delete(sector);
      for (
        let sector = Math.floor(size / SECTOR_BYTES);
        sector * SECTOR_BYTES < this.size;
        sector++
      ) {
        this.#soil(sector);
      }
    }
    this.size = size;
  }

  /** Takes what is dirty now, or on its way by another sync; the returned function ends the sync. Later writes stay dirty. */
  beginSync(): SyncEnd {
    const taken = [...this.#underway].flat();
    for (const number of this.#dirty.keys()) taken.push(this.#sector(number));
    const size = this.size;
    this.#dirty.clear();
    this.#underway.add(taken);
    return (outcome, random) => {
      this.#underway.delete(taken);
      if (outcome === 'settled') this.#mediumSize = size;
      for (const sector of taken) {
        if (outcome === 'settled' || random.fraction() < 0.5) this.#store(sector);
      }
    };
  }

  /** What a dead process was syncing is dirty again: nobody waits for it any more. */
  kill(): void {
    for (const sector of [...this.#underway].flat()) {
      if (!this.#dirty.has(sector.number)) this.#dirty.set(sector.number, sector.age);
    }
    this.#underway.clear();
  }

  flipBit(offset: number, bit: number): void {
    this.#cache[offset] = (this.#cache[offset] as number) ^ (1 << bit);
    if (offset < this.#medium.length) {
      this.#medium[offset] = (this.#medium[offset] as number) ^ (1 << bit);
    }
  }

  powerCut(random: Random): void {
    this.kill();
    for (const number of this.#dirty.keys()) {
      if (random.fraction() < 0.5) this.#store(this.#sector(number));
    }
    if (this.size !== this.#mediumSize && random.fraction() < 0.5) this.#mediumSize = this.size;
    this.#dirty.clear();
    this.size = this.#mediumSize;
    this.#medium = grown(this.#medium, this.size);
    this.#medium.fill(0, this.size);
    this.#cache = this.#medium.slice();
  }

  #soil(sector: number): void {
    this.#age += 1;
    this.#dirty.set(sector, this.#age);
  }

  #sector(number: number): Sector {
    const at = number * SECTOR_BYTES;
    const age = this.#dirty.get(number) ?? 0;
    return { number, bytes: this.#cache.slice(at, at + SECTOR_BYTES), age };
  }

  #store(sector: Sector): void {
    if (sector.age < (this.#mediumAge.get(sector.number) ?? 0)) return;
    this.#mediumAge.set(sector.number, sector.age);
    const at = sector.number * SECTOR_BYTES;
    const end = at + sector.bytes.length;
    if (end > this.#medium.length) this.#medium = grown(this.#medium, end);
    this.#medium.set(sector.bytes, at);
  }

  #grow(size: number): void {
    if (size > this.#cache.length) this.#cache = grown(this.#cache, size);
  }
}

function grown(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(size, Math.min(bytes.length * 2, size + (1 << 20))));
  larger.set(bytes);
  return larger;
}

function sectorsOf(offset: number, length: number): number[] {
  const sectors: number[] = [];
  for (let at = offset - (offset % SECTOR_BYTES); at < offset + length; at += SECTOR_BYTES) {
    sectors.push(at / SECTOR_BYTES);
  }
  return sectors;
}
