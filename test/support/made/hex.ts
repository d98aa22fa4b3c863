import assert from 'node:assert/strict';

import { bytesOfHex } from '../../../src/base/bytes.ts';

/** Bytes of a hex text that the test itself wrote; spaces may part them. */
export function fromHex(text: string): Uint8Array {
  const bytes = bytesOfHex(text.replaceAll(' ', ''));
  assert.ok(bytes, `not hex: ${text}`);
  return bytes;
}
