/** Bytes of a month on a metered link, by a calendar that may jump. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { QuotaMeter } from '../../../../src/power/govern/quota.ts';

test('a clock that jumps back takes nothing off, and three months are remembered beside this one', () => {
  const meter = new QuotaMeter({ cellular: 1_000 });
  const count = (month: number, bytes: number): void =>
    meter.count('cellular', bytes, Date.UTC(2026, month, 15));
  for (let month = 0; month < 6; month++) count(month, 100 + month);
  const { month, others } = meter.state;
  assert.deepEqual(
    [month, Object.keys(others ?? {})],
    ['2026-06', ['2026-03', '2026-04', '2026-05']],
  );
  count(4, 1);
  assert.deepEqual(meter.use('cellular'), {
    month: '2026-05',
    usedBytes: 104 + 105 + 1,
    bytesMax: 1_000,
  });
});

test('a hub that nobody has told the date goes on with what it counted, start after start', () => {
  const quota = { cellular: 1_000 };
  let meter = new QuotaMeter(quota);
  for (let start = 0; start < 3; start++) {
    meter = new QuotaMeter(quota, JSON.parse(JSON.stringify(meter.state)));
    meter.count('cellular', 300, 60_000, false);
  }
  assert.equal(meter.usedRatio('cellular', 60_000, false), 0.9);
  const march = Date.UTC(2026, 2, 15);
  assert.equal(meter.usedRatio('cellular', march), 0.9, 'it was this month, for all that is known');
  assert.equal(meter.usedRatio('cellular', march + 31 * 24 * 3_600_000), 0);
});
