/** What a hub has of the lanes that flow down, and what it takes now: a part of its hello (BATCH.md §11). */
import type { CborValue } from '../../codec/value.ts';
import { isOpClass, type OpClass } from '../../model/class.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import { type BatchId, batchIdOfBytes, bytesOfBatchId } from '../batch-id.ts';
import { ChunkBitmap } from './chunks.ts';
import { decodeVector, encodeVector } from './down-messages.ts';
import { asBytes, asList, asUint, malformed } from './signed.ts';

export interface DownWish {
  readonly vector: VersionVector;
  readonly takes: readonly OpClass[];
  /** The batch of which it has a part already, and which chunks. */
  readonly part?: { readonly batch: BatchId; readonly chunks: ChunkBitmap };
}

/** `[vector, classes]`, or with a part `[vector, classes, batch, total, bitmap]`. */
export function encodeWish({ vector, takes, part }: DownWish): CborValue {
  const told = [encodeVector(vector) ?? new Uint8Array(), [...takes]];
  if (part === undefined) return told;
  return [...told, bytesOfBatchId(part.batch), part.chunks.total, part.chunks.toBytes()];
}

/** Throws `CborError` where it is malformed. */
export function readWish(value: CborValue | undefined): DownWish {
  const [lanes, classes, id, total, bitmap] = asList(value);
  const vector = decodeVector(asBytes(lanes)) ?? malformed();
  const takes = asList(classes)
    .map((each) => asUint(each))
    .filter((each) => isOpClass(each));
  if (id === undefined) return { vector, takes };
  const batch = batchIdOfBytes(asBytes(id)) ?? malformed();
  const chunks = ChunkBitmap.fromBytes(asUint(total), asBytes(bitmap));
  return { vector, takes, part: { batch, chunks: chunks ?? malformed() } };
}
