import assert from 'node:assert/strict';
import { test } from 'vitest';

import { createLog, type LogFields, RareLog, SILENT_LOG } from '../../../src/base/log.ts';
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

test('of a flood of the same mistake each line counts what was kept back since the one before it, by event', async () => {
  const clock = new SimClock(0);
  const lines: (string | LogFields)[][] = [];
  const warn = (event: string, fields: LogFields = {}): void => void lines.push([event, fields]);
  const log = new RareLog({ ...SILENT_LOG, warn }, clock, 10_000);
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
