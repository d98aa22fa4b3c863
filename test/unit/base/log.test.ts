import assert from 'node:assert/strict';
import { test } from 'vitest';

import { createLog, SILENT_LOG } from '../../../src/base/log.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';

test('a line is JSON with time, level, event and fields', () => {
  const lines: string[] = [];
  const log = createLog(new SimClock(Date.UTC(2026, 2, 1)), 'debug', (line) => lines.push(line));
  log.info('journal.recovered', { blocks: 3, cutBytes: 17 });
  assert.deepEqual(lines, [
    '{"at":"2026-03-01T00:00:00.000Z","level":"info","event":"journal.recovered","blocks":3,"cutBytes":17}',
  ]);
});

test('levels below the least are not written', () => {
  const events: string[] = [];
  const log = createLog(new SimClock(0), 'warn', (line) => {
    events.push((JSON.parse(line) as { event: string }).event);
  });
  for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](`at.${level}`);
  assert.deepEqual(events, ['at.warn', 'at.error']);
});

test('the silent log takes everything and says nothing', () => {
  for (const level of ['debug', 'info', 'warn', 'error'] as const) SILENT_LOG[level]('x');
});
