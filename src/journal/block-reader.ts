/**
 * Reads blocks of one segment, a few hundred KB of file at a time. A block is given out only where its tag and CRC
 * check. What was given out stays valid as long as somebody holds it, but where a chunk was given to read into again.
 */
import {
  BLOCK_HEAD_BYTES,
  type BlockHead,
  blockCrc,
  blockPattern,
  isRest,
  type Lsn,
  scanBlockHead,
} from './format.ts';

export interface Block {
  readonly firstLsn: Lsn;
  /** 0: the mark of a journal that was closed. */
  readonly count: number;
  readonly offset: number;
  readonly endOffset: number;
  /** As it lies in the file: sealed, where the segment is. */
  readonly payload: Uint8Array;
}

/** Where a search may look, and for what. */
interface SearchRange {
  readonly fromOffset: number;
  readonly endOffset: number;
  readonly leastLsn: Lsn;
  /** Blocks from this LSN on are not meant. */
  readonly untilLsn: Lsn;
}

/** Fills `into` from `offset` of the file; returns how many bytes there were. */
export type ReadAt = (into: Uint8Array, offset: number) => number;

const CHUNK_BYTES = 256 * 1024;

/**
 * Memory to read into again, for who holds no block when asking for the next one. Who follows from far behind would throw away a hundred
 * chunks a second, and what is thrown away lies in the old heap for a while.
 */
export interface ReusedChunk {
  bytes: Uint8Array<ArrayBuffer>;
}

export class BlockReader {
  readonly #readAt: ReadAt;
  readonly #tag: number;
  readonly #reused: ReusedChunk | undefined;
  #chunk = Buffer.alloc(0);
  #view = new DataView(new ArrayBuffer(0));
  /** Offset of the chunk in the file. */
  #at = 0;

  constructor(readAt: ReadAt, tag: number, reused?: ReusedChunk) {
    this.#readAt = readAt;
    this.#tag = tag;
    this.#reused = reused;
  }

  /** The block that begins at `offset` and ends at or before `endOffset`, or undefined where there is no intact one. */
  read(offset: number, endOffset: number): Block | undefined {
    const head = this.#headAt(offset, endOffset);
    if (head === undefined) return undefined;
    const blockEnd = offset + BLOCK_HEAD_BYTES + head.payloadBytes;
    this.#load(offset, blockEnd - offset, endOffset);
    const start = offset - this.#at;
    const end = blockEnd - this.#at;
    if (end > this.#chunk.length || blockCrc(this.#chunk, start, end) !== head.crc)
      return undefined;
    return {
      firstLsn: head.firstLsn,
      count: head.count,
      offset,
      endOffset: blockEnd,
      // A plain Uint8Array: a Buffer's `slice` does not copy, which would surprise whoever gets it.
      payload: new Uint8Array(
        this.#chunk.buffer,
        this.#chunk.byteOffset + start + BLOCK_HEAD_BYTES,
        head.payloadBytes,
      ),
    };
  }

  /**
   * The first intact block in the range, wherever it begins. The pattern contains the segment's tag, which nobody
   * outside can know, so neither old blocks nor payloads made to look like blocks cost more than the search.
   */
  find(range: SearchRange): Block | undefined {
    const pattern = blockPattern(this.#tag);
    let offset = range.fromOffset;
    while (offset + BLOCK_HEAD_BYTES <= range.endOffset) {
      this.#load(offset, BLOCK_HEAD_BYTES, range.endOffset);
      const found = this.#chunk.indexOf(pattern, offset - this.#at);
      if (found < 0) {
        const searched = this.#at + this.#chunk.length;
        offset = Math.max(offset + 1, searched - pattern.length + 1);
        continue;
      }
      offset = this.#at + found;
      const head = this.#headAt(offset, range.endOffset);
      if (head !== undefined && head.firstLsn >= range.leastLsn && head.firstLsn < range.untilLsn) {
        const block = this.read(offset, range.endOffset);
        if (block !== undefined) return block;
      }
      offset += 1;
    }
    return undefined;
  }

  /** What stands where no block does: the head of the rest, no room for a block, or other bytes. */
  lookAt(offset: number, segmentBytes: number): 'rest' | 'no-room' | 'bytes' {
    if (offset + BLOCK_HEAD_BYTES > segmentBytes) return 'no-room';
    this.#load(offset, BLOCK_HEAD_BYTES, segmentBytes);
    return isRest(this.#view, offset - this.#at, offset, segmentBytes) ? 'rest' : 'bytes';
  }

  /** Forgets what it has read, because the file has changed since. */
  forget(): void {
    this.#chunk = Buffer.alloc(0);
    if (this.#reused !== undefined) this.#reused.bytes = this.#chunk;
    this.#view = new DataView(new ArrayBuffer(0));
  }

  #headAt(offset: number, endOffset: number): BlockHead | undefined {
    this.#load(offset, BLOCK_HEAD_BYTES, endOffset);
    const head = scanBlockHead(this.#view, offset - this.#at, endOffset - this.#at);
    return head?.tag === this.#tag ? head : undefined;
  }

  /** Brings `bytes` bytes from `offset` into the chunk, and what follows up to `endOffset`, as far as the file goes. */
  #load(offset: number, bytes: number, endOffset: number): void {
    if (offset >= this.#at && offset + bytes <= this.#at + this.#chunk.length) return;
    const wanted = Math.max(0, Math.min(Math.max(bytes, CHUNK_BYTES), endOffset - offset));
    const chunk = this.#take(wanted);
    this.#at = offset;
    this.#chunk = chunk.subarray(0, this.#readAt(chunk, offset));
    this.#view = new DataView(this.#chunk.buffer, this.#chunk.byteOffset, this.#chunk.length);
  }

  #take(bytes: number): Buffer<ArrayBuffer> {
    const reused = this.#reused;
    if (reused === undefined) return Buffer.allocUnsafeSlow(bytes);
    if (reused.bytes.length < bytes) reused.bytes = Buffer.allocUnsafeSlow(bytes);
    return Buffer.from(reused.bytes.buffer, reused.bytes.byteOffset, bytes);
  }
}
