/** Pauses grow while a link fails, and what failed on one link says nothing of the next. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { Attempts, type AttemptsOptions } from '../../../../src/uplink/session/attempts.ts';

test('a way that appears ends the pause and begins with short ones again', () => {
  const delaysMs: number[] = [];
  let told = (_change: 'appeared' | 'gone'): void => undefined;
  let [cancelled, again, lost] = [0, 0, 0];
  const attempts = new Attempts({
    clock: { monotonicMs: () => 0 },
    timers: {
      after: (delayMs: number) => {
        delaysMs.push(delayMs);
        return () => (cancelled += 1);
      },
    },
    random: { fraction: () => 0.5 },
    way: { onChange: (listener: typeof told) => (told = listener) },
    pauses: () => ({ pauseMsMin: 1_000, pauseMsMax: 60_000 }),
    onAgain: () => (again += 1),
    onWayLost: () => (lost += 1),
  } as unknown as AttemptsOptions);
  for (let count = 0; count < 3; count++) attempts.ended('longer');
  told('gone');
  assert.deepEqual([lost, again, cancelled], [1, 0, 0]);
  told('appeared');
  assert.deepEqual([lost, again, cancelled], [2, 1, 1]);
  attempts.ended('longer');
  assert.deepEqual(delaysMs, [1_000, 2_000, 4_000, 1_000]);
});

test('an alarm that is born in a long pause does not wait for its end, and a flood of them costs no more than one', async () => {
  const clock = new SimClock(0);
  const tries: number[] = [];
  const minute = 60_000;
  const attempts: Attempts = new Attempts({
    clock,
    timers: clock,
    random: { fraction: () => 0.5 } as AttemptsOptions['random'],
    pauses: () => ({
      pauseMsMin: 5 * minute,
      pauseMsUrgent: 30 * minute,
      pauseMsMax: 240 * minute,
    }),
    onAgain: () => {
      tries.push(clock.monotonicMs() / minute);
      attempts.ended('longer');
    },
    onWayLost: () => undefined,
  });
  attempts.urgent();
  attempts.ended('longer');
  await clock.advance(160 * minute);
  assert.deepEqual(tries, [5, 15, 35, 75, 155]);
  await clock.advance(5 * minute);
  attempts.urgent();
  await clock.advance(19 * minute);
  assert.equal(tries.length, 5);
  await clock.advance(minute);
  assert.equal(tries.at(-1), 185, 'half an hour behind the failure');
  await clock.advance(100 * minute);
  for (let alarm = 0; alarm < 9; alarm++) attempts.urgent();
  await clock.advance(minute);
  assert.deepEqual(tries.slice(5), [185, 285], 'at once where the failure is old');
  attempts.stop();
});
