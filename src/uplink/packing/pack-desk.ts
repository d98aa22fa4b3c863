/** The far side of apart.ts: packs the batches whose entries are handed to it. It has no keys and touches no files. */
import { messageOf } from '../../base/errors.ts';
import { inlineCompressor } from '../../batch/compression.ts';
import { InPlacePacking } from './in-place.ts';
import type { Packing } from './packer.ts';
import { eachEntry, type FromPackThread, type ToPackThread } from './thread-messages.ts';

type Answer = (message: FromPackThread) => void;

export class PackDesk {
  /** Those that broke are gone, and what still comes for them is let pass. */
  readonly #packings = new Map<number, Packing>();

  async take(message: ToPackThread, answer: Answer): Promise<void> {
    const { batch } = message;
    try {
      await this.#carryOut(message, answer);
    } catch (error) {
      this.#packings.delete(batch);
      answer({ type: 'failed', batch, reason: messageOf(error) });
    }
  }

  async #carryOut(message: ToPackThread, answer: Answer): Promise<void> {
    const { batch } = message;
    const packing = this.#packings.get(batch);
    if (message.type === 'begin') {
      const begun = new InPlacePacking(message.order, inlineCompressor, () => undefined);
      this.#packings.set(batch, begun);
    } else if (message.type === 'entries') {
      if (packing === undefined) return;
      eachEntry(message.piece, (start, end) => packing.add(message.piece, start, end));
    } else {
      this.#packings.delete(batch);
      if (message.type === 'drop' || packing === undefined) return;
      const packed = await packing.finish();
      // Copies: what aliases a larger buffer would travel with all of it.
      const [root, plain] = [new Uint8Array(packed.root), new Uint8Array(packed.plain)];
      answer({ type: 'packed', batch, packed: { ...packed, root, plain } });
    }
  }
}
