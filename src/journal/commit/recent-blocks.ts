/**
 * The last blocks that were written, as they were before they were sealed: whoever follows the journal closely reads them from
 * here, without the file, its checksum and the seal. Who has fallen behind reads the file, as after a start.
 */
import type { Lsn } from '../format.ts';

export interface RecentBlock {
  readonly firstLsn: Lsn;
  readonly count: number;
  /** Entries as in the group; never changed. */
  readonly payload: Uint8Array;
}

const BYTES_MAX = 1 << 20;
const BLOCKS_MAX = 64;

export class RecentBlocks {
  /** Oldest first, without gaps in their LSNs. */
  readonly #blocks: RecentBlock[] = [];
  #bytes = 0;

  /** Takes a copy of the payload of the block that was just written. */
  add(firstLsn: Lsn, count: number, payload: Uint8Array): void {
    this.#blocks.push({ firstLsn, count, payload: new Uint8Array(payload) });
    this.#bytes += payload.length;
    while (this.#bytes > BYTES_MAX || this.#blocks.length > BLOCKS_MAX) {
      this.#bytes -= this.#blocks.shift()?.payload.length ?? 0;
    }
  }

  /** The block that holds `lsn`. */
  find(lsn: Lsn): RecentBlock | undefined {
    for (let at = this.#blocks.length - 1; at >= 0; at--) {
      const block = this.#blocks[at] as RecentBlock;
      if (block.firstLsn > lsn) continue;
      return lsn < block.firstLsn + block.count ? block : undefined;
    }
    return undefined;
  }
}
