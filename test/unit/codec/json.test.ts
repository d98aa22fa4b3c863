/** What people say in JSON, as CBOR: the same on the hub and at the regional node. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { cborOfJson, jsonOfCbor } from '../../../src/codec/json.ts';
import { encodeCbor } from '../../../src/codec/writer.ts';

test('JSON comes back as it was', () => {
  const value = { state: 'done', parts: [1, 2.5, null, true], who: { name: 'ana' } };
  assert.deepEqual(jsonOfCbor(encodeCbor(cborOfJson(value, 2))), value);
});

test('a value that is nested deeper than allowed is refused', () => {
  assert.throws(() => cborOfJson([[[1]]], 2), /nested at most 2 deep/);
});

test('a name with half of a character is refused, at whatever depth', () => {
  assert.throws(() => cborOfJson({ '\ud800': 1 }, 8), /no text/);
  assert.throws(() => cborOfJson([{ a: { '\udc00': 1 } }], 8), /no text/);
});
