/**
 * Gathers ops of one class and seals them into a batch: payload, manifest, signature (BATCH.md §2, §3). Ops go
 * in as they lie in the journal, byte for byte. A sealed batch never changes; the same id is the same bytes.
 */
import { assert } from '../base/assert.ts';
import type { ClockQuality } from '../base/clock.ts';
import { concatBytes } from '../base/bytes.ts';
import { CborWriter } from '../codec/writer.ts';
import { TreeHasher } from '../ledger/merkle.ts';
import type { OpClass } from '../model/class.ts';
import { type StampedOp, writeStamp } from '../model/op.ts';
import { type BatchId, batchIdOf, originOfPublicKey, sha256 } from './batch-id.ts';
import type { Compressor } from './compression.ts';
import type { SealLimits } from './limits.ts';
import { type Manifest, type Signer, signManifest } from './manifest.ts';
import { RangeSet } from './ranges.ts';

export interface SealedBatch {
  readonly id: BatchId;
  readonly manifest: Manifest;
  /** Manifest and payload as one CBOR item: what is kept, cut in chunks and archived. */
  readonly bytes: Uint8Array;
}

/** What the builder cannot know by itself. */
export interface SealContext {
  readonly site: string;
  readonly previous: BatchId | undefined;
  readonly fromLsn: number;
  readonly throughLsn: number;
  readonly createdMs: number;
  readonly quality: ClockQuality;
}

/** `full`: the op belongs to the next batch. `double`: it is in this one already, and was not added again. */
export type AddOutcome = 'added' | 'double' | 'full';

export class BatchBuilder {
  readonly #class: OpClass;
  readonly #limits: SealLimits;
  readonly #items = new CborWriter(64 << 10);
  readonly #tree = new TreeHasher();
  readonly #ranges = new RangeSet();
  #oldestMs = Number.MAX_SAFE_INTEGER;
  #newestMs = 0;

  constructor(opClass: OpClass, limits: SealLimits) {
    this.#class = opClass;
    this.#limits = limits;
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
      this.#items.length + bytes.length > this.#limits.rawBytesMax;
    // The first op always goes in: what is larger than the limit must travel too.
    if (isFull && !isFirst) return 'full';
    if (!this.#ranges.add(op.origin, op.class, op.seq)) return 'double';
    writeStamp(this.#items.array(2).raw(bytes), stamp);
    this.#tree.add(bytes);
    this.#oldestMs = Math.min(this.#oldestMs, stamp.hlc.ms);
    this.#newestMs = Math.max(this.#newestMs, stamp.hlc.ms);
    return 'added';
  }

  async seal(context: SealContext, signer: Signer, compressor: Compressor): Promise<SealedBatch> {
    assert(this.#tree.size > 0, 'a batch holds at least one op');
    const raw = concatBytes([new CborWriter(9).array(this.#tree.size).peek(), this.#items.peek()]);
    const compressed = await compressor.compress(raw);
    const isSmaller = compressed.length < raw.length;
    const payload = isSmaller ? compressed : raw;
    const manifest: Manifest = {
      ...context,
      hub: originOfPublicKey(signer.publicKey),
      class: this.#class,
      oldestMs: this.#oldestMs,
      newestMs: this.#newestMs,
      ranges: this.#ranges.list(),
      ops: this.#tree.size,
      root: this.#tree.root(),
      payloadSha256: sha256(payload),
      payloadBytes: payload.length,
      rawBytes: raw.length,
      compression: isSmaller ? 'brotli' : 'none',
    };
    const manifestBytes = signManifest(manifest, signer);
    const writer = new CborWriter(manifestBytes.length + payload.length + 16);
    const bytes = writer.array(2).bytes(manifestBytes).bytes(payload).peek();
    return { id: batchIdOf(manifestBytes), manifest, bytes };
  }
}
