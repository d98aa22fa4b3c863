/** Media types as WIRE.cddl has them. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { isMediaType } from '../../../src/model/media-type.ts';

test('a type and a subtype in lower case, no parameters, 127 bytes at most', () => {
  for (const text of ['image/jpeg', 'application/vnd.a-b+cbor', `a/${'b'.repeat(125)}`]) {
    assert.ok(isMediaType(text), text);
  }
  const wrong = ['image', 'image/', 'Image/jpeg', 'text/plain; charset=utf-8', 'a/b/c'];
  for (const text of [...wrong, `a/${'b'.repeat(126)}`]) assert.ok(!isMediaType(text), text);
});
