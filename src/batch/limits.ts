/** Limits of the batch format (BATCH.md §7): what a receiver must take, and what it refuses. */

import { SEAL_OVERHEAD_BYTES } from './payload-seal.ts';

/** Ops in one batch. */
export const BATCH_OPS_MAX = 20_000;
/** Payload of a batch before compression, and its ops together; one op of the largest size must fit. */
export const RAW_BYTES_MAX = 8 << 20;
/** Signed manifest; about 20 bytes for each range. */
const MANIFEST_BYTES_MAX = 512 << 10;
/** Leaves that a manifest tells beside those of its ops: with the ranges of as many lanes as a hub keeps, they fit. */
export const SKIPPED_LEAVES_MAX = 8_192;
/** A whole batch as it is cut in chunks. */
export const BATCH_BYTES_MAX = RAW_BYTES_MAX + SEAL_OVERHEAD_BYTES + MANIFEST_BYTES_MAX + 16;
/** So many bytes of a batch hold its manifest. */
export const BATCH_HEAD_BYTES = MANIFEST_BYTES_MAX + 16;
/** A chunk message, its head included. */
export const CHUNK_MESSAGE_BYTES_MAX = 64 << 10;
/** Room for a chunk's head: index, total, bytes and hash. */
export const CHUNK_DATA_BYTES_MAX = CHUNK_MESSAGE_BYTES_MAX - 64;
export const CHUNKS_MAX = 4_096;
/** A signed message that is not a chunk: hello, have, receipt. */
export const MESSAGE_BYTES_MAX = MANIFEST_BYTES_MAX;
/** Batches that a hello may name. */
export const SPOOLED_MAX = 64;

/** When a hub seals: the first limit that is reached ends the batch. A single op may exceed the bytes. */
export interface SealLimits {
  readonly opsMax: number;
  /** Of the ops alone, as they lie in the journal. */
  readonly opBytesMax: number;
}

export const DEFAULT_SEAL_LIMITS: SealLimits = { opsMax: 20_000, opBytesMax: 4 << 20 };

/** A batch on its way down, of which a hub keeps one in memory; one op of the largest size must fit. */
export const DOWN_BATCH_BYTES_MAX = 2 << 20;
/** When a region seals: the first limit that is reached ends the batch. */
export const DOWN_SEAL_LIMITS: SealLimits = { opsMax: 500, opBytesMax: 256 << 10 };
/** Small, so that a link that dies every few seconds gets on. */
export const DOWN_CHUNK_BYTES = 16 << 10;
