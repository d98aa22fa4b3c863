/** SHA-256, and the ids that it makes of public keys. */
import { createHash, hash } from 'node:crypto';

import { type Origin, ORIGIN_BYTES, originAt } from './model/origin.ts';

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', bytes, 'buffer'));
}

/** Of what comes piece by piece. */
export function sha256Of(pieces: Iterable<Uint8Array>): Uint8Array {
  const hasher = createHash('sha256');
  for (const piece of pieces) hasher.update(piece);
  return new Uint8Array(hasher.digest());
}

/** The id that belongs to the raw public key of a hub or a regional node: who holds another key cannot claim it. */
export function originOfPublicKey(publicKey: Uint8Array): Origin {
  return originAt(sha256(publicKey).subarray(0, ORIGIN_BYTES), 0);
}
