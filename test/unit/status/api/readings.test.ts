/** Readings in steps, as they are asked for over HTTP, of more than a page holds. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { machineTimers } from '../../../../src/platform/clock.ts';
import { readingsAnswer, type ReadingPoint } from '../../../../src/status/api/readings.ts';
import { pageOf } from '../../../../src/store/readings/readings.ts';
import { NOON_MS } from '../../../support/made/status.ts';

const HOUR_MS = 3_600_000;

interface Answer {
  readonly next: string | null;
  readonly readings: readonly (Pick<ReadingPoint, 'count' | 'fields'> & { readonly at: string })[];
}

/** Asks for hours of a meter that said 0, 1, 2 …, so many times in each hour. */
async function hours(perHour: readonly number[], from = ''): Promise<Answer> {
  const all = perHour.flatMap((count, hour) =>
    Array.from({ length: count }, (_, index) => ({
      atMs: NOON_MS + hour * HOUR_MS + Math.floor((index * HOUR_MS) / count),
      payload: utf8(String(index)),
    })),
  );
  const end = NOON_MS + perHour.length * HOUR_MS;
  const url = `http://hub/api/v1/readings?key=m&step=1h&from=${from || new Date(NOON_MS).toISOString()}`;
  const answer = await readingsAnswer(
    {
      timers: machineTimers,
      wallMs: () => end,
      readings: ({ fromMs, toMs, stepMs }) => {
        const found = all.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
        return pageOf(found, stepMs, toMs, toMs);
      },
    },
    new Request(url),
    () => true,
  );
  return (await answer.json()) as Answer;
}

test('a step is one row, however many readings are in it', async () => {
  const { next, readings } = await hours([3_001, 5, 2_000]);
  assert.equal(next, null);
  assert.deepEqual(
    readings.map(({ at, count, fields }) => [at.slice(11, 16), count, fields['value']]),
    [
      ['12:00', 3_001, { min: 0, max: 3_000, mean: 1_500, last: 3_000, count: 3_001 }],
      ['13:00', 5, { min: 0, max: 4, mean: 2, last: 4, count: 5 }],
      ['14:00', 2_000, { min: 0, max: 1_999, mean: 999.5, last: 1_999, count: 2_000 }],
    ],
  );
});

test('an answer that ends within a step leaves that to the next one, whole', async () => {
  const perHour = [15_000, 15_000, 1_000];
  const first = await hours(perHour);
  assert.deepEqual(
    first.readings.map(({ count }) => count),
    [15_000],
  );
  assert.equal(first.next, '2026-03-01T13:00:00.000Z');
  const second = await hours(perHour, first.next);
  assert.deepEqual(
    second.readings.map(({ count }) => count),
    [15_000, 1_000],
  );
  assert.equal(second.next, null);
});
