/** A flood of the same mistake is one line in ten seconds, which says how many it stands for. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { type LogFields, SILENT_LOG } from '../../../src/base/log.ts';
import { RareLog } from '../../../src/broker/rare-log.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';

test('each line counts what was kept back since the one before it, by event', async () => {
  const clock = new SimClock(0);
  const lines: (string | LogFields)[][] = [];
  const warn = (event: string, fields: LogFields = {}): void => void lines.push([event, fields]);
  const log = new RareLog({ ...SILENT_LOG, warn }, clock);
  for (let count = 0; count < 3; count++) log.warn('a', {});
  log.warn('b', { client: 'c' });
  await clock.advance(10_000);
  log.warn('a', {});
  await clock.advance(10_000);
  log.warn('a', {});
  const expected = [
    ['a', {}],
    ['b', { client: 'c' }],
    ['a', { suppressed: 2 }],
    ['a', {}],
  ];
  assert.deepEqual(lines, expected);
});
