/**
 * A chunk that says no more than it must (BATCH.md §4): of its batch the first four bytes of the id, and CRC-32 in the
 * place of a hash. Where a link is cut every 20 KB, heads are half of what cuts cost.
 *
 *   [4 batch][2 chunks in all][2 index][4 CRC-32 of all other bytes][data]      numbers big-endian
 *
 * For a receiver that has a part of the batch already, and has said so. What is wrong in a way that four bytes do not show,
 * the hash of the whole batch does.
 */
import { crc32 } from 'node:zlib';

import { bytesOfHex, hexOf } from '../../base/bytes.ts';
import { sha256 } from '../../hashes.ts';
import type { BatchId } from '../batch-id.ts';
import { CHUNK_MESSAGE_BYTES_MAX } from '../limits.ts';
import { type Chunk, type ChunkLayout, chunkSpan, isLayout } from './chunks.ts';

/** First bytes of a batch's id, in hex. */
export type BatchRef = string;

export const REF_BYTES = 4;
export const SHORT_HEAD_BYTES = 12;

/** A batch of which the receiver has a part. */
export interface NamedBatch {
  readonly batch: BatchId;
  readonly batchBytes: number;
}

interface ShortChunk {
  readonly ref: BatchRef;
  readonly total: number;
  readonly index: number;
  readonly data: Uint8Array;
}

export function refOf(batch: BatchId): BatchRef {
  return batch.slice(0, 2 * REF_BYTES);
}

/** The message that carries chunk `index`, whose `data` is its span of the batch. */
export function encodeShortChunk(
  batch: BatchId,
  { total }: ChunkLayout,
  index: number,
  data: Uint8Array,
): Uint8Array {
  const message = new Uint8Array(SHORT_HEAD_BYTES + data.length);
  const view = new DataView(message.buffer);
  message.set(bytesOfHex(refOf(batch)) as Uint8Array);
  view.setUint16(4, total);
  view.setUint16(6, index);
  message.set(data, SHORT_HEAD_BYTES);
  view.setUint32(8, checksum(message));
  return message;
}

/** Undefined where it is none, or damaged; its data aliases the input. */
export function parseShortChunk(message: Uint8Array): ShortChunk | undefined {
  const { length } = message;
  if (length <= SHORT_HEAD_BYTES || length > CHUNK_MESSAGE_BYTES_MAX) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, length);
  if (view.getUint32(8) !== checksum(message)) return undefined;
  return {
    ref: hexOf(message.subarray(0, REF_BYTES)),
    total: view.getUint16(4),
    index: view.getUint16(6),
    data: message.subarray(SHORT_HEAD_BYTES),
  };
}

/** The chunk of this batch that it is; undefined where it cannot be one. */
export function chunkOf(
  { total, index, data }: ShortChunk,
  { batchBytes }: Pick<NamedBatch, 'batchBytes'>,
): Chunk | undefined {
  const layout = { total, batchBytes };
  if (!isLayout(layout) || index >= total) return undefined;
  const { from, to } = chunkSpan(layout, index);
  return data.length === to - from ? { ...layout, index, data, hash: sha256(data) } : undefined;
}

function checksum(message: Uint8Array): number {
  return crc32(message.subarray(SHORT_HEAD_BYTES), crc32(message.subarray(0, 8)));
}
