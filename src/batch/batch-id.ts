/** What names a batch: the hash of its manifest. */
import { bytesOfHex, hexOf } from '../base/bytes.ts';
import { sha256 } from '../hashes.ts';

declare const batchIdBrand: unique symbol;

/** First 16 bytes of the SHA-256 of the signed manifest, as 32 lower-case hex digits. */
export type BatchId = string & { readonly [batchIdBrand]: true };

const BATCH_ID_BYTES = 16;

export function batchIdOf(manifestBytes: Uint8Array): BatchId {
  return hexOf(sha256(manifestBytes).subarray(0, BATCH_ID_BYTES)) as BatchId;
}

export function batchIdOfBytes(bytes: Uint8Array): BatchId | undefined {
  return bytes.length === BATCH_ID_BYTES ? (hexOf(bytes) as BatchId) : undefined;
}

export function batchIdOfText(text: string): BatchId | undefined {
  return /^[0-9a-f]{32}$/.test(text) ? (text as BatchId) : undefined;
}

export function bytesOfBatchId(id: BatchId): Uint8Array {
  return bytesOfHex(id) as Uint8Array;
}
