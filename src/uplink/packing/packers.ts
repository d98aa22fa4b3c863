/**
 * Who packs a batch: a thread where the batch is worth starting one, else the event loop itself. A thread that breaks costs
 * time and no data: the batch is packed here from what the journal has, and so are all others until the next start.
 */
import type { Log } from '../../base/log.ts';
import type { PackedOps } from '../../batch/pack-batch.ts';
import type { Gathered } from './gather.ts';
import { type Packer, PackerGone, type Packing, type PackOrder } from './packer.ts';

/** A thread takes 30 ms of the processor to start and as long again to get going: here, that is so many ops. */
const APART_OPS_MIN = 2_000;

interface PackersOptions {
  readonly inPlace: Packer;
  /** Undefined: there are no threads. */
  readonly apart: Packer | undefined;
  readonly log: Log;
}

export interface GatheredAndPacked {
  readonly gathered: Gathered;
  readonly packed: PackedOps;
}

type GatherInto = (packing: Packing) => Promise<Gathered | undefined>;

export class Packers {
  readonly #options: PackersOptions;
  #apart: Packer | undefined;
  #isClosed = false;

  constructor(options: PackersOptions) {
    this.#options = options;
    this.#apart = options.apart;
  }

  /**
   * Packs what `gatherInto` puts in, of so many ops that wait; it may be called twice. `empty` where it found nothing, `closed`
   * where the packers were meanwhile.
   */
  async pack(
    order: PackOrder,
    opsWaiting: number,
    gatherInto: GatherInto,
  ): Promise<GatheredAndPacked | 'empty' | 'closed'> {
    if (this.#apart !== undefined && opsWaiting >= APART_OPS_MIN) {
      try {
        return await packBy(this.#apart, order, gatherInto);
      } catch (error) {
        if (!(error instanceof PackerGone)) throw error;
        if (this.#isClosed) return 'closed';
        this.#apart.close();
        this.#apart = undefined;
        this.#options.log.warn('uplink.packer.gone', { reason: error.message });
      }
    }
    return packBy(this.#options.inPlace, order, gatherInto);
  }

  close(): void {
    this.#isClosed = true;
    this.#apart?.close();
  }
}

async function packBy(
  packer: Packer,
  order: PackOrder,
  gatherInto: GatherInto,
): Promise<GatheredAndPacked | 'empty'> {
  const packing = packer.begin(order);
  let gathered: Gathered | undefined;
  try {
    gathered = await gatherInto(packing);
  } finally {
    if (gathered === undefined) packing.drop();
  }
  return gathered === undefined ? 'empty' : { gathered, packed: await packing.finish() };
}
