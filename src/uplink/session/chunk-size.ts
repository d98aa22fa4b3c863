/**
 * How large chunks should be on links that get cut. A chunk that a cut tears is sent again whole, so large ones cost
 * torn bytes; each chunk costs topic, head and acknowledgement, so small ones cost overhead. With `b` bytes between cuts
 * both together are least at sqrt(2 · overhead · b): 1 KiB with brief topics on a link that dies every 20 KB, the largest on one that
 * holds.
 *
 * Counted is what the broker has acknowledged and, at the next greeting, what the other side says it has: a link may die
 * before the broker's word is back. What was written does not count, since writes end in buffers. What is learned fades
 * within a few sessions and is kept nowhere: a single cut teaches it again.
 */
import type { BatchId } from '../../batch/batch-id.ts';
import type { ChunkBitmap } from '../../batch/wire/chunks.ts';
import { CHUNK_DATA_BYTES_MAX, SPOOLED_MAX } from '../../batch/limits.ts';
import type { ChunkHead } from './resumption.ts';

/** Topic, MQTT and chunk heads, and the PUBACK. */
const OVERHEAD_BYTES: Readonly<Record<ChunkHead, number>> = { full: 137, short: 60, brief: 34 };
export const CHUNK_BYTES_MIN = 1 << 10;
const STEP_BYTES = 1 << 9;
/** Share of what was learned that is left after one more session. */
const KEPT_SHARE = 0.9;

export class ChunkSize {
  /** Bytes of each batch that the other side had when it last spoke of it. */
  readonly #arrived = new Map<BatchId, number>();
  #overhead = OVERHEAD_BYTES.full;
  #bytes = 0;
  #cuts = 0;

  /** Data bytes of a chunk with such a head. */
  bytes(head: ChunkHead): number {
    this.#overhead = OVERHEAD_BYTES[head];
    return this.#best();
  }

  #best(): number {
    if (this.#cuts === 0) return CHUNK_DATA_BYTES_MAX;
    const best = Math.sqrt((2 * this.#overhead * this.#bytes) / this.#cuts);
    const rounded = Math.round(best / STEP_BYTES) * STEP_BYTES;
    return Math.min(CHUNK_DATA_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, rounded));
  }

  /** The broker has so many bytes more of a batch; that they went further is most likely. */
  acked(batch: BatchId, bytes: number): void {
    this.arrived(batch, (this.#arrived.get(batch) ?? 0) + bytes);
  }

  /** The other side says that it has so many bytes of a batch. */
  arrived(batch: BatchId, bytes: number): void {
    this.#bytes += Math.max(0, bytes - (this.#arrived.get(batch) ?? 0));
    if (this.#arrived.size > SPOOLED_MAX) this.#arrived.clear();
    this.#arrived.set(batch, bytes);
  }

  /** True where chunks as they are cost less, torn ones included, than sending anew what has arrived. */
  isWorthGoingOn(batchBytes: number, { total, count }: ChunkBitmap): boolean {
    if (count === 0) return false;
    if (this.#cuts === 0) return true;
    const arrivedBytes = (batchBytes * count) / total;
    const cutsToCome = ((batchBytes - arrivedBytes) * this.#cuts) / this.#bytes;
    return (cutsToCome * (batchBytes / total - this.#best())) / 2 <= arrivedBytes;
  }

  /** A session is over. A cut most likely tore a chunk in its middle. */
  ended(wasCut: boolean): void {
    const torn = wasCut ? this.#best() / 2 : 0;
    this.#bytes = this.#bytes * KEPT_SHARE + torn;
    this.#cuts = this.#cuts * KEPT_SHARE + (wasCut ? 1 : 0);
  }
}
