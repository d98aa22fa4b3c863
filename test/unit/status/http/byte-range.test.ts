import assert from 'node:assert/strict';

import { test } from 'vitest';

import { contentRangeOf, rangeOf } from '../../../../src/status/http/byte-range.ts';

test('a reader gets the range that it asked for, as far as there are bytes (RFC 9110 §14.1.2)', () => {
  const cases: readonly [string | null, unknown][] = [
    ['bytes=0-99', { from: 0, to: 99 }],
    ['bytes=900-', { from: 900, to: 999 }],
    ['bytes=900-5000', { from: 900, to: 999 }],
    ['bytes=-100', { from: 900, to: 999 }],
    ['bytes=-5000', { from: 0, to: 999 }],
    ['bytes=1000-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    // All of it, where the range is none that we serve.
    ['bytes=5-1', undefined],
    ['bytes=0-1,5-6', undefined],
    ['bytes=-', undefined],
    ['lines=1-2', undefined],
    [`bytes=${'9'.repeat(30)}-`, undefined],
    [null, undefined],
  ];
  for (const [header, range] of cases) assert.deepEqual(rangeOf(header, 1000), range, `${header}`);
});

test('a sender says what part of the whole it brings', () => {
  const range = (length: string | undefined, header?: string): unknown =>
    contentRangeOf(
      new Headers({
        ...(length === undefined ? {} : { 'content-length': length }),
        ...(header === undefined ? {} : { 'content-range': header }),
      }),
    );
  assert.deepEqual(range('10'), { from: 0, to: 10, size: 10 });
  assert.deepEqual(range('10', 'bytes 5-14/20'), { from: 5, to: 15, size: 20 });
  assert.deepEqual(range('0', 'bytes */20'), { from: 0, to: 0, size: 20 });
  assert.deepEqual(range(undefined, 'bytes */20'), { from: 0, to: 0, size: 20 });
  for (const [length, header] of [
    [undefined, undefined],
    ['x', undefined],
    ['10', 'bytes 5-15/20'],
    ['10', 'bytes 15-24/20'],
    ['10', 'bytes */20'],
    ['0', 'bytes 5-4/20'],
    ['10', 'bytes 0-9'],
  ]) {
    assert.equal(range(length, header), undefined, `${length} ${header}`);
  }
});
