import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import {
  parseSummary,
  type Summary,
  SUMMARY_BYTES_MAX,
  SUMMARY_ROWS_MAX,
  SummaryFold,
} from '../../../src/batch/summary.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { HUB_ID } from '../../support/made/batches.ts';

interface Reading {
  readonly key: string;
  readonly atMs: number;
  readonly value: number;
}

function summaryOf(readings: readonly Reading[], windowS = 900): Summary {
  const fold = new SummaryFold(TELEMETRY, windowS);
  for (const [index, { key, atMs, value }] of readings.entries()) {
    const numbers = new Map([['w', value]]);
    fold.add({ origin: HUB_ID, seq: index + 1, key, atMs, numbers });
  }
  const summary = parseSummary(fold.finish(1, readings.length) ?? new Uint8Array());
  assert.ok(summary);
  return summary;
}

test('rows say what the readings of their window come to', () => {
  const at = (minute: number, value: number): Reading => ({
    key: 'k',
    atMs: minute * 60_000,
    value,
  });
  const { series, ranges, windowS } = summaryOf([at(0, 5), at(14, 1), at(15, 7), at(29, 9)]);
  assert.equal(windowS, 900);
  assert.deepEqual(series['k']?.['w'], [
    [0, 2, 1, 5, 3, 1],
    [900, 2, 7, 9, 8, 9],
  ]);
  assert.deepEqual(ranges, [[HUB_ID, 1, 4]]);
});

test('however many readings, rows and bytes keep their limits, and nothing goes uncounted', () => {
  const readings = fc.array(
    fc.record({
      key: fc.integer({ min: 0, max: 900 }).map((n) => `site/${n}/${'x'.repeat(n % 90)}`),
      atMs: fc.integer({ min: 0, max: 90 * 86_400_000 }),
      value: fc.double({ noNaN: true, noDefaultInfinity: true }),
    }),
    { minLength: 1, maxLength: 4_600, size: 'max' },
  );
  fc.assert(
    fc.property(readings, (all) => {
      const summary = summaryOf(all);
      const rows = Object.values(summary.series).flatMap((fields) => fields['w'] ?? []);
      const counted = rows.reduce((sum, row) => sum + row[1], 0);
      assert.equal(counted + summary.left, all.length);
      assert.equal(summary.ops, all.length);
      assert.ok(rows.length <= SUMMARY_ROWS_MAX);
      assert.ok(utf8(JSON.stringify(summary)).length <= SUMMARY_BYTES_MAX);
      assert.ok(rows.every(([start, , min, max]) => start % summary.windowS === 0 && min <= max));
    }),
    { numRuns: 5 },
  );
});

test('what is no summary, or of a later format, is none', () => {
  const good = summaryOf([{ key: 'k', atMs: 0, value: 1 }]);
  const parsed = (value: unknown): unknown => parseSummary(utf8(JSON.stringify(value)));
  assert.ok(parsed(good));
  assert.equal(parsed({ ...good, format: 2 }), undefined);
  assert.equal(parsed({ ...good, series: { k: { w: [[1, 2]] } } }), undefined);
  assert.equal(parsed({ ...good, windowS: 0 }), undefined);
  assert.equal(parsed(null), undefined);
  assert.equal(parseSummary(utf8('not json')), undefined);
  assert.equal(parseSummary(new Uint8Array(3 * SUMMARY_BYTES_MAX)), undefined);
});
