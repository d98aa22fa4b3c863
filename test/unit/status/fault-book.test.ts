import assert from 'node:assert/strict';

import { test } from 'vitest';

import { FAULTS } from '../../../src/base/errors.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { FaultBook, type FoundFault } from '../../../src/status/fault-book.ts';
import { KeptLog } from '../../support/simulated/uplink-world.ts';

const SLOW: FoundFault = { code: 'journal.slow', message: 'a sync takes 2 s' };
const START_MS = Date.UTC(2026, 2, 1);

test('a fault is told with its first moment, and the log says once that it began and once that it ended', async () => {
  const clock = new SimClock(START_MS);
  const log = new KeptLog();
  const book = new FaultBook(clock, log);
  assert.deepEqual(book.told([]), []);
  const { code, message } = SLOW;
  const first = { code, message, hint: FAULTS[code], since: '2026-03-01T00:00:00.000Z' };
  assert.deepEqual(book.told([SLOW]), [first]);
  await clock.advance(60_000);
  const worse = { ...SLOW, message: 'a sync takes 9 s' };
  assert.deepEqual(book.told([worse]), [{ ...first, message: worse.message }]);
  book.told([]);
  assert.deepEqual(log.lines, [
    { event: 'fault.began', fields: { code, reason: message, hint: FAULTS[code] } },
    { event: 'fault.ended', fields: { code } },
  ]);
});

test('one that comes and goes is told once in ten minutes', async () => {
  const clock = new SimClock(START_MS);
  const log = new KeptLog();
  const book = new FaultBook(clock, log);
  for (let second = 0; second < 1_200; second++) {
    book.told(second % 2 === 0 ? [SLOW] : []);
    await clock.advance(1_000);
  }
  assert.deepEqual(
    ['fault.began', 'fault.ended'].map((event) => log.count(event)),
    [2, 2],
  );
});

test('ranges of one code are one line, and whoever knows its begin says it', () => {
  const log = new KeptLog();
  const book = new FaultBook(new SimClock(START_MS), log);
  const ranges: FoundFault[] = ['LSN 1 to 2', 'LSN 7 to 9'].map((message) => {
    return { code: 'journal.damaged', message, sinceMs: START_MS - 60_000 };
  });
  const told = book.told(ranges);
  assert.deepEqual(
    told.map(({ since }) => since),
    ['2026-02-28T23:59:00.000Z', '2026-02-28T23:59:00.000Z'],
  );
  assert.equal(log.count('fault.began'), 1);
});
