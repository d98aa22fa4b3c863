/**
 * Who a hub or a regional node is: an Ed25519 key pair that is made at the first start and kept in one file
 * that only its user can read. The id is the first 8 bytes of the SHA-256 of the public key, so nobody can
 * claim it without the key, and nothing has to be registered before a hub may speak.
 *
 * Processes that start at once on a shared file end with one key: who comes second finds the name taken, and reads.
 *
 * The file is PKCS #8 in PEM: `openssl pkey -in FILE -pubout` reads it. A damaged file is a fault and is never
 * written over: a new key would be a new hub, and that is for a person to decide.
 */
import {
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';

import { concatBytes, EMPTY_BYTES, textOf, utf8 } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { Verify } from '../codec/cose.ts';
import { originOfPublicKey } from '../hashes.ts';
import type { Origin } from '../model/origin.ts';
import { type Files, folderOf } from '../platform/files/files.ts';

export const PUBLIC_KEY_BYTES = 32;
const SEED_BYTES = 32;
/** PKCS #8 frame of an Ed25519 seed (RFC 8410 §7); the 32 bytes follow. */
const PKCS8_PREFIX = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]);

interface IdentityOptions {
  readonly files: Pick<Files, 'read' | 'createNew' | 'makeDir'>;
  /** File of the private key; made with its folder where there is none. */
  readonly path: string;
  /** Where a new key comes from. */
  readonly random: Random;
}

export class Identity {
  /** 32 bytes (RFC 8032). */
  readonly publicKey: Uint8Array;
  readonly id: Origin;
  readonly #privateKey: KeyObject;

  private constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.publicKey = rawPublicKey(privateKey);
    this.id = originOfPublicKey(this.publicKey);
  }

  /** Reads the key, or makes one; throws `HubError('keys.damaged')` where the file is not an Ed25519 key. */
  static open(options: IdentityOptions): Identity {
    const kept = options.files.read(options.path);
    if (kept !== undefined) return new Identity(keyOfPem(kept, options.path));
    const identity = Identity.fromSeed(options.random.bytes(SEED_BYTES));
    options.files.makeDir(folderOf(options.path));
    const pem = identity.#privateKey.export({ type: 'pkcs8', format: 'pem' });
    if (options.files.createNew(options.path, utf8(pem.toString()))) return identity;
    // Another process was first, a worker of the same fleet: its key is ours.
    return Identity.open(options);
  }

  /** The identity of a 32-byte seed, kept nowhere. */
  static fromSeed(seed: Uint8Array): Identity {
    const der = concatBytes([PKCS8_PREFIX, seed]);
    return new Identity(createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' }));
  }

  /** 32 secret bytes for another use, as `purpose` says: HKDF-SHA256 (RFC 5869) of the private key, without salt. */
  derive(purpose: string): Uint8Array {
    const { d } = this.#privateKey.export({ format: 'jwk' });
    const seed = Buffer.from(d as string, 'base64url');
    return new Uint8Array(hkdfSync('sha256', seed, EMPTY_BYTES, utf8(purpose), SEED_BYTES));
  }

  /** 64 bytes (RFC 8032 §5.1.6). */
  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, message, this.#privateKey));
  }
}

/** Ed25519 verification; false, never an error, for keys and signatures that are none. */
export const verifyEd25519: Verify = (publicKey, message, signature) => {
  if (publicKey.length !== PUBLIC_KEY_BYTES) return false;
  const x = Buffer.from(publicKey).toString('base64url');
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verify(null, message, key, signature);
  } catch {
    return false;
  }
};

function keyOfPem(bytes: Uint8Array, path: string): KeyObject {
  const damaged = (cause?: unknown): HubError =>
    new HubError('keys.damaged', `${path} is not an Ed25519 private key`, cause);
  let key: KeyObject;
  try {
    key = createPrivateKey(textOf(bytes) ?? '');
  } catch (error) {
    throw damaged(error);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw damaged();
  return key;
}

function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  return new Uint8Array(Buffer.from(x as string, 'base64url'));
}
