/**
 * A public Ed25519 key as people hand it on: a PEM file (`openssl pkey -in keys/hub.pem -pubout`), a verifier key of
 * signed notes (`heliograph/…+hash+key`, as a hub serves it), 64 hex digits, or base64.
 */
import { createPublicKey } from 'node:crypto';

import { bytesOfHex } from '../base/bytes.ts';
import { PUBLIC_KEY_BYTES } from './identity.ts';

/** The raw 32 bytes; undefined where the text is no such key. */
export function publicKeyOfText(text: string): Uint8Array | undefined {
  const trimmed = text.trim();
  if (trimmed.startsWith('-----BEGIN')) return keyOfPem(trimmed);
  const hex = bytesOfHex(trimmed);
  if (hex?.length === PUBLIC_KEY_BYTES) return hex;
  const [, named] = /\+[0-9a-f]{8}\+([A-Za-z0-9+/]+=*)$/.exec(trimmed) ?? [];
  const bytes = new Uint8Array(Buffer.from(named ?? trimmed, 'base64'));
  const raw = named === undefined ? bytes : bytes.subarray(1);
  return raw.length === PUBLIC_KEY_BYTES ? raw : undefined;
}

function keyOfPem(pem: string): Uint8Array | undefined {
  try {
    const key = createPublicKey(pem);
    const { x } = key.export({ format: 'jwk' });
    if (key.asymmetricKeyType !== 'ed25519' || x === undefined) return undefined;
    return new Uint8Array(Buffer.from(x, 'base64url'));
  } catch {
    return undefined;
  }
}
