/**
 * Signed messages between hub and regional node, as they come from a broker that nobody vouches for: each is a COSE_Sign1 by its
 * sender, and its content type says which it is. What reads one throws `CborError` where something is malformed;
 * `reading` makes undefined of that.
 */
import { bytesEqual } from '../../base/bytes.ts';
import { parseCose, signCose, type Verify, verifyCose } from '../../codec/cose.ts';
import { CborError, decodeCbor } from '../../codec/reader.ts';
import type { CborMap, CborValue } from '../../codec/value.ts';
import { originOfPublicKey } from '../../hashes.ts';
import { bytesOfOrigin, type Origin, originOfBytes } from '../../model/origin.ts';
import { type BatchId, batchIdOfBytes } from '../batch-id.ts';
import { MESSAGE_BYTES_MAX } from '../limits.ts';
import type { Signer } from '../manifest.ts';

export const LIMITS = { depthMax: 4, itemsMax: 110_000 };

/** A message: the payload, signed by its sender. */
export function seal(contentType: string, payload: Uint8Array, signer: Signer): Uint8Array {
  const keyId = bytesOfOrigin(originOfPublicKey(signer.publicKey));
  return signCose(payload, { contentType, keyId }, (message) => signer.sign(message));
}

/** The payload of a message that the holder of the key has signed. Throws `CborError` for any other. */
export function openSigned(
  bytes: Uint8Array,
  contentType: string,
  publicKey: Uint8Array,
  verify: Verify,
): Uint8Array {
  if (bytes.length > MESSAGE_BYTES_MAX) return malformed();
  const message = parseCose(bytes);
  if (message.contentType !== contentType) return malformed();
  return verifyCose(message, publicKey, verify) ? message.payload : malformed();
}

/** The fields of a message that is its own proof: the key in it made the signature. */
export function openSelfSigned(bytes: Uint8Array, contentType: string, verify: Verify): CborMap {
  if (bytes.length > MESSAGE_BYTES_MAX) return malformed();
  const message = parseCose(bytes);
  const map = asMap(decodeCbor(message.payload, LIMITS));
  const publicKey = bytesField(map, 'key');
  if (!bytesEqual(message.keyId, bytesOfOrigin(originOfPublicKey(publicKey)))) return malformed();
  openSigned(bytes, contentType, publicKey, verify);
  return map;
}

/** Runs a parser; undefined where it met something malformed. */
export function reading<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

export function malformed(): never {
  throw new CborError('malformed message', 0);
}

export function asMap(value: CborValue | undefined): CborMap {
  return value instanceof Map ? value : malformed();
}

export function asBytes(value: CborValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : malformed();
}

export function asUint(value: CborValue | undefined): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : malformed();
}

export function asList(value: CborValue | undefined): readonly CborValue[] {
  return Array.isArray(value) ? (value as readonly CborValue[]) : malformed();
}

export function bytesField(map: CborMap, name: string): Uint8Array {
  return asBytes(map.get(name));
}

export function uintField(map: CborMap, name: string): number {
  return asUint(map.get(name));
}

export function asText(value: CborValue | undefined): string {
  return typeof value === 'string' ? value : malformed();
}

export function textField(map: CborMap, name: string): string {
  return asText(map.get(name));
}

/** A list that earlier versions do not send. */
export function listOf(map: CborMap, name: string): readonly CborValue[] | undefined {
  return map.has(name) ? arrayField(map, name) : undefined;
}

export function arrayField(map: CborMap, name: string): readonly CborValue[] {
  return asList(map.get(name));
}

export function hubField(map: CborMap): Origin {
  return originOfBytes(bytesField(map, 'hub')) ?? malformed();
}

export function batchesField(map: CborMap, name: string, countMax: number): BatchId[] {
  const ids = arrayField(map, name).map((id) => batchIdOfBytes(asBytes(id)) ?? malformed());
  return ids.length > countMax ? malformed() : ids;
}

export function batchField(map: CborMap, name: string): BatchId {
  return batchIdOfBytes(bytesField(map, name)) ?? malformed();
}
