/**
 * Seals packed ops into a batch: what the hub says of them, its signature, and the operator's lock on the payload
 * (BATCH.md §2, §9). A sealed batch never changes; the same id is the same bytes.
 */
import { assert } from '../base/assert.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';
import type { Pause } from '../base/steps.ts';
import { CborWriter } from '../codec/writer.ts';
import { originOfPublicKey, sha256 } from '../hashes.ts';
import { type BatchId, batchIdOf } from './batch-id.ts';
import { associatedData, type Manifest, type Signer, signManifest } from './manifest.ts';
import { BatchPacker, type PackedOps, type PackTools } from './pack-batch.ts';
import type { PayloadSealer } from './payload-seal.ts';

export interface SealedBatch {
  readonly id: BatchId;
  readonly manifest: Manifest;
  /** Manifest and payload as one CBOR item: what is kept, cut in chunks and archived. */
  readonly bytes: Uint8Array;
}

/** What the ops do not say by themselves. */
export type SealContext = Pick<
  Manifest,
  | 'site'
  | 'previous'
  | 'fromLsn'
  | 'throughLsn'
  | 'createdMs'
  | 'quality'
  | 'tree'
  | 'skipped'
  | 'jurisdiction'
>;

/** What sealing works with. */
interface SealTools {
  readonly signer: Signer;
  /** Undefined: the payload is not encrypted. */
  readonly sealer?: PayloadSealer | undefined;
  readonly pause: Pause;
}

/** Gathers ops and seals them, in one place. */
export class BatchBuilder extends BatchPacker {
  /** In slices between which `pause` lets other work run. */
  async seal(context: SealContext, tools: SealTools & PackTools): Promise<SealedBatch> {
    return sealPacked(await this.pack(tools), context, tools);
  }
}

export async function sealPacked(
  { plain, ...packed }: PackedOps,
  context: SealContext,
  { signer, sealer, pause }: SealTools,
): Promise<SealedBatch> {
  const unsealed: Manifest = {
    ...context,
    ...packed,
    hub: originOfPublicKey(signer.publicKey),
    payloadSha256: EMPTY_BYTES,
    payloadBytes: plain.length + (sealer?.overheadBytes ?? 0),
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
