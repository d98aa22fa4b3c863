/**
 * The last blocks that were written, as they were before they were sealed: whoever follows the journal closely reads them from
 * here, without the file, its checksum and the seal. Who has fallen behind reads the file, as after a start.
 *
 * In a burst nobody follows closely. Then no copies are made: each would outlive several collections of the young heap, and lie in
 * the old one until V8 looks through all of it, 60 MB a second of them.
 */
import type { Lsn } from '../format.ts';

interface RecentBlock {
  readonly firstLsn: Lsn;
  readonly count: number;
  /** Entries as in the group; never changed. */
  readonly payload: Uint8Array;
}

interface Noted {
  readonly firstLsn: Lsn;
  readonly count: number;
  readonly bytes: number;
  /** Undefined where nobody had asked for so long. */
  readonly payload: Uint8Array | undefined;
}

const BYTES_MAX = 1 << 20;
const BLOCKS_MAX = 64;

export class RecentBlocks {
  /** Oldest first, without gaps in their LSNs. */
  readonly #blocks: Noted[] = [];
  #bytes = 0;
  /** Blocks since somebody asked for one of those noted. */
  #unasked = 0;

  /** Takes a copy of the payload of the block that was just written, where somebody may ask for it. */
  add(firstLsn: Lsn, count: number, payload: Uint8Array): void {
    const isWanted = this.#unasked < BLOCKS_MAX;
    const copy = isWanted ? new Uint8Array(payload) : undefined;
    this.#unasked += 1;
    this.#blocks.push({ firstLsn, count, bytes: payload.length, payload: copy });
    this.#bytes += payload.length;
    while (this.#bytes > BYTES_MAX || this.#blocks.length > BLOCKS_MAX) {
      this.#bytes -= this.#blocks.shift()?.bytes ?? 0;
    }
  }

  /** The block that holds `lsn`, where it is kept. */
  find(lsn: Lsn): RecentBlock | undefined {
    for (let at = this.#blocks.length - 1; at >= 0; at--) {
      const { firstLsn, count, payload } = this.#blocks[at] as Noted;
      if (firstLsn > lsn) continue;
      if (lsn >= firstLsn + count) return undefined;
      this.#unasked = 0;
      return payload && { firstLsn, count, payload };
    }
    return undefined;
  }
}
