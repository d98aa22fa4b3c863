/** Any ops for columns: of every kind, with bodies as programs print them and as they do not, in every order. */
import fc from 'fast-check';

import { utf8 } from '../../../src/base/bytes.ts';
import { encodeOp, type Op, type StampedOp } from '../../../src/model/op.ts';
import { anyHlc, anyOp, anyOrigin, anyStamp } from './arbitrary.ts';
import { eventOf, HUB, START_MS } from './columns.ts';

export const anyStamped: fc.Arbitrary<StampedOp> = fc
  .tuple(anyOp, anyStamp)
  .map(([op, stamp]) => ({ bytes: encodeOp(op), op, stamp }));

/** Numbers as programs print them, and as they do not. */
export const anyNumberText = fc.oneof(
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
export const anyBody = fc.oneof(
  { weight: 9, arbitrary: anyBodyText.map((text) => utf8(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
);

/** Few series, few boots, near times: what the predictions are made for, with every kind of exception. */
export const anyLivelyOp: fc.Arbitrary<StampedOp> = fc
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
