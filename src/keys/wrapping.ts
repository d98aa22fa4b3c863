/**
 * Wraps a data key so that only the holder of another key gets it back: the hub with its key-encryption key
 * (AES-256-GCM), the operator with an X25519 private key that never was on the hub (RFC 7748, HKDF of RFC 5869, AES-256-GCM).
 *
 * The escrow wrap uses a key pair made for that one wrap, so its AES key seals once and its nonce may be zeros; what
 * the wrap is for goes in as associated data in both. Opening says undefined, never an error, for bytes that
 * are none of ours or were changed.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';

import { concatBytes, utf8 } from '../base/bytes.ts';
import type { Random } from '../base/random.ts';
import { sha256 } from '../hashes.ts';

export const DATA_KEY_BYTES = 32;
export const GCM_NONCE_BYTES = 12;
export const GCM_TAG_BYTES = 16;
export const X25519_KEY_BYTES = 32;
export const KEY_ID_BYTES = 8;

const CIPHER = 'aes-256-gcm';
const ZERO_NONCE = new Uint8Array(GCM_NONCE_BYTES);
/** PKCS #8 frame of an X25519 private key (RFC 8410 §7); the 32 bytes follow. */
const PKCS8_PREFIX = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20,
]);

/** Ciphertext and tag, one behind the other. */
export function sealGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  const sealed = new Uint8Array(plain.length + GCM_TAG_BYTES);
  sealGcmInto(sealed, 0, { key, nonce, aad, plain });
  return sealed;
}

interface GcmInput {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly aad: Uint8Array;
  readonly plain: Uint8Array;
}

/** The same, written into `into` from `at` on. */
export function sealGcmInto(into: Uint8Array, at: number, input: GcmInput): void {
  const cipher = createCipheriv(CIPHER, input.key, input.nonce).setAAD(input.aad);
  into.set(cipher.update(input.plain), at);
  cipher.final();
  into.set(cipher.getAuthTag(), at + input.plain.length);
}

export function openGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const end = sealed.length - GCM_TAG_BYTES;
  if (end < 0) return undefined;
  const decipher = createDecipheriv(CIPHER, key, nonce).setAAD(aad);
  decipher.setAuthTag(sealed.subarray(end));
  try {
    const plain = decipher.update(sealed.subarray(0, end));
    decipher.final();
    // Not as a Buffer: readers cut it into thousands of pieces, and a piece of a Buffer takes three times as long.
    return new Uint8Array(plain.buffer, plain.byteOffset, plain.length);
  } catch {
    return undefined;
  }
}

/** Names a key in files and messages without telling anything of it: the start of a SHA-256 over it, `label` before. */
export function keyIdOf(label: string, key: Uint8Array): Uint8Array {
  return sha256(concatBytes([utf8(label), Uint8Array.of(0), key])).slice(0, KEY_ID_BYTES);
}

/** The ephemeral public key (32 bytes), then the sealed `plain`. */
export function wrapToX25519(
  publicKey: Uint8Array,
  info: string,
  aad: Uint8Array,
  plain: Uint8Array,
  random: Random,
): Uint8Array {
  const ephemeral = privateKeyOf(random.bytes(X25519_KEY_BYTES));
  const ephemeralPublic = rawPublicKey(ephemeral);
  const key = agreedKey(ephemeral, publicKey, ephemeralPublic, publicKey, info);
  return concatBytes([ephemeralPublic, sealGcm(key, ZERO_NONCE, aad, plain)]);
}

export function unwrapWithX25519(
  privateKey: KeyObject,
  info: string,
  aad: Uint8Array,
  wrapped: Uint8Array,
): Uint8Array | undefined {
  if (wrapped.length < X25519_KEY_BYTES + GCM_TAG_BYTES) return undefined;
  const ephemeralPublic = wrapped.subarray(0, X25519_KEY_BYTES);
  const own = rawPublicKey(privateKey);
  try {
    const key = agreedKey(privateKey, ephemeralPublic, ephemeralPublic, own, info);
    return openGcm(key, ZERO_NONCE, aad, wrapped.subarray(X25519_KEY_BYTES));
  } catch {
    return undefined; // A public key of small order agrees on nothing.
  }
}

/** A public key in base64, 44 characters; undefined where it is none, or one that X25519 cannot agree with. */
export function x25519PublicKeyOf(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return undefined;
  const raw = new Uint8Array(Buffer.from(text, 'base64'));
  const probe = privateKeyOf(new Uint8Array(X25519_KEY_BYTES).fill(1));
  try {
    diffieHellman({ privateKey: probe, publicKey: publicKeyOf(raw) });
  } catch {
    return undefined;
  }
  return raw;
}

/** A private key in PEM, as `openssl genpkey -algorithm X25519` writes it; undefined where it is none. */
export function x25519PrivateKeyOf(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyType === 'x25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** The 32 bytes of the public half. */
export function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  return new Uint8Array(Buffer.from(x as string, 'base64url'));
}

export function privateKeyOf(seed: Uint8Array): KeyObject {
  const der = concatBytes([PKCS8_PREFIX, seed]);
  return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
}

function publicKeyOf(raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
}

/** Both public keys are salt: the key belongs to this pair and no other. */
export function agreedKey(
  own: KeyObject,
  other: Uint8Array,
  ephemeralPublic: Uint8Array,
  recipientPublic: Uint8Array,
  info: string,
): Uint8Array {
  const shared = diffieHellman({ privateKey: own, publicKey: publicKeyOf(other) });
  const salt = concatBytes([ephemeralPublic, recipientPublic]);
  return new Uint8Array(hkdfSync('sha256', shared, salt, utf8(info), DATA_KEY_BYTES));
}
