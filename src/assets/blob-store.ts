/**
 * The contents of assets, each in a file that bears its SHA-256 as name (ASSETS.md is normative). A content is gathered from
 * pieces in a part, or comes whole as an upload; it gets its name only when it is on the medium and its hash is right,
 * and is checked again when it is read. What is damaged is put aside and counts as missing.
 *
 * The journal is the first home of the bytes: pieces are folded out of it, and an upload is journaled before it is adopted.
 * So this store may lose anything that has a receipt; what has none it keeps, and refuses newcomers instead.
 */
import type { Timers } from '../base/clock.ts';
import { HubError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { OneAtATime } from '../base/queue.ts';
import type { AssetPiece, AssetPreview } from '../model/asset-bytes.ts';
import type { Origin } from '../model/origin.ts';
import type { Files, OpenFile } from '../platform/files/files.ts';
import { type ContentId, contentIdOf } from './content-id.ts';
import { evictionFor, type Held, yieldFor } from './eviction.ts';
import { hashFile } from './hash-file.ts';
import { Part, partOfText, textOfPart } from './part.ts';
import { PreviewFiles } from './preview-files.ts';

export interface AssetLimits {
  /** Of all contents together. */
  readonly bytesMax: number;
  readonly countMax: number;
  /** Of one content. */
  readonly contentBytesMax: number;
  /** What is left of the disk to others. */
  readonly freeBytesMin: number;
}

export interface BlobStoreOptions {
  readonly files: Files;
  readonly dir: string;
  readonly timers: Timers;
  readonly log: Log;
  readonly limits: AssetLimits;
  /** Everything up to here has its receipt; undefined without an uplink. */
  readonly receiptedLsn: () => number | undefined;
  /** What is found at the start may have pieces up to here that have no receipt. */
  readonly doubtLsn: number;
  /** Told of each content that has become whole. */
  readonly onWhole?: (id: ContentId) => void;
}

/** `whole`: all bytes are here. `partial`: some. `missing`: none, or what was here is damaged or went for others. */
interface ContentState {
  readonly state: 'whole' | 'partial' | 'missing';
  readonly bytes: number;
}

export interface AssetStat {
  readonly contents: number;
  readonly bytes: number;
  readonly bytesMax: number;
  /** Contents that are not whole yet, and what they have. */
  readonly partial: number;
  readonly previews: number;
  /** Since the start. */
  readonly evicted: number;
  readonly evictedBytes: number;
  readonly refused: number;
  /** Damaged contents that lie aside. */
  readonly quarantined: number;
}

/** A content that is open for reading; the caller closes it. */
interface OpenContent {
  readonly size: number;
  readAt(into: Uint8Array, offset: number): number;
  close(): void;
}

interface Blob extends Held {
  readonly id: ContentId;
  throughLsn: number;
  usedAt: number;
  /** The hash was right since the start. */
  isVerified: boolean;
}

interface Gathering extends Held {
  readonly part: Part;
  throughLsn: number;
  usedAt: number;
}

const BLOB_NAME = /^([0-9a-f]{64})\.([1-9][0-9]{0,9})$/;
const QUARANTINED_MAX = 64;

export class BlobStore {
  readonly previews: PreviewFiles;
  readonly #options: BlobStoreOptions;
  readonly #blobs = new Map<ContentId, Blob>();
  readonly #parts = new Map<string, Gathering>();
  readonly #finishing = new OneAtATime();
  readonly #verifying = new Map<ContentId, Promise<boolean>>();
  #uses = 0;
  #evicted = 0;
  #evictedBytes = 0;
  #refused = 0;
  #quarantined = 0;

  private constructor(options: BlobStoreOptions) {
    this.#options = options;
    const { files, dir } = options;
    for (const room of ['blobs', 'parts', 'uploads', 'quarantine']) files.makeDir(`${dir}/${room}`);
    this.previews = new PreviewFiles(files, `${dir}/previews`, options.limits.countMax);
  }

  /** Reads the names of what is there; throws as the system does where the folder cannot be used. */
  static open(options: BlobStoreOptions): BlobStore {
    const store = new BlobStore(options);
    store.#adoptAll();
    return store;
  }

  stateOf(id: ContentId): ContentState {
    const blob = this.#blobs.get(id);
    if (blob !== undefined) return { state: 'whole', bytes: blob.bytes };
    const bytes = this.#partsOf(id).reduce((most, { part }) => Math.max(most, part.bytes), 0);
    return { state: bytes > 0 ? 'partial' : 'missing', bytes };
  }

  /** Why a content of that size is not taken, or undefined where there is room or it is here already. */
  refusal(id: ContentId, size: number): HubError | undefined {
    const { bytesMax, contentBytesMax } = this.#options.limits;
    if (size > contentBytesMax) {
      return new HubError(
        'asset.too-large',
        `${size} bytes, one asset may have ${contentBytesMax}`,
      );
    }
    if (this.#blobs.has(id) || this.#partsOf(id).some(({ part }) => part.name.size === size))
      return undefined;
    if (this.#makeRoom(size)) return undefined;
    this.#refused += 1;
    const end = this.#spareBytes() < size ? 'the disk has no more room' : `${bytesMax} bytes`;
    return new HubError('assets.full', `${end}, and what is kept has no receipt yet`);
  }

  /** Where the disk runs short for others, what may go goes: the journal's room counts for more. */
  yieldRoom(): void {
    const short = -this.#spareBytes();
    if (short <= 0) return;
    for (const each of yieldFor(this.#held(), short, this.#options.receiptedLsn()))
      this.#evict(each);
  }

  /** Takes a piece of the journal; what is refused here was let in while there was room, and is kept. */
  put(piece: AssetPiece, from: { readonly origin: Origin; readonly lsn: number }): void {
    const { size } = piece;
    const id = contentIdOf(piece.sha256);
    const blob = this.#blobs.get(id);
    if (blob !== undefined) {
      blob.throughLsn = Math.max(blob.throughLsn, from.lsn);
      return;
    }
    const gathering = this.#gather({ id, size, origin: from.origin });
    gathering.throughLsn = Math.max(gathering.throughLsn, from.lsn);
    gathering.usedAt = this.#uses += 1;
    gathering.part.put(piece);
  }

  putPreview(preview: AssetPreview): void {
    this.previews.put(contentIdOf(preview.of), preview);
  }

  /** Makes what was put survive a power cut, and gives whole contents their names. */
  async settle(): Promise<void> {
    for (const { part } of this.#parts.values()) {
      if (part.isDirty) await part.sync();
    }
    this.previews.syncNow();
    await this.finish();
  }

  /** Makes what was put survive a power cut, waiting; `finish` does the rest. */
  settleNow(): void {
    const { files, dir } = this.#options;
    for (const { part } of this.#parts.values()) {
      if (!part.isDirty) continue;
      part.syncNow();
      if (!part.isComplete) part.close();
    }
    files.syncDir(`${dir}/parts`);
    this.previews.syncNow();
  }

  /** Checks contents that are whole, and gives them their names; one round at a time. */
  finish(): Promise<void> {
    return this.#finishing.do(() => this.#finishAll());
  }

  /** Takes over a file of ours whose bytes are on the medium, have this hash, and are in the journal up to `throughLsn`. */
  adopt(path: string, id: ContentId, size: number, throughLsn: number): void {
    const { files } = this.#options;
    if (this.#blobs.has(id)) files.remove(path);
    else {
      this.#moveIn(path, id, size);
      this.#blobs.set(id, this.#newBlob(id, size, throughLsn, true));
    }
    this.#dropParts(id);
  }

  /** The whole content, its hash checked once since the start; undefined where it is not here. */
  async read(id: ContentId): Promise<OpenContent | undefined> {
    const blob = this.#blobs.get(id);
    if (blob === undefined) return undefined;
    blob.usedAt = this.#uses += 1;
    if (!blob.isVerified && !(await this.#verifyOnce(blob))) return undefined;
    try {
      const file = this.#options.files.open(this.#pathOf(blob.id, blob.bytes), 'read');
      return {
        size: blob.bytes,
        readAt: (into, offset) => file.readAt(into, offset),
        close: () => file.close(),
      };
    } catch (error) {
      this.#lose(blob, messageOf(error));
      return undefined;
    }
  }

  stat(): AssetStat {
    const { bytesMax } = this.#options.limits;
    const held = this.#held();
    return {
      contents: this.#blobs.size,
      bytes: held.reduce((sum, { bytes }) => sum + bytes, 0),
      bytesMax,
      partial: this.#parts.size,
      previews: this.previews.count,
      evicted: this.#evicted,
      evictedBytes: this.#evictedBytes,
      refused: this.#refused,
      quarantined: this.#quarantined,
    };
  }

  close(): void {
    for (const { part } of this.#parts.values()) part.close();
  }

  #adoptAll(): void {
    const { files, dir, doubtLsn } = this.#options;
    for (const folder of files.list(`${dir}/blobs`)) {
      for (const name of files.list(`${dir}/blobs/${folder}`)) {
        const [, id, size] = BLOB_NAME.exec(name) ?? [];
        if (id !== undefined) {
          const blob = this.#newBlob(id as ContentId, Number(size), doubtLsn, false);
          this.#blobs.set(blob.id, { ...blob, usedAt: 0 });
        }
      }
    }
    for (const name of files.list(`${dir}/parts`)) {
      const partName = partOfText(name);
      if (partName === undefined) continue;
      const part = Part.open(files, `${dir}/parts`, partName);
      this.#parts.set(name, { part, bytes: partName.size, throughLsn: doubtLsn, usedAt: 0 });
    }
    this.#quarantined = files.list(`${dir}/quarantine`).length;
  }

  #newBlob(id: ContentId, bytes: number, throughLsn: number, isVerified: boolean): Blob {
    return { id, bytes, throughLsn, usedAt: (this.#uses += 1), isVerified };
  }

  #gather(name: { id: ContentId; size: number; origin: Origin }): Gathering {
    const text = textOfPart(name);
    const known = this.#parts.get(text);
    if (known !== undefined) return known;
    const { files, dir } = this.#options;
    const part = Part.open(files, `${dir}/parts`, name);
    const gathering = { part, bytes: name.size, throughLsn: 0, usedAt: 0 };
    this.#parts.set(text, gathering);
    return gathering;
  }

  async #finishAll(): Promise<void> {
    for (const [name, gathering] of this.#parts) {
      const { part } = gathering;
      if (part.isComplete && this.#parts.get(name) === gathering) await this.#finishPart(gathering);
      else if (!part.isDirty) part.close();
    }
  }

  async #finishPart({ part, throughLsn }: Gathering): Promise<void> {
    const { log, timers } = this.#options;
    const { id, size } = part.name;
    let found: ContentId;
    try {
      found = await hashFile(part.file(), size, timers);
    } catch (error) {
      if (part.isGone) return;
      throw error;
    }
    if (part.isGone) return;
    part.close();
    if (this.#blobs.has(id)) return this.#dropParts(id);
    if (found !== id) {
      log.warn('assets.pieces-wrong', { content: id, origin: part.name.origin, found });
      this.#parts.delete(textOfPart(part.name));
      part.remove();
      return;
    }
    this.#moveIn(part.path, id, size);
    this.#blobs.set(id, this.#newBlob(id, size, throughLsn, true));
    this.#dropParts(id);
    this.#options.onWhole?.(id);
  }

  #moveIn(path: string, id: ContentId, size: number): void {
    const { files, dir } = this.#options;
    const folder = `${dir}/blobs/${id.slice(0, 2)}`;
    if (!files.exists(folder)) {
      files.makeDir(folder);
      files.syncDir(`${dir}/blobs`);
    }
    files.rename(path, this.#pathOf(id, size));
    files.syncDir(folder);
  }

  #dropParts(id: ContentId): void {
    for (const { part } of this.#partsOf(id)) {
      this.#parts.delete(textOfPart(part.name));
      part.remove();
    }
  }

  #partsOf(id: ContentId): Gathering[] {
    return [...this.#parts.values()].filter(({ part }) => part.name.id === id);
  }

  #held(): (Blob | Gathering)[] {
    return [...this.#blobs.values(), ...this.#parts.values()];
  }

  /** Bytes of the disk that nobody has a claim to; below zero where it is short already. */
  #spareBytes(): number {
    const { files, dir, limits } = this.#options;
    const parts = [...this.#parts.values()];
    const claimed = parts.reduce((sum, { part }) => sum + part.name.size - part.bytes, 0);
    try {
      return files.freeBytes(dir) - claimed - limits.freeBytesMin;
    } catch {
      return Infinity; // A card that does not answer: whoever writes is told.
    }
  }

  /** Lets go of what may go where there is no room; false where there is none to be had. */
  #makeRoom(bytes: number): boolean {
    const { limits, receiptedLsn } = this.#options;
    const room = { ...limits, spareBytes: this.#spareBytes(), receiptedLsn: receiptedLsn() };
    const going = evictionFor(this.#held(), bytes, room);
    for (const each of going ?? []) this.#evict(each);
    return going !== undefined;
  }

  #evict(held: Blob | Gathering): void {
    const { files, log } = this.#options;
    const isPart = 'part' in held;
    const content = isPart ? held.part.name.id : held.id;
    this.#evicted += 1;
    this.#evictedBytes += held.bytes;
    log.info('assets.evicted', { content, bytes: held.bytes });
    if (isPart) {
      this.#parts.delete(textOfPart(held.part.name));
      held.part.remove();
      return;
    }
    this.#blobs.delete(held.id);
    files.remove(this.#pathOf(held.id, held.bytes));
  }

  /** Several readers wait for one check. */
  #verifyOnce(blob: Blob): Promise<boolean> {
    let verifying = this.#verifying.get(blob.id);
    if (verifying === undefined) {
      verifying = this.#verify(blob).finally(() => this.#verifying.delete(blob.id));
      this.#verifying.set(blob.id, verifying);
    }
    return verifying;
  }

  async #verify(blob: Blob): Promise<boolean> {
    const { files, timers } = this.#options;
    const { id, bytes } = blob;
    let file: OpenFile | undefined;
    try {
      file = files.open(this.#pathOf(id, bytes), 'read');
      blob.isVerified = file.size() === bytes && (await hashFile(file, bytes, timers)) === id;
    } catch (error) {
      this.#lose(blob, messageOf(error));
      return false;
    } finally {
      file?.close();
    }
    if (!blob.isVerified) this.#lose(blob, 'the hash does not match');
    return blob.isVerified;
  }

  /** Puts a damaged content aside. */
  #lose(blob: Blob, reason: string): void {
    const { files, dir, log } = this.#options;
    log.error('assets.damaged', { content: blob.id, reason });
    this.#blobs.delete(blob.id);
    const path = this.#pathOf(blob.id, blob.bytes);
    if (files.list(`${dir}/quarantine`).length >= QUARANTINED_MAX) files.remove(path);
    else if (files.exists(path)) files.rename(path, `${dir}/quarantine/${blob.id}.${blob.bytes}`);
    this.#quarantined += 1;
  }

  #pathOf(id: ContentId, size: number): string {
    return `${this.#options.dir}/blobs/${id.slice(0, 2)}/${id}.${size}`;
  }
}
