/**
 * Gathers ops of one class and packs them: payload, ranges, root of their tree (BATCH.md §2, §3), all that a batch is but for
 * what its hub says and signs (seal-batch.ts). That is nearly all of the work, needs no key, and what comes of it is plain
 * data: so it may be done in a thread. Ops go in as they lie in the journal, and come out of the batch byte for byte.
 */
import { assert } from '../base/assert.ts';
import { inSlices, type Pause } from '../base/steps.ts';
import { TreeHasher } from '../ledger/tree-hasher.ts';
import type { OpClass } from '../model/class.ts';
import type { StampedOp } from '../model/op.ts';
import type { Compression, Compressor } from './compression.ts';
import type { SealLimits } from './limits.ts';
import { type Encoding, type PayloadEncoder, payloadEncoder } from './payload.ts';
import { type LaneRange, RangeSet } from './ranges.ts';

/** The ops of a batch, packed. */
export interface PackedOps {
  readonly class: OpClass;
  readonly ops: number;
  readonly ranges: readonly LaneRange[];
  /** Of the tree over the ops. */
  readonly root: Uint8Array;
  readonly oldestMs: number;
  readonly newestMs: number;
  readonly encoding: Encoding;
  readonly compression: Compression;
  /** Of the payload before it was compressed. */
  readonly rawBytes: number;
  /** The payload, not encrypted yet. */
  readonly plain: Uint8Array;
}

/** What packing works with. */
export interface PackTools {
  readonly compressor: Pick<Compressor, 'compress'>;
  /** Brotli by default; none is what every receiver reads. */
  readonly compression?: Compression;
  readonly pause: Pause;
}

/** `full`: the op belongs to the next batch. `double`: it is in this one already, and was not added again. */
type AddOutcome = 'added' | 'double' | 'full';

export class BatchPacker {
  readonly #class: OpClass;
  readonly #limits: SealLimits;
  readonly #encoding: Encoding;
  readonly #payload: PayloadEncoder;
  readonly #tree = new TreeHasher();
  readonly #ranges = new RangeSet();
  #opBytes = 0;
  #oldestMs = Number.MAX_SAFE_INTEGER;
  #newestMs = 0;

  constructor(opClass: OpClass, limits: SealLimits, encoding: Encoding) {
    this.#class = opClass;
    this.#limits = limits;
    this.#encoding = encoding;
    this.#payload = payloadEncoder(encoding);
  }

  get ops(): number {
    return this.#tree.size;
  }

  add(stamped: StampedOp): AddOutcome {
    const { op, stamp, bytes } = stamped;
    assert(op.class === this.#class, 'a batch holds one class');
    const isFirst = this.#tree.size === 0;
    const isFull =
      this.#tree.size >= this.#limits.opsMax ||
      this.#opBytes + bytes.length > this.#limits.opBytesMax;
    // The first op always goes in: what is larger than the limit must travel too.
    if (isFull && !isFirst) return 'full';
    if (!this.#ranges.add(op.origin, op.class, op.seq)) return 'double';
    this.#payload.add(stamped);
    this.#opBytes += bytes.length;
    this.#tree.add(bytes);
    this.#oldestMs = Math.min(this.#oldestMs, stamp.hlc.ms);
    this.#newestMs = Math.max(this.#newestMs, stamp.hlc.ms);
    return 'added';
  }

  /** Puts the payload together, in slices between which `pause` lets other work run; once. */
  async pack(tools: PackTools): Promise<PackedOps> {
    assert(this.#tree.size > 0, 'a batch holds at least one op');
    const raw = await inSlices(this.#payload.finish(), tools.pause);
    return {
      class: this.#class,
      ops: this.#tree.size,
      ranges: this.#ranges.list(),
      root: this.#tree.root(),
      oldestMs: this.#oldestMs,
      newestMs: this.#newestMs,
      encoding: this.#encoding,
      rawBytes: raw.length,
      ...(await squeezed(raw, tools)),
    };
  }
}

/** Compressed where that is shorter. */
async function squeezed(
  raw: Uint8Array,
  { compressor, compression = 'brotli' }: PackTools,
): Promise<Pick<PackedOps, 'plain' | 'compression'>> {
  if (compression === 'none') return { plain: raw, compression };
  const plain = await compressor.compress(raw, compression);
  return plain.length < raw.length ? { plain, compression } : { plain: raw, compression: 'none' };
}
