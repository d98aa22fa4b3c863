/**
 * The file of one key epoch (journal/FORMAT.md §8): a data key, wrapped to the hub's key-encryption key and, where the
 * operator left an escrow key, to that. The record stands twice, each in a page of its own, because a
 * damaged page must not cost a day of acknowledged ops.
 */
import { CborError, CborReader } from '../codec/reader.ts';
import type { CborLimits } from '../codec/value.ts';
import { CborWriter } from '../codec/writer.ts';
import { KEY_FILE_FORMAT } from '../versions.ts';
import {
  DATA_KEY_BYTES,
  GCM_NONCE_BYTES,
  GCM_TAG_BYTES,
  KEY_ID_BYTES,
  X25519_KEY_BYTES,
} from './wrapping.ts';

const KEY_MAGIC = 'heliograph key';
export const KEY_COPY_BYTES = 4096;

export interface KeyRecord {
  readonly epoch: number;
  /** Of the data key; stands in the headers of its segments. */
  readonly keyId: Uint8Array;
  readonly kekId: Uint8Array;
  readonly nonce: Uint8Array;
  readonly wrapped: Uint8Array;
  readonly escrow: EscrowWrap | undefined;
}

interface EscrowWrap {
  /** The operator's public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly wrapped: Uint8Array;
}

const LIMITS: CborLimits = { depthMax: 2, itemsMax: 16 };

export function encodeKeyFile(record: KeyRecord): Uint8Array {
  const writer = new CborWriter(512).array(6).text(KEY_MAGIC).uint(KEY_FILE_FORMAT);
  writer.uint(record.epoch).bytes(record.keyId);
  writer.array(3).bytes(record.kekId).bytes(record.nonce).bytes(record.wrapped);
  if (record.escrow === undefined) writer.null();
  else writer.array(2).bytes(record.escrow.publicKey).bytes(record.escrow.wrapped);
  const copy = writer.finish();
  const bytes = new Uint8Array(2 * KEY_COPY_BYTES);
  bytes.set(copy, 0);
  bytes.set(copy, KEY_COPY_BYTES);
  return bytes;
}

/** What can be read of a key file: both records, one, or none. Whether a key comes out of one is for its seal to say. */
export function decodeKeyFile(bytes: Uint8Array): KeyRecord[] {
  return [0, KEY_COPY_BYTES].flatMap((start) => {
    try {
      return [readCopy(bytes.subarray(start, start + KEY_COPY_BYTES))];
    } catch (error) {
      if (error instanceof CborError) return [];
      throw error;
    }
  });
}

function readCopy(bytes: Uint8Array): KeyRecord {
  const reader = new CborReader(bytes, 0, LIMITS);
  reader.expectArray(6);
  if (reader.text() !== KEY_MAGIC) throw new CborError('not a key file', reader.offset);
  if (reader.uint() !== KEY_FILE_FORMAT) throw new CborError('another format', reader.offset);
  const epoch = reader.uint();
  const keyId = fixed(reader, KEY_ID_BYTES);
  reader.expectArray(3);
  const kekId = fixed(reader, KEY_ID_BYTES);
  const nonce = fixed(reader, GCM_NONCE_BYTES);
  const wrapped = fixed(reader, DATA_KEY_BYTES + GCM_TAG_BYTES);
  const escrow = reader.orNull(() => readEscrow(reader));
  return { epoch, keyId, kekId, nonce, wrapped, escrow };
}

function readEscrow(reader: CborReader): EscrowWrap {
  reader.expectArray(2);
  const publicKey = fixed(reader, X25519_KEY_BYTES);
  return { publicKey, wrapped: fixed(reader, X25519_KEY_BYTES + DATA_KEY_BYTES + GCM_TAG_BYTES) };
}

function fixed(reader: CborReader, count: number): Uint8Array {
  const bytes = reader.bytes();
  if (bytes.length !== count) throw new CborError(`not ${count} bytes`, reader.offset);
  return bytes;
}
