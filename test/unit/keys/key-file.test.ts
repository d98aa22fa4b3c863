/** A key file has two copies of what it says, and each is read for itself. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { CborReader } from '../../../src/codec/reader.ts';
import { decodeKeyFile, encodeKeyFile, KEY_COPY_BYTES } from '../../../src/keys/key-file.ts';

const bytesOf = (count: number): Uint8Array => new Uint8Array(count).fill(count);
const RECORD = {
  epoch: 3,
  keyId: bytesOf(8),
  kekId: bytesOf(8),
  nonce: bytesOf(12),
  wrapped: bytesOf(48),
  escrow: { publicKey: bytesOf(32), wrapped: bytesOf(80) },
};

/** Where the format stands in a copy. */
function formatAt(bytes: Uint8Array): number {
  const reader = new CborReader(bytes, 0, { depthMax: 2, itemsMax: 16 });
  reader.array();
  reader.text();
  return reader.offset;
}

test('a copy that is damaged or of another format is left out', () => {
  const bytes = encodeKeyFile(RECORD);
  assert.deepEqual(decodeKeyFile(bytes), [RECORD, RECORD]);
  bytes[KEY_COPY_BYTES] = 0xff;
  assert.deepEqual(decodeKeyFile(bytes), [RECORD]);
  bytes[formatAt(bytes)] = 23;
  assert.deepEqual(decodeKeyFile(bytes), []);
});
