/** SHA-256 of this machine, for the digest of the state. */
import { createHash } from 'node:crypto';

import type { Hasher } from '../merge/state/digest.ts';

export function sha256Hasher(): Hasher {
  const hash = createHash('sha256');
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    finish: () => new Uint8Array(hash.digest()),
  };
}
