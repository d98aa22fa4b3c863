/**
 * Where a session was cut, the next one goes on (BATCH.md §5.1): a hub asks what has arrived of the batches that were on
 * their way, in a tenth of the bytes of a greeting, and the region it greeted a moment ago says so. Parsing never throws.
 */
import { bytesOfHex, concatBytes, hexOf, utf8 } from '../../base/bytes.ts';
import { SIGNATURE_BYTES, type Verify } from '../../codec/cose.ts';
import { CborError, CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { bytesOfOrigin, type Origin } from '../../model/origin.ts';
import type { Signer } from '../manifest.ts';
import { CHUNKS_MAX } from '../limits.ts';
import { ChunkBitmap } from './chunks.ts';
import { NONCE_BYTES } from './messages.ts';
import { type BatchRef, REF_BYTES } from './short-chunk.ts';

/** Batches that are asked for at a time. */
export const RESUMED_MAX = 8;
/** Stretches of chunks that an answer tells; what lies beyond counts as missing. */
const RUNS_MAX = 63;
const MESSAGE_BYTES_MAX = 4_096;
const LIMITS = { depthMax: 4, itemsMax: 1_024 };
const SIGNED_AS = utf8('heliograph resumed 1\0');

export interface Resume {
  readonly nonce: Uint8Array;
  readonly batches: readonly BatchRef[];
}

/** What is there of one batch; undefined chunks: nothing, or it is receipted. */
export interface Resumed {
  readonly ref: BatchRef;
  readonly chunks: ChunkBitmap | undefined;
}

export function encodeResume({ nonce, batches }: Resume): Uint8Array {
  const writer = new CborWriter(64).array(2).bytes(nonce).array(batches.length);
  for (const ref of batches) writer.bytes(bytesOfHex(ref) as Uint8Array);
  return writer.finish();
}

export function parseResume(message: Uint8Array): Resume | undefined {
  return reading(message, (reader) => {
    reader.expectArray(2);
    const nonce = reader.bytes();
    const count = reader.array();
    if (nonce.length !== NONCE_BYTES || count > RESUMED_MAX) return undefined;
    const batches = Array.from({ length: count }, () => readRef(reader));
    return { nonce, batches };
  });
}

/** Signed bare, not as COSE: every byte of it is paid for at every cut. */
export function encodeResumed(
  hub: Origin,
  { nonce, found }: { readonly nonce: Uint8Array; readonly found: readonly Resumed[] },
  signer: Signer,
): Uint8Array {
  const writer = new CborWriter(128).array(found.length);
  for (const { ref, chunks } of found) {
    const runs = chunks === undefined ? [] : runsOf(chunks);
    writer.array(3).bytes(bytesOfHex(ref) as Uint8Array);
    writer.uint(chunks?.total ?? 0).array(runs.length);
    for (const run of runs) writer.uint(run);
  }
  const body = writer.finish();
  return concatBytes([signer.sign(signedBytes(hub, nonce, body)), body]);
}

/** Undefined where the region's key did not sign it for this hub and nonce. */
export function parseResumed(
  message: Uint8Array,
  expected: { readonly hub: Origin; readonly nonce: Uint8Array; readonly regionKey: Uint8Array },
  verify: Verify,
): readonly Resumed[] | undefined {
  const { hub, nonce, regionKey } = expected;
  const signature = message.subarray(0, SIGNATURE_BYTES);
  const body = message.subarray(SIGNATURE_BYTES);
  if (signature.length < SIGNATURE_BYTES || body.length > MESSAGE_BYTES_MAX) return undefined;
  if (!verify(regionKey, signedBytes(hub, nonce, body), signature)) return undefined;
  return reading(body, (reader) => {
    const count = reader.array();
    return count > RESUMED_MAX
      ? undefined
      : Array.from({ length: count }, () => readResumed(reader));
  });
}

/** The nonce is known to both. */
function signedBytes(hub: Origin, nonce: Uint8Array, body: Uint8Array): Uint8Array {
  return concatBytes([SIGNED_AS, bytesOfOrigin(hub), nonce, body]);
}

function readResumed(reader: CborReader): Resumed {
  reader.expectArray(3);
  const ref = readRef(reader);
  const total = reader.uint();
  const runs = Array.from({ length: reader.array() }, () => reader.uint());
  if (total > CHUNKS_MAX || runs.length > RUNS_MAX) throw new CborError('too many', reader.offset);
  if (total === 0) return { ref, chunks: undefined };
  const chunks = new ChunkBitmap(total);
  let at = 0;
  for (const [place, run] of runs.entries()) {
    if (at + run > total) throw new CborError('more than there are', reader.offset);
    if (place % 2 === 0) for (let index = at; index < at + run; index++) chunks.add(index);
    at += run;
  }
  return { ref, chunks };
}

function readRef(reader: CborReader): BatchRef {
  const ref = reader.bytes();
  if (ref.length !== REF_BYTES) throw new CborError('no batch', reader.offset);
  return hexOf(ref);
}

/** Lengths of stretches, in turn there and missing, up to the last chunk that is there. */
function runsOf(chunks: ChunkBitmap): number[] {
  const runs: number[] = [];
  let from = 0;
  let isThere = true;
  for (let index = 0; index <= chunks.total && runs.length < RUNS_MAX; index++) {
    const isOver = index === chunks.total ? isThere : chunks.has(index) !== isThere;
    if (!isOver) continue;
    runs.push(index - from);
    from = index;
    isThere = !isThere;
  }
  return runs;
}

function reading<T>(
  message: Uint8Array,
  read: (reader: CborReader) => T | undefined,
): T | undefined {
  if (message.length > MESSAGE_BYTES_MAX) return undefined;
  try {
    const reader = new CborReader(message, 0, LIMITS);
    const told = read(reader);
    return reader.atEnd ? told : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}
