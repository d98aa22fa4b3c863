/**
 * Encrypts the payloads of batches to the operator's key, or on their way down to the hub's, and opens them again
 * (batch/BATCH.md §9): a new X25519 key pair for each payload, HKDF, AES-256-GCM. The hub never holds what opens its own
 * batches, so a hub that is stolen tells nothing of what it has sent, and no broker on the way sees more than the manifest.
 *
 * The cipher runs in pieces with pauses in between: acknowledgements go on meanwhile.
 */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';

import { bytesEqual, hexOf } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { Pause } from '../base/steps.ts';
import type { Identity } from './identity.ts';
import {
  agreedKey,
  GCM_NONCE_BYTES,
  GCM_TAG_BYTES,
  keyIdOf,
  privateKeyOf,
  rawPublicKey,
  X25519_KEY_BYTES,
  x25519PrivateKeyOf,
  x25519PublicKeyOf,
} from './wrapping.ts';

interface BatchSealer {
  readonly keyId: Uint8Array;
  readonly overheadBytes: number;
  seal(plain: Uint8Array, associated: Uint8Array, pause: Pause): Promise<Uint8Array>;
}

export interface BatchOpener {
  readonly keyIds: readonly Uint8Array[];
  open(
    keyId: Uint8Array,
    sealed: Uint8Array,
    associated: Uint8Array,
    pause: Pause,
  ): Promise<Uint8Array | 'unknown-key' | 'wrong-seal'>;
}

export interface OperatorKeyPair {
  /** 44 characters of base64: what hubs are told. */
  readonly publicKey: string;
  /** PKCS #8 in PEM: what the regional node keeps. */
  readonly privatePem: string;
  /** 16 hex digits. */
  readonly keyId: string;
}

/** A hub that others encrypt to: batches on their way down. */
interface BatchRecipient extends BatchOpener {
  readonly publicKey: Uint8Array;
}

const KEY_LABEL = 'heliograph operator key';
const RECIPIENT = 'heliograph downlink key 1';
const INFO = 'heliograph batch 1';
const CIPHER = 'aes-256-gcm';
const ZERO_NONCE = new Uint8Array(GCM_NONCE_BYTES);
/** About a millisecond's work on a small board. */
const PIECE_BYTES = 128 << 10;
const KEYS_MAX = 16;

/** Names an operator's key in manifests and messages. */
function operatorKeyId(publicKey: Uint8Array): Uint8Array {
  return keyIdOf(KEY_LABEL, publicKey);
}

/** For the public key in the configuration; throws `config.invalid` where it is none. */
export function batchSealer(publicKeyText: string, random: Random): BatchSealer {
  const publicKey = x25519PublicKeyOf(publicKeyText);
  if (publicKey === undefined) {
    throw new HubError('config.invalid', 'uplink.operator_key is not an X25519 public key');
  }
  return sealerFor(publicKey, random);
}

/** For the raw public key that a hub has told; undefined where it is none, or one that X25519 cannot agree with. */
export function batchSealerTo(publicKey: Uint8Array, random: Random): BatchSealer | undefined {
  const known = x25519PublicKeyOf(Buffer.from(publicKey).toString('base64'));
  return known === undefined ? undefined : sealerFor(known, random);
}

function sealerFor(publicKey: Uint8Array, random: Random): BatchSealer {
  return {
    keyId: operatorKeyId(publicKey),
    overheadBytes: X25519_KEY_BYTES + GCM_TAG_BYTES,
    seal: (plain, associated, pause) => seal(plain, associated, publicKey, random, pause),
  };
}

/** The hub's own: its key follows from its identity, so there is no second secret to keep or to lose. */
export function batchRecipient(identity: Pick<Identity, 'derive'>): BatchRecipient {
  const key = privateKeyOf(identity.derive(RECIPIENT));
  const publicKey = rawPublicKey(key);
  return { publicKey, ...openerOf([{ key, id: operatorKeyId(publicKey) }]) };
}

/** With the private keys in a PEM text, the one of today and those of earlier days; throws `keys.damaged`. */
export function batchOpener(pem: string, path: string): BatchOpener {
  const blocks = pem.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  const keys = blocks.map((block) => x25519PrivateKeyOf(block));
  const held = keys.flatMap((key) =>
    key === undefined ? [] : [{ key, id: operatorKeyId(rawPublicKey(key)) }],
  );
  if (held.length === 0 || held.length !== blocks.length || held.length > KEYS_MAX) {
    throw new HubError('keys.damaged', `${path} does not hold X25519 private keys in PEM`);
  }
  return openerOf(held);
}

interface HeldKey {
  readonly key: KeyObject;
  readonly id: Uint8Array;
}

function openerOf(held: readonly HeldKey[]): BatchOpener {
  return {
    keyIds: held.map(({ id }) => id),
    open: async (keyId, sealed, associated, pause) => {
      const holder = held.find(({ id }) => bytesEqual(id, keyId));
      if (holder === undefined) return 'unknown-key';
      return (await open(sealed, associated, holder.key, pause)) ?? 'wrong-seal';
    },
  };
}

/** Makes a key pair for an operator. */
export function makeOperatorKey(random: Random): OperatorKeyPair {
  const key = privateKeyOf(random.bytes(X25519_KEY_BYTES));
  const raw = rawPublicKey(key);
  return {
    publicKey: Buffer.from(raw).toString('base64'),
    privatePem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    keyId: hexOf(operatorKeyId(raw)),
  };
}

/** `[ephemeral public key][ciphertext][tag]`; the AES key seals this once, so its nonce may be zeros. */
async function seal(
  plain: Uint8Array,
  associated: Uint8Array,
  recipient: Uint8Array,
  random: Random,
  pause: Pause,
): Promise<Uint8Array> {
  const ephemeral = privateKeyOf(random.bytes(X25519_KEY_BYTES));
  const ephemeralPublic = rawPublicKey(ephemeral);
  const key = agreedKey(ephemeral, recipient, ephemeralPublic, recipient, INFO);
  const sealed = new Uint8Array(X25519_KEY_BYTES + plain.length + GCM_TAG_BYTES);
  sealed.set(ephemeralPublic);
  const cipher = createCipheriv(CIPHER, key, ZERO_NONCE).setAAD(associated);
  for (let at = 0; at < plain.length; at += PIECE_BYTES) {
    if (at > 0) await pause();
    sealed.set(cipher.update(plain.subarray(at, at + PIECE_BYTES)), X25519_KEY_BYTES + at);
  }
  cipher.final();
  sealed.set(cipher.getAuthTag(), X25519_KEY_BYTES + plain.length);
  return sealed;
}

/** Undefined where the bytes were changed; what comes out before the tag was checked goes nowhere. */
async function open(
  sealed: Uint8Array,
  associated: Uint8Array,
  privateKey: KeyObject,
  pause: Pause,
): Promise<Uint8Array | undefined> {
  const end = sealed.length - GCM_TAG_BYTES;
  if (end < X25519_KEY_BYTES) return undefined;
  const ephemeralPublic = sealed.subarray(0, X25519_KEY_BYTES);
  try {
    const own = rawPublicKey(privateKey);
    const key = agreedKey(privateKey, ephemeralPublic, ephemeralPublic, own, INFO);
    const decipher = createDecipheriv(CIPHER, key, ZERO_NONCE).setAAD(associated);
    decipher.setAuthTag(sealed.subarray(end));
    const plain = new Uint8Array(end - X25519_KEY_BYTES);
    for (let at = X25519_KEY_BYTES; at < end; at += PIECE_BYTES) {
      if (at > X25519_KEY_BYTES) await pause();
      const piece = sealed.subarray(at, Math.min(at + PIECE_BYTES, end));
      plain.set(decipher.update(piece), at - X25519_KEY_BYTES);
    }
    decipher.final();
    return plain;
  } catch {
    return undefined; // A wrong tag, or a public key of small order, which agrees on nothing.
  }
}
