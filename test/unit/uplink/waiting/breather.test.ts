/** When long work gives way: by time, by steps where none passes, sooner and longer while devices publish. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'vitest';

import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { afterOthers, Breather } from '../../../../src/uplink/waiting/breather.ts';

let clock: SimClock;
let journal: { lastLsn: number; durableLsn: number };
let breather: Breather;

beforeEach(() => {
  clock = new SimClock(0);
  journal = { lastLsn: 5, durableLsn: 5 };
  breather = new Breather({ journal, clock, timers: clock });
  breather.begin();
});

/** Steps until the slice is over; how many, and how long it rests. */
async function slice(): Promise<{ steps: number; restMs: number }> {
  for (let steps = 1; ; steps++) {
    const rest = breather.step();
    if (rest === undefined) continue;
    const fromMs = clock.monotonicMs();
    const over = rest.then(() => clock.monotonicMs() - fromMs);
    await clock.advance(10);
    breather.begin();
    return { steps, restMs: await over };
  }
}

describe('a slice', () => {
  test('ends after a millisecond, however few steps that were', async () => {
    assert.equal(breather.step(), undefined);
    await clock.advance(1);
    assert.ok(breather.step() instanceof Promise);
  });

  test('ends after a count of steps where no time passes', async () => {
    assert.equal((await slice()).steps, 8);
    assert.equal((await slice()).steps, 8);
  });

  test('is shorter while devices publish, and waits until they are answered', async () => {
    journal.lastLsn = 9;
    const first = await slice();
    assert.equal(first.steps, 8);
    assert.ok(first.restMs >= 4, 'the card takes its time');
    journal.durableLsn = 9;
    const second = await slice();
    assert.deepEqual([second.steps, second.restMs <= 1], [3, true]);
    assert.equal((await slice()).steps, 8);
  });
});

describe('a slice that nobody awaits', () => {
  test('comes in the next turn, and a millisecond later while publishes wait for the card', async () => {
    const ran: string[] = [];
    const timers = clock;
    afterOthers({ journal, timers }, () => ran.push('quiet'));
    await clock.advance(0);
    assert.deepEqual(ran, ['quiet']);
    journal.lastLsn = 6;
    afterOthers({ journal, timers }, () => ran.push('busy'));
    await clock.advance(0);
    assert.deepEqual(ran, ['quiet']);
    await clock.advance(1);
    assert.deepEqual(ran, ['quiet', 'busy']);
  });
});
