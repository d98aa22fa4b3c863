import assert from 'node:assert/strict';
import { expect, test } from 'vitest';

import { TELEMETRY } from '../../../src/model/class.ts';
import { Books } from '../../../src/pilot/judging/books.ts';
import { deliveryChart } from '../../../src/pilot/report/delivery-chart.ts';

test('the curve of delivery rises to everything that was stored, and the chart marks the deadline', () => {
  const books = new Books();
  for (const minutes of [2, 2, 90, 3_000]) {
    const op = books.born(TELEMETRY, 0);
    books.number(`a/${minutes}`, op, 1);
    books.stored(`a/${minutes}`, minutes * 60_000);
  }
  expect(books.delayCurve(TELEMETRY)).toEqual([
    { minutes: 2, share: 0.5 },
    { minutes: 90, share: 0.75 },
    { minutes: 3_000, share: 1 },
  ]);
  const svg = deliveryChart(books);
  assert.match(svg, /telemetry: 75\.0 % of what was stored came within its deadline/);
  assert.ok(!/NaN|undefined/.test(svg));
});
