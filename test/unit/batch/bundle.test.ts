import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import { concatBytes } from '../../../src/base/bytes.ts';
import {
  BundleContent,
  type BundlePart,
  encodeBundle,
  joinBundle,
  parsePart,
  piecesOf,
} from '../../../src/batch/bundle.ts';

const messages = fc.array(
  fc.record(
    {
      topic: fc.string({ maxLength: 40, unit: 'grapheme' }),
      payload: fc.uint8Array({ maxLength: 300 }),
    },
    { noNullPrototype: true },
  ),
  { maxLength: 20 },
);

function partOf(bytes: Uint8Array): BundlePart {
  const outcome = parsePart(bytes);
  assert.ok(outcome.kind === 'part');
  return outcome.part;
}

test('split anywhere, in any order, twice: the same messages', () => {
  fc.assert(
    fc.property(messages, fc.integer({ min: 1, max: 500 }), (sent, size) => {
      const parts = encodeBundle(sent, size).map((bytes) => partOf(bytes));
      const joined = joinBundle([...parts, ...parts].toReversed());
      assert.ok(joined.kind === 'bundle');
      assert.deepEqual([...joined.messages], sent);
    }),
    { numRuns: 60 },
  );
});

test('a file that breaks off at any byte, or has one byte changed, is told', () => {
  const [bytes = new Uint8Array()] = encodeBundle([{ topic: 'a', payload: new Uint8Array(40) }]);
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(parsePart(bytes.subarray(0, length)).kind, 'damaged');
  }
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at] = (changed[at] as number) ^ 0x10;
    const outcome = parsePart(changed);
    // A change of id or numbers shows when the parts are joined.
    if (outcome.kind === 'part') assert.notEqual(joinBundle([outcome.part]).kind, 'bundle');
  }
});

test('what is missing is named; parts of two bundles do not mix', () => {
  const payload = new Uint8Array(100).fill(1);
  const parts = encodeBundle([{ topic: 'a', payload }], 30).map((bytes) => partOf(bytes));
  const others = encodeBundle([{ topic: 'b', payload }], 30).map((bytes) => partOf(bytes));
  const half = [parts[0], others[1], parts[2], parts[3]].filter((part) => part !== undefined);
  assert.deepEqual(joinBundle(half), { kind: 'incomplete', missing: [2] });
  assert.equal(joinBundle([]).kind, 'damaged');
});

test('of a bundle larger than memory only pieces are read, and messages lie across them', () => {
  const sent = Array.from({ length: 120 }, (_, at) => ({
    topic: `t/${at}`,
    payload: new Uint8Array(60_000 + at).fill(at),
  }));
  let largest = 0;
  const parts = encodeBundle(sent, 3_000_000).map((bytes) => {
    const slice = (from: number, to: number): Uint8Array => {
      const read = bytes.subarray(from, to);
      largest = Math.max(largest, read.length);
      return read;
    };
    const outcome = parsePart({ length: bytes.length, slice });
    assert.ok(outcome.kind === 'part');
    return outcome.part;
  });
  const joined = joinBundle(parts);
  assert.ok(joined.kind === 'bundle' && parts.length === 3);
  // Twice: who imports takes the greetings first.
  for (let round = 0; round < 2; round++) {
    let at = 0;
    for (const message of joined.messages) assert.deepEqual(message, sent[at++]);
    assert.equal(at, sent.length);
  }
  assert.ok(largest <= 2 << 20, `${largest} bytes at once`);
});

test('a bundle that is made holds its messages once, and is written in pieces', () => {
  const content = new BundleContent();
  for (let at = 0; at < 100; at++)
    content.add({ topic: `t/${at}`, payload: new Uint8Array(60_000).fill(at) });
  const [part, ...others] = content.parts();
  assert.ok(part !== undefined && others.length === 0);
  const pieces = [...piecesOf(part)];
  assert.ok(pieces.length > 2 && pieces.every(({ length }) => length <= 2 << 20));
  assert.equal(partOf(concatBytes(pieces)).part, 1);
});

test('a content that its hash vouches for, and that is no messages, is told', () => {
  const [bytes = new Uint8Array()] = encodeBundle([
    { topic: 'a'.repeat(300), payload: new Uint8Array() },
  ]);
  const joined = joinBundle([partOf(bytes)]);
  assert.ok(joined.kind === 'bundle');
  assert.throws(() => [...joined.messages], { code: 'bundle.incomplete' });
});
