/**
 * Gathers ops of one class and seals them into a batch: payload, manifest, signature (BATCH.md §2, §3). Ops go
 * in as they lie in the journal, and come out of it byte for byte. A sealed batch never changes; the same id is the
 * same bytes.
 */
import { assert } from '../base/assert.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';
import type { ClockQuality } from '../base/clock.ts';
import { inSlices, type Pause } from '../base/steps.ts';
import { CborWriter } from '../codec/writer.ts';
import { TreeHasher } from '../ledger/tree-hasher.ts';
import type { OpClass } from '../model/class.ts';
import type { StampedOp } from '../model/op.ts';
import { type BatchId, batchIdOf, originOfPublicKey, sha256 } from './batch-id.ts';
import type { Compression, Compressor } from './compression.ts';
import type { SealLimits } from './limits.ts';
import { associatedData, type Manifest, type Signer, signManifest } from './manifest.ts';
import { type Encoding, type PayloadEncoder, payloadEncoder } from './payload.ts';
import type { PayloadSealer } from './payload-seal.ts';
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
  readonly jurisdiction?: string;
}

/** What sealing works with. */
export interface SealTools {
  readonly signer: Signer;
  readonly compressor: Pick<Compressor, 'compress'>;
  /** Brotli by default; none is what every receiver reads. */
  readonly compression?: Compression;
  readonly pause: Pause;
  /** Undefined: the payload is not encrypted. */
  readonly sealer?: PayloadSealer | undefined;
}

/** `full`: the op belongs to the next batch. `double`: it is in this one already, and was not added again. */
export type AddOutcome = 'added' | 'double' | 'full';

export class BatchBuilder {
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

  /** Puts the batch together, in slices between which `pause` lets other work run. */
  async seal(context: SealContext, tools: SealTools): Promise<SealedBatch> {
    assert(this.#tree.size > 0, 'a batch holds at least one op');
    const { signer, pause, sealer } = tools;
    const raw = await inSlices(this.#payload.finish(), pause);
    const { plain, compression } = await squeezed(raw, tools);
    const unsealed: Manifest = {
      ...context,
      hub: originOfPublicKey(signer.publicKey),
      class: this.#class,
      oldestMs: this.#oldestMs,
      newestMs: this.#newestMs,
      ranges: this.#ranges.list(),
      ops: this.#tree.size,
      root: this.#tree.root(),
      payloadSha256: EMPTY_BYTES,
      payloadBytes: plain.length + (sealer?.overheadBytes ?? 0),
      rawBytes: raw.length,
      compression,
      encoding: this.#encoding,
      ...(sealer === undefined ? {} : { sealedTo: sealer.keyId }),
    };
    const payload =
      sealer === undefined ? plain : await sealer.seal(plain, associatedData(unsealed), pause);
    assert(payload.length === unsealed.payloadBytes, 'a sealed payload has the length it said');
    const manifest = { ...unsealed, payloadSha256: sha256(payload) };
    const manifestBytes = signManifest(manifest, signer);
    const writer = new CborWriter(manifestBytes.length + payload.length + 16);
    const bytes = writer.array(2).bytes(manifestBytes).bytes(payload).peek();
    return { id: batchIdOf(manifestBytes), manifest, bytes };
  }
}

/** Compressed where that is shorter. */
async function squeezed(
  raw: Uint8Array,
  { compressor, compression = 'brotli' }: SealTools,
): Promise<{ readonly plain: Uint8Array; readonly compression: Compression }> {
  if (compression === 'none') return { plain: raw, compression };
  const plain = await compressor.compress(raw, compression);
  return plain.length < raw.length ? { plain, compression } : { plain: raw, compression: 'none' };
}
