/** Pauses grow while a link fails, and what failed on one link says nothing of the next. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Attempts, type AttemptsOptions } from '../../../../src/uplink/session/attempts.ts';

test('a way that appears ends the pause and begins with short ones again', () => {
  const delaysMs: number[] = [];
  let told = (_change: 'appeared' | 'gone'): void => undefined;
  let [cancelled, again, lost] = [0, 0, 0];
  const attempts = new Attempts({
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
