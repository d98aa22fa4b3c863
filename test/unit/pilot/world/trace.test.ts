import assert from 'node:assert/strict';
import { test } from 'vitest';

import { readTrace } from '../../../../src/pilot/world/trace.ts';

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

test('a gap at the front, or of more days than the trace before it has, is filled from behind', () => {
  const lines = csvOf(5, 60).split('\n');
  const { sky } = readTrace(
    [lines[0], ...lines.slice(8, 20), ...lines.slice(70)].join('\n'),
    'trace',
  );
  assert.equal(sky.ghiWm2(Date.UTC(2026, 2, 3, 5, 30)), 5);
  assert.equal(sky.ghiWm2(Date.UTC(2026, 2, 2, 22, 30)), 22);
});

test('a trace that is too short begins again, with noon at noon', () => {
  const lines = csvOf(3, 60).split('\n').slice(0, 60);
  const { sky, startMs } = readTrace(lines.join('\n'), 'trace');
  assert.equal(sky.ghiWm2(startMs + 10 * DAY_MS + 7.5 * 3_600_000), 7);
  assert.equal(sky.ghiWm2(startMs + 11 * DAY_MS + 7.5 * 3_600_000), 7);
});

test('what loggers and tables write is read: quotes, capitals, comments, empty columns, marks for nothing, offsets', () => {
  const rows = csvOf(2, 60).split('\n').slice(1);
  const styled = rows.map((row, index) => {
    const [time = '', ghi = ''] = row.split(',');
    if (index === 6) return `"${time}","-999",`;
    if (index === 32) return `"${time}",NaN,`;
    if (index === 4) return `"${time}",-2.7,`;
    return `"${time}"," ${ghi} ",`;
  });
  const text = ['\uFEFF# station 7', '"Time","GHI_Wm2","Temp_C"', ...styled, ''].join('\r\n');
  const { sky, gaps } = readTrace(text, 'trace');
  assert.equal(gaps, 2);
  assert.equal(sky.ghiWm2(Date.UTC(2026, 2, 1, 4, 30)), 0);
  assert.equal(sky.ghiWm2(Date.UTC(2026, 2, 1, 6, 10)), 6, 'of the next day');
  assert.equal(sky.ghiWm2(Date.UTC(2026, 2, 2, 8, 10)), 8, 'of the day before');
});

test.each(['+02', '+0200', '+02:00'])('a zone may be written %s', (zone) => {
  assert.equal(readTrace(csvOf(2, 60, zone), 'trace').startMs, Date.UTC(2026, 1, 28, 22));
});

test.each([';', '\t'])(
  'columns may have %j between them, and numbers a comma in them then',
  (separator) => {
    const plain = csvOf(2, 60);
    const text = plain.replaceAll(',', separator).replace(/(;|\t)(\d+)$/gm, '$1$2,5');
    const [other, usual] = [readTrace(text, 'trace'), readTrace(plain, 'trace')];
    const at = usual.startMs + 7.5 * 3_600_000;
    assert.equal(other.sky.ghiWm2(at), usual.sky.ghiWm2(at) + 0.5);
  },
);

test('the order of rows does not matter, nor that some come twice', () => {
  const [head = '', ...rows] = csvOf(3, 60).split('\n');
  const shuffled = [head, ...rows.toReversed(), ...rows.slice(20, 40)].join('\n');
  const [mixed, plain] = [readTrace(shuffled, 'trace'), readTrace(csvOf(3, 60), 'trace')];
  for (let hour = 0; hour < 72; hour++) {
    const at = plain.startMs + (hour + 0.5) * 3_600_000;
    assert.equal(mixed.sky.ghiWm2(at), plain.sky.ghiWm2(at));
  }
});

test('what is no trace is refused with the line and what would be one', () => {
  const refused = (text: string, why: RegExp): void =>
    assert.throws(() => readTrace(text, 't.csv'), why);
  const days = csvOf(2, 60);
  refused('a,b\n1,2', /t\.csv:1: the first line names .* commas, .* not "a,b"/);
  refused(days.replaceAll(',', ' '), /t\.csv:1: the first line names .* not "time ghi_wm2"/);
  refused('', /t\.csv:1: the file is empty/);
  refused(days.replaceAll(/,(\d+)/g, ',0.0$1'), /nothing is brighter than .* are these kW/);
  refused(`${days}\nyesterday,3`, /t\.csv:50: "yesterday" is not an ISO time such as/);
  refused(`${days}\n2026-02-30T01:00:00Z,3`, /t\.csv:50: "2026-02-30/);
  refused(`${days}\n2026-02-20T25:00:00Z,3`, /t\.csv:50: "2026-02-20T25/);
  refused(`${days}\n2026-04-01T01:00:00Z,three`, /t\.csv:50: "three" is not a number of W/);
  refused(
    `${days}\n2026-04-01T01:00:00Z,3600000`,
    /t\.csv:50: "3600000" is not a number of W.* up to 2000/,
  );
  refused(`${days}\n2026-04-01T01:00:00Z,12,5`, /t\.csv:50: 3 fields where the first line names 2/);
  refused(csvOf(1, 120), /at least 24 rows/);
  refused(
    csvOf(1, 30).split('\n').slice(0, 40).join('\n'),
    /19\.5 h in steps of 0\.5 h: a trace has at least a day/,
  );
  refused(csvOf(30, 1_440), /720\.0 h in steps of 24\.0 h/);
});
