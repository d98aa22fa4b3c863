/** Laws of the columns: every batch comes back bit for bit, and no bytes do more than be refused. */
import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import { encodeOp } from '../../src/model/op.ts';
import { anyBody, anyLivelyOp, anyNumberText, anyStamped } from '../support/made/column-ops.ts';
import {
  assertRoundTrip,
  decodeColumns,
  encodeColumns,
  eventOf,
  eventsOf,
  WIDE_LIMITS,
} from '../support/made/columns.ts';

test('any mix of ops comes back bit for bit', () => {
  fc.assert(
    fc.property(fc.array(anyStamped, { maxLength: 40 }), (ops) => void assertRoundTrip(ops)),
    {
      numRuns: 300,
    },
  );
});

test('any bodies of one series come back byte for byte', () => {
  fc.assert(
    fc.property(
      fc.array(anyBody, { maxLength: 60 }),
      (bodies) => void assertRoundTrip(eventsOf(bodies)),
    ),
    { numRuns: 1000 },
  );
});

test('any columns of one template come back byte for byte', () => {
  const bodies = fc
    .array(fc.tuple(anyNumberText, anyNumberText), { maxLength: 60 })
    .map((pairs) => pairs.map(([a, b]) => `{"a":${a},"b":${b}}`));
  fc.assert(
    fc.property(bodies, (texts) => void assertRoundTrip(eventsOf(texts))),
    { numRuns: 500 },
  );
});

test('ops in any order, of any times and numbers, come back in that order', () => {
  fc.assert(
    fc.property(fc.array(anyLivelyOp, { maxLength: 60 }), (ops) => void assertRoundTrip(ops)),
    { numRuns: 500 },
  );
});

/** What may come of any bytes: ops within the limits, or a reason. */
function assertHarmless(bytes: Uint8Array): void {
  const outcome = decodeColumns(bytes, WIDE_LIMITS);
  if (outcome.kind === 'malformed') {
    assert.notEqual(outcome.reason, '');
    return;
  }
  for (const { bytes: opBytes, op } of outcome.ops) assert.deepEqual(opBytes, encodeOp(op));
}

test('random bytes are refused', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), assertHarmless), { numRuns: 2000 });
});

const VALID = encodeColumns([
  ...eventsOf([
    '{"v":1.5,"s":"x"}',
    '{"v":1.25,"s":"y"}',
    '21.299999237060547',
    '{"at":"2026-03-01T06:10:00Z"}',
  ]),
  eventOf(5, new Uint8Array([1, 2, 3])),
  ...Array.from({ length: 60 }, (_, i) =>
    eventOf(6 + i, `{"v":${i % 7}.5,"s":"x"}`, { key: `k${i % 3}` }),
  ),
]);

test('flipped, cut and joined bytes of real columns are refused or read, and never more', () => {
  const flips = fc.array(fc.tuple(fc.nat(VALID.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(flips, fc.nat(VALID.length), fc.boolean(), (changes, cutAt, isCut) => {
      const bytes = Uint8Array.from(VALID);
      for (const [at, byte] of changes) bytes[at] = byte;
      assertHarmless(isCut ? bytes.subarray(0, cutAt) : bytes);
    }),
    { numRuns: 3000 },
  );
});

test('columns cut anywhere are refused', () => {
  for (let length = 0; length < VALID.length; length++) {
    assert.equal(decodeColumns(VALID.subarray(0, length), WIDE_LIMITS).kind, 'malformed');
  }
});
