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
