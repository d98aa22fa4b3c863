/** Bundle files of format 1 as first written. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { bytesOfHex, hexOf, utf8 } from '../../src/base/bytes.ts';
import { encodeBundle, joinBundle, parsePart } from '../../src/batch/bundle.ts';

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'bundle-1.json'), 'utf8'),
) as readonly string[];

const MESSAGES = [
  { topic: 'heliograph/v1/demo/34750f98bd59fcfc/hello', payload: utf8('a hello') },
  {
    topic: 'heliograph/v1/demo/34750f98bd59fcfc/up/005fcc7832c94351a1a38b886e36ee52/0',
    payload: new Uint8Array(64).fill(7),
  },
];

test('a bundle in two files', () => {
  assert.deepEqual(
    encodeBundle(MESSAGES, 150).map((bytes) => hexOf(bytes)),
    golden,
  );
  const parts = golden.map((hex) => parsePart(bytesOfHex(hex) ?? new Uint8Array()));
  const read = parts.flatMap((outcome) => (outcome.kind === 'part' ? [outcome.part] : []));
  const joined = joinBundle(read);
  assert.ok(joined.kind === 'bundle');
  assert.deepEqual([...joined.messages], MESSAGES);
});
