import assert from 'node:assert/strict';
import { test } from 'vitest';

import { readTrace } from '../../../src/pilot/world/trace.ts';

const DAY_MS = 86_400_000;

/** Rows every `minutes`, the irradiance being the hour of the day at the row's end, in `zone`. */
function csvOf(days: number, minutes: number, zone = 'Z', head = 'time,ghi_wm2'): string {
  const rows = [head];
  for (let minute = minutes; minute <= days * 1_440; minute += minutes) {
    const end = new Date(Date.UTC(2026, 2, 1) + minute * 60_000).toISOString().slice(0, 19);
    rows.push(`${end}${zone},${Math.floor((minute - 1) / 60) % 24}`);
  }
  return rows.join('\n');
}

test('a row speaks for the time up to it, whatever the interval', () => {
  for (const minutes of [5, 15, 60]) {
    const { sky, startMs, days, gaps } = readTrace(csvOf(3, minutes), 'trace');
    assert.equal(startMs, Date.UTC(2026, 2, 1));
    assert.equal(days, 3);
    assert.equal(gaps, 0);
    assert.equal(sky.ghiWm2(Date.UTC(2026, 2, 1, 7, 1)), 7);
    assert.equal(sky.ghiWm2(Date.UTC(2026, 2, 2, 12, 59)), 12);
  }
});

test('times carry a zone, or mean UTC; columns may stand in any order', () => {
  const zoned = readTrace(csvOf(2, 60, '-05:00'), 'trace');
  assert.equal(zoned.startMs, Date.UTC(2026, 2, 1, 5));
  const bare = readTrace(csvOf(2, 60, ''), 'trace');
  assert.equal(bare.startMs, Date.UTC(2026, 2, 1));
  const swapped = csvOf(2, 60)
    .split('\n')
    .map((line) => line.split(',').toReversed().join(','))
    .join('\n');
  assert.equal(readTrace(swapped, 'trace').sky.ghiWm2(Date.UTC(2026, 2, 1, 7, 30)), 7);
});

test('a gap is filled from the same hour of the day before, and counted', () => {
  const lines = csvOf(3, 60).split('\n');
  const holed = lines.filter((_, index) => index < 30 || index > 36).join('\n');
  const { sky, gaps } = readTrace(holed, 'trace');
  assert.equal(gaps, 1);
  assert.equal(sky.ghiWm2(Date.UTC(2026, 2, 2, 8, 30)), 8);
});

test('a trace that is too short begins again', () => {
  const { sky, startMs } = readTrace(csvOf(2, 60), 'trace');
  assert.equal(sky.ghiWm2(startMs + 10 * DAY_MS + 7.5 * 3_600_000), 7);
});

test('what is no trace is refused with the line', () => {
  assert.throws(() => readTrace('a,b\n1,2', 't.csv'), /t\.csv:1: the first line names/);
  assert.throws(() => readTrace(`${csvOf(2, 60)}\nyesterday,3`, 't.csv'), /t\.csv:50: "yesterday"/);
  assert.throws(() => readTrace(csvOf(1, 120), 't.csv'), /at least 24 rows/);
});
