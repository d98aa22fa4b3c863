/**
 * Signed messages: COSE_Sign1 (RFC 9052 §4.2) with Ed25519, so that tools we did not write can check
 * batches and receipts. Who signs and verifies is handed in; this file only knows the bytes.
 *
 * Of all that COSE allows we keep one form: untagged, everything in the protected header, nothing in the
 * unprotected one, the payload inside, no external data. The content type (label 3) is part of what is
 * signed, so a signature made for a receipt never passes for a manifest.
 */
import { CborError, CborReader } from './reader.ts';
import type { CborLimits } from './value.ts';
import { CborWriter } from './writer.ts';

export type Sign = (message: Uint8Array) => Uint8Array;
/** True where `signature` over `message` was made with the private half of the raw 32-byte `publicKey`. */
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

interface CoseHeader {
  /** Media type of the payload. */
  readonly contentType: string;
  /** Names the key; not proof of anything before the signature is verified. */
  readonly keyId: Uint8Array;
}

export interface CoseSign1 extends CoseHeader {
  readonly payload: Uint8Array;
  readonly protectedBytes: Uint8Array;
  readonly signature: Uint8Array;
}

export const SIGNATURE_BYTES = 64;
const ALGORITHM = 1;
const CONTENT_TYPE = 3;
const KEY_ID = 4;
/** EdDSA (RFC 9053 §2.2). */
const EDDSA = -8;
const LIMITS: CborLimits = { depthMax: 2, itemsMax: 16 };

/** A signed message around `payload`. */
export function signCose(payload: Uint8Array, header: CoseHeader, sign: Sign): Uint8Array {
  const protectedBytes = encodeHeader(header);
  const signature = sign(toBeSigned(protectedBytes, payload));
  const writer = new CborWriter(payload.length + protectedBytes.length + SIGNATURE_BYTES + 16);
  writer.array(4).bytes(protectedBytes).map(0).bytes(payload).bytes(signature);
  return writer.finish();
}

/** Takes a message apart, its parts aliasing the input; throws `CborError` where it has not our form. */
export function parseCose(bytes: Uint8Array): CoseSign1 {
  const reader = new CborReader(bytes, 0, LIMITS);
  reader.expectArray(4);
  const protectedBytes = reader.bytes();
  if (reader.map() !== 0) throw new CborError('unprotected header is not empty', reader.offset);
  const payload = reader.bytes();
  const signature = reader.bytes();
  if (!reader.atEnd) throw new CborError('bytes after the end', reader.offset);
  if (signature.length !== SIGNATURE_BYTES) throw new CborError('signature is not 64 bytes', 0);
  return { ...decodeHeader(protectedBytes), payload, protectedBytes, signature };
}

export function verifyCose(message: CoseSign1, publicKey: Uint8Array, verify: Verify): boolean {
  const signed = toBeSigned(message.protectedBytes, message.payload);
  return verify(publicKey, signed, message.signature);
}

/** What is signed: the Sig_structure of RFC 9052 §4.4. */
export function toBeSigned(protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array {
  const writer = new CborWriter(payload.length + protectedBytes.length + 32);
  writer.array(4).text('Signature1').bytes(protectedBytes).bytes(new Uint8Array(0)).bytes(payload);
  return writer.finish();
}

function encodeHeader(header: CoseHeader): Uint8Array {
  const writer = new CborWriter(96).map(3).uint(ALGORITHM).int(EDDSA);
  return writer
    .uint(CONTENT_TYPE)
    .text(header.contentType)
    .uint(KEY_ID)
    .bytes(header.keyId)
    .finish();
}

function decodeHeader(bytes: Uint8Array): CoseHeader {
  const reader = new CborReader(bytes, 0, LIMITS);
  const expectLabel = (label: number): void => {
    if (reader.uint() !== label) throw new CborError('unexpected header label', reader.offset);
  };
  if (reader.map() !== 3) throw new CborError('not the three header fields', 0);
  expectLabel(ALGORITHM);
  if (reader.int() !== EDDSA) throw new CborError('not EdDSA', reader.offset);
  expectLabel(CONTENT_TYPE);
  const contentType = reader.text();
  expectLabel(KEY_ID);
  const keyId = reader.bytes();
  if (!reader.atEnd) throw new CborError('bytes after the header', reader.offset);
  return { contentType, keyId };
}
