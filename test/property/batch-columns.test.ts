/** Laws of the columns: every batch comes back bit for bit, and no bytes do more than be refused. */
import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import { utf8 } from '../../src/base/bytes.ts';
import { decodeColumns } from '../../src/batch/columns/decode-columns.ts';
import { encodeColumns } from '../../src/batch/columns/encode-columns.ts';
import { encodeOp, type Op, type StampedOp } from '../../src/model/op.ts';
import { anyHlc, anyOp, anyOrigin, anyStamp } from '../support/made/arbitrary.ts';
import {
  assertRoundTrip,
  eventOf,
  eventsOf,
  HUB,
  START_MS,
  WIDE_LIMITS,
} from '../support/made/columns.ts';

const anyStamped: fc.Arbitrary<StampedOp> = fc
  .tuple(anyOp, anyStamp)
  .map(([op, stamp]) => ({ bytes: encodeOp(op), op, stamp }));

test('any mix of ops comes back bit for bit', () => {
  fc.assert(
    fc.property(fc.array(anyStamped, { maxLength: 40 }), (ops) => void assertRoundTrip(ops)),
    {
      numRuns: 300,
    },
  );
});

/** Numbers as programs print them, and as they do not. */
const anyNumberText = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.tuple(fc.integer({ min: -5000, max: 5000 }), fc.nat(4)).map(([n, d]) => (n / 100).toFixed(d)),
  fc.maxSafeInteger().map(String),
  fc.bigInt().map(String),
  fc.integer({ min: 0, max: 3 }).map((n) => String(START_MS + n)),
  fc.constantFrom(
    '-0',
    '0',
    '0.0',
    '-0.0',
    '1.0',
    '1',
    '1e5',
    '1E+5',
    '1e-7',
    '00',
    '01.5',
    '.5',
    '5.',
  ),
  fc.constantFrom('-', '--1', '1-2', '1.2.3', '9007199254740993', '1e400', '0.1234567890', '+1'),
  fc.constantFrom('123456789012345', '0.000000001', '99999999999999.9', '-123456.789012345'),
);
const anyTextValue = fc.oneof(
  fc.constantFrom(
    '"ok"',
    '""',
    '"a\\"b"',
    '"\\u00e9"',
    '"caf\u00e9"',
    '"',
    '"\\"',
    '"\\',
    'null',
    'true',
  ),
  fc
    .date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true })
    .map((date) => `"${date.toISOString()}"`),
  fc.constantFrom(
    '"2026-02-29T00:00:00Z"',
    '"2024-02-29T23:59:60Z"',
    '"2024-02-29T23:59:59Z"',
    '"0000-01-01T00:00:00Z"',
  ),
);
const anyValueText = fc.oneof(anyNumberText, anyTextValue);
const anyBodyText = fc.oneof(
  fc.tuple(anyValueText, anyValueText).map(([a, b]) => `{"a":${a},"b":${b}}`),
  fc.tuple(anyValueText, anyValueText).map(([a, b]) => `{ "a" : ${a},\n\t"a": [${b}, ${a}] }`),
  fc.array(anyValueText, { maxLength: 80 }).map((values) => `[${values.join(',')}]`),
  anyValueText,
  fc.json(),
  fc.string({
    unit: fc.constantFrom(...Array.from('{}[]",:\\0123.-eE+ ant\n\u0000\u001f\u00e9')),
    maxLength: 60,
  }),
);
const anyBody = fc.oneof(
  { weight: 9, arbitrary: anyBodyText.map((text) => utf8(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
);

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

/** Few series, few boots, near times: what the predictions are made for, with every kind of exception. */
const anyLivelyOp: fc.Arbitrary<StampedOp> = fc
  .record({
    step: fc.integer({ min: -2, max: 90_000 }),
    seq: fc.integer({ min: 1, max: 50 }),
    counter: fc.integer({ min: 0, max: 2 }),
    stampMs: fc.integer({ min: 0, max: 3 }),
    stampCounter: fc.integer({ min: 0, max: 3 }),
    origin: fc.oneof(fc.constant(HUB), anyOrigin),
    authority: fc.integer({ min: 1, max: 4 }),
    bootId: fc.constantFrom(1, 0xffffffff),
    monotonicMs: fc.oneof(fc.nat(3), fc.maxSafeNat()),
    key: fc.constantFrom('a', 'b/c', '\u00e9'),
    kind: fc.constantFrom<Op['kind']>(0, 1, 7),
    value: fc.integer({ min: -5, max: 5 }),
    hlc: fc.option(anyHlc, { freq: 10, nil: undefined }),
  })
  .map((parts) => {
    const ms = START_MS + parts.step;
    const made = eventOf(parts.seq, `{"v":${parts.value}}`, {
      origin: parts.origin,
      hlc: parts.hlc ?? { ms, counter: parts.counter },
      clock: { quality: 'rtc', bootId: parts.bootId, monotonicMs: parts.monotonicMs },
      key: parts.key,
      kind: parts.kind,
    });
    const hlc = { ms: ms + parts.stampMs, counter: parts.stampCounter };
    return { ...made, stamp: { hub: HUB, hlc, authority: parts.authority, rosterEpoch: 1 } };
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
