/**
 * One segment file as this process knows it: where it lies, which LSNs it holds, how far they are durable. The
 * handle for reading opens on demand; only a few stay open, because a large journal has hundreds of segments.
 */
import { HubError, isDamage, messageOf, systemCode } from '../../base/errors.ts';
import { placeOf } from '../../base/halving.ts';
import type { Files, OpenFile } from '../../platform/files/files.ts';
import { type Block, BlockReader, type ReadAt, type ReusedChunk } from '../block-reader.ts';
import { BLOCKS_START, type Lsn, type SegmentHeader } from '../format.ts';
import type { Unsealer } from '../sealer.ts';
import { readWhatCanBe } from '../recovery/tolerant-read.ts';
import type { SegmentBounds } from '../recovery/walk.ts';

const HANDLES_MAX = 8;
/** A mark for seeking is kept about every so many bytes. */
const MARK_BYTES = 64 * 1024;

export class Segment implements SegmentBounds {
  readonly path: string;
  readonly header: SegmentHeader;
  readonly sizeBytes: number;
  /** First LSN that belongs to it; equal to `untilLsn` while it is empty. */
  firstLsn: Lsn;
  /** LSN behind its last durable one. */
  untilLsn: Lsn;
  endOffset: number;
  readonly isOpen = false;
  /** True once its file may be given to a later segment: it must not be read any more. */
  released = false;
  readonly #marks: { readonly lsn: Lsn; readonly offset: number }[] = [];

  constructor(place: {
    path: string;
    header: SegmentHeader;
    sizeBytes: number;
    firstLsn: Lsn;
    untilLsn: Lsn;
    endOffset: number;
  }) {
    this.path = place.path;
    this.header = place.header;
    this.sizeBytes = place.sizeBytes;
    this.firstLsn = place.firstLsn;
    this.untilLsn = place.untilLsn;
    this.endOffset = place.endOffset;
  }

  get number(): number {
    return this.header.segment;
  }

  /** Remembers where a block begins; called with each block in order, it keeps one in about 64 KiB. */
  mark(block: Pick<Block, 'firstLsn' | 'offset'>): void {
    const last = this.#marks.at(-1);
    if (block.offset < (last?.offset ?? BLOCKS_START) + MARK_BYTES) return;
    this.#marks.push({ lsn: block.firstLsn, offset: block.offset });
  }

  /** A place at or before the block that holds `lsn`. */
  seek(lsn: Lsn): { lsn: Lsn; offset: number } {
    const behind = placeOf(this.#marks, (mark) => mark.lsn <= lsn);
    return this.#marks[behind - 1] ?? { lsn: this.firstLsn, offset: BLOCKS_START };
  }
}

/** Handles for reading, the least recently used closed first. */
export class SegmentHandles {
  readonly #files: Files;
  readonly #handleBySegment = new Map<Segment, OpenFile>();

  constructor(files: Files) {
    this.#files = files;
  }

  /** A reader of its blocks, which finds the handle anew whenever it reads. */
  reader(segment: Segment, reused?: ReusedChunk): BlockReader {
    const readAt: ReadAt = (into, offset) => {
      const handle = this.#open(segment);
      return handle === undefined
        ? zerosAt(segment, into, offset)
        : readWhatCanBe(handle, into, offset);
    };
    return new BlockReader(readAt, segment.header.crc, reused);
  }

  close(segment: Segment): void {
    this.#handleBySegment.get(segment)?.close();
    this.#handleBySegment.delete(segment);
  }

  closeAll(): void {
    for (const segment of this.#handleBySegment.keys()) this.close(segment);
  }

  #open(segment: Segment): OpenFile | undefined {
    const handle = this.#handleBySegment.get(segment) ?? this.#opened(segment);
    if (handle === undefined) return undefined;
    this.#handleBySegment.delete(segment);
    this.#handleBySegment.set(segment, handle);
    if (this.#handleBySegment.size > HANDLES_MAX) {
      for (const oldest of this.#handleBySegment.keys()) {
        this.close(oldest);
        break;
      }
    }
    return handle;
  }

  /**
   * Undefined where the card does not give it back. Throws `journal.poisoned` where somebody has taken the file away; the journal
   * itself notices soon. And `data.unreadable` where it does not open, as for want of file descriptors: whoever reads may try again.
   */
  #opened({ path }: Segment): OpenFile | undefined {
    try {
      return this.#files.open(path, 'read');
    } catch (error) {
      if (isDamage(error)) return undefined;
      const isGone = systemCode(error) === 'ENOENT';
      if (isGone) throw new HubError('journal.poisoned', `${path} is gone`, error);
      throw new HubError('data.unreadable', `cannot read ${path}: ${messageOf(error)}`, error);
    }
  }
}

/** As `readWhatCanBe` of a file that cannot be read at all. */
function zerosAt({ sizeBytes }: Segment, into: Uint8Array, offset: number): number {
  const count = Math.max(0, Math.min(into.length, sizeBytes - offset));
  into.fill(0, 0, count);
  return count;
}

/** Throws `journal.unsealable` where the key of a segment is missing, and says which and why. */
export function needKey({ path, header }: Segment, unsealer: Unsealer): void {
  const { epoch, keyring } = header;
  const why = unsealer.missing(epoch, keyring);
  if (why === undefined) return;
  throw new HubError('journal.unsealable', `${path} needs the key of epoch ${epoch}: ${why}`);
}

/** The checksum is right and the seal is not: whoever changed the block did not do it by accident. */
export function sealBroken(segment: Segment, lsn: Lsn): HubError {
  const place = `${segment.path}, at LSN ${lsn}`;
  return new HubError('journal.unsealable', `${place}: the block does not open with its key`);
}
