/** One file of the simulated disk: what programs see of it, and what the medium holds (files.ts). */
import { bytesEqual } from '../../base/bytes.ts';
import type { Random } from '../../base/random.ts';

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/** Contents lie in pages of one size: files that grow in one piece leave the memory in holes. */
const PAGE_BYTES = 16 * SECTOR_BYTES;
/** What pages and most sectors hold before they are written; shared, never changed. */
const ZERO_PAGE = new Uint8Array(PAGE_BYTES);
const ZEROS = ZERO_PAGE.subarray(0, SECTOR_BYTES);

interface Sector {
  readonly number: number;
  /** What is to come to the medium, where the cache has gone on since; undefined while it is what the cache holds. */
  bytes: Uint8Array | undefined;
  /** Rises with every write of the sector: an older content never replaces a newer one. */
  readonly age: number;
}

/** How a sync ends: `settled`, or `failed`, which leaves a part of the sectors on the medium and none dirty. */
type SyncEnd = (outcome: 'settled' | 'failed', random: Random) => void;

export class SimInode {
  size = 0;
  /** What programs see; ZERO_PAGE where nothing but zeros was written. */
  readonly #pages: Uint8Array[] = [];
  /** What the medium holds where that is not what the cache holds: a second copy of everything would be a month's memory. */
  readonly #older = new Map<number, Uint8Array>();
  #mediumSize = 0;
  /** By sector: the age of what the cache holds and the medium does not, or may not. */
  readonly #dirty = new Map<number, number>();
  readonly #mediumAge = new Map<number, number>();
  #age = 0;
  /** Sectors that a sync has taken and not yet settled. */
  readonly #underway = new Set<Sector[]>();
  /** Those of them that are what the cache holds: copied only when they change, which most never do. */
  readonly #lent = new Map<number, Sector>();
  readonly #allocated = new Set<number>();

  get allocatedBytes(): number {
    return this.#allocated.size * SECTOR_BYTES;
  }

  content(): Uint8Array {
    const content = new Uint8Array(this.size);
    this.read(content, 0);
    return content;
  }

  read(into: Uint8Array, offset: number): number {
    const count = Math.max(0, Math.min(into.length, this.size - offset));
    for (let done = 0; done < count;) {
      const at = (offset + done) % PAGE_BYTES;
      const part = Math.min(count - done, PAGE_BYTES - at);
      into.set(this.#pageAt(offset + done).subarray(at, at + part), done);
      done += part;
    }
    return count;
  }

  /** Bytes of room that a write there would take beyond what the file has. */
  bytesToAllocate(offset: number, length: number): number {
    const end = endSector(offset, length);
    let missing = 0;
    for (let sector = sectorAt(offset); sector < end; sector++) {
      if (!this.#allocated.has(sector)) missing += 1;
    }
    return missing * SECTOR_BYTES;
  }

  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    const endAt = endSector(offset, bytes.length);
    for (let sector = sectorAt(offset); sector < endAt; sector++) {
      this.#soil(sector);
      this.#allocated.add(sector);
    }
    this.#put(bytes, offset);
    if (bytes.length > 0) this.size = Math.max(this.size, end);
  }

  truncate(size: number): void {
    if (size < this.size) {
      const last = Math.ceil(size / SECTOR_BYTES);
      for (const sector of this.#allocated) if (sector >= last) this.#allocated.delete(sector);
      for (
        let sector = Math.floor(size / SECTOR_BYTES);
        sector * SECTOR_BYTES < this.size;
        sector++
      ) {
        this.#soil(sector);
      }
      this.#clearFrom(size);
    }
    this.size = size;
  }

  /** Takes what is dirty now, or on its way by another sync; the returned function ends the sync. Later writes stay dirty. */
  beginSync(): SyncEnd {
    const taken = [...this.#underway].flat();
    for (const [number, age] of this.#dirty) {
      const sector: Sector = { number, bytes: undefined, age };
      this.#lent.set(number, sector);
      taken.push(sector);
    }
    const size = this.size;
    this.#dirty.clear();
    this.#underway.add(taken);
    return (outcome, random) => {
      this.#underway.delete(taken);
      if (outcome === 'settled') this.#mediumSize = size;
      for (const sector of taken) {
        if (outcome === 'settled' || random.fraction() < 0.5) this.#store(sector);
      }
      if (this.#underway.size === 0) this.#lent.clear();
    };
  }

  /** What a dead process was syncing is dirty again: nobody waits for it any more. */
  kill(): void {
    for (const sector of [...this.#underway].flat()) {
      if (!this.#dirty.has(sector.number)) this.#dirty.set(sector.number, sector.age);
    }
    this.#underway.clear();
    this.#lent.clear();
  }

  flipBit(offset: number, bit: number): void {
    const flipped = (bytes: Uint8Array, at: number): void => {
      bytes[at] = (bytes[at] as number) ^ (1 << bit);
    };
    const number = Math.floor(offset / SECTOR_BYTES);
    this.#takeBack(number);
    flipped(this.#own(offset), offset % PAGE_BYTES);
    const older = this.#older.get(number)?.slice();
    if (older === undefined) return;
    flipped(older, offset % SECTOR_BYTES);
    this.#older.set(number, older);
  }

  powerCut(random: Random): void {
    this.kill();
    for (const [number, age] of this.#dirty) {
      if (random.fraction() < 0.5) this.#store({ number, bytes: undefined, age });
    }
    if (this.size !== this.#mediumSize && random.fraction() < 0.5) this.#mediumSize = this.size;
    this.#dirty.clear();
    for (const [number, bytes] of this.#older) this.#put(bytes, number * SECTOR_BYTES);
    this.#older.clear();
    this.size = this.#mediumSize;
    this.#clearFrom(this.size);
  }

  /** The sector is about to change. */
  #soil(number: number): void {
    this.#takeBack(number);
    this.#age += 1;
    this.#dirty.set(number, this.#age);
    if (this.#older.has(number)) return;
    const before = this.#bytesOf(number);
    this.#older.set(number, bytesEqual(before, ZEROS) ? ZEROS : before.slice());
  }

  /** A sync under way keeps what it took, whatever becomes of the sector now. */
  #takeBack(number: number): void {
    const sector = this.#lent.get(number);
    if (sector === undefined) return;
    sector.bytes = this.#bytesOf(number).slice();
    this.#lent.delete(number);
  }

  /** What the cache holds of it, not a copy. */
  #bytesOf(number: number): Uint8Array {
    const at = (number * SECTOR_BYTES) % PAGE_BYTES;
    return this.#pageAt(number * SECTOR_BYTES).subarray(at, at + SECTOR_BYTES);
  }

  #store({ number, bytes, age }: Sector): void {
    if (age < (this.#mediumAge.get(number) ?? 0)) return;
    this.#mediumAge.set(number, age);
    if (bytes === undefined || bytesEqual(bytes, this.#bytesOf(number))) this.#older.delete(number);
    else this.#older.set(number, bytes);
  }

  #put(bytes: Uint8Array, offset: number): void {
    for (let done = 0; done < bytes.length;) {
      const at = (offset + done) % PAGE_BYTES;
      const part = bytes.subarray(done, done + PAGE_BYTES - at);
      const isNews = this.#pageAt(offset + done) !== ZERO_PAGE || !isZero(part);
      if (isNews) this.#own(offset + done).set(part, at);
      done += part.length;
    }
  }

  #clearFrom(size: number): void {
    const first = Math.ceil(size / PAGE_BYTES);
    if (size % PAGE_BYTES > 0 && this.#pageAt(size) !== ZERO_PAGE) {
      this.#own(size).fill(0, size % PAGE_BYTES);
    }
    if (this.#pages.length > first) this.#pages.length = first;
  }

  #pageAt(offset: number): Uint8Array {
    return this.#pages[Math.floor(offset / PAGE_BYTES)] ?? ZERO_PAGE;
  }

  /** The page of its own that the place is in. */
  #own(offset: number): Uint8Array {
    const number = Math.floor(offset / PAGE_BYTES);
    while (this.#pages.length <= number) this.#pages.push(ZERO_PAGE);
    const page = this.#pages[number];
    if (page !== undefined && page !== ZERO_PAGE) return page;
    const own = new Uint8Array(PAGE_BYTES);
    this.#pages[number] = own;
    return own;
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytesEqual(bytes, ZERO_PAGE.subarray(0, bytes.length));
}

function sectorAt(offset: number): number {
  return Math.floor(offset / SECTOR_BYTES);
}

/** The first sector behind a stretch; the stretch's own first one where it is empty. */
function endSector(offset: number, length: number): number {
  return length === 0 ? sectorAt(offset) : Math.ceil((offset + length) / SECTOR_BYTES);
}
