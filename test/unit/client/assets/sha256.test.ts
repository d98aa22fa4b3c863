import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import fc from 'fast-check';
import { it } from 'vitest';

import { sha256 } from '../../../../src/client/assets/sha256.ts';

it('SHA-256 of the SDK is that of everybody else, at every length around a block and beyond', () => {
  const expected = (bytes: Uint8Array): Uint8Array =>
    new Uint8Array(createHash('sha256').update(bytes).digest());
  for (let length = 0; length < 200; length++) {
    const bytes = new Uint8Array(length).fill(length);
    assert.deepEqual(sha256(bytes), expected(bytes), `${length} bytes`);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat({ max: 7 }), (bytes, from) => {
      const part = bytes.subarray(from);
      assert.deepEqual(sha256(part), expected(part));
    }),
  );
});
