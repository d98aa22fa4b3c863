import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import { type BundlePart, encodeBundle, joinBundle, parsePart } from '../../../src/batch/bundle.ts';

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
      assert.deepEqual(joined, { kind: 'bundle', messages: sent });
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
