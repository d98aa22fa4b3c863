import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';

test('simulated time stands still until it is moved, and stops exactly where it was sent', async () => {
  const clock = new SimClock(1_000, 'rtc');
  assert.equal(clock.monotonicMs(), 0);
  await clock.advance(1_234.5);
  assert.equal(clock.monotonicMs(), 1_234.5);
  assert.equal(clock.wallMs(), 2_234.5);
  assert.equal(clock.quality(), 'rtc');
});

test('any set of timers runs in order of time, then of setting, each at its own moment', async () => {
  const delays = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(delays, async (delaysMs) => {
      const clock = new SimClock(0);
      const ran: { delayMs: number; index: number }[] = [];
      for (const [index, delayMs] of delaysMs.entries()) {
        clock.after(delayMs, () => {
          assert.equal(clock.monotonicMs(), delayMs);
          ran.push({ delayMs, index });
        });
      }
      await clock.advance(100);
      const set = delaysMs.map((delayMs, index) => ({ delayMs, index }));
      assert.deepEqual(
        ran,
        set.toSorted((a, b) => a.delayMs - b.delayMs || a.index - b.index),
      );
    }),
  );
});

test('a timer set by a timer runs in the same advance when it falls due', async () => {
  const clock = new SimClock(0);
  const ranMs: number[] = [];
  const again = (): void => {
    ranMs.push(clock.monotonicMs());
    if (ranMs.length < 4) clock.after(10, again);
  };
  clock.after(10, again);
  await clock.advance(35);
  assert.deepEqual(ranMs, [10, 20, 30]);
});

test('a wall clock that jumps moves no timer', async () => {
  const clock = new SimClock(Date.UTC(2026, 2, 1), 'ntp');
  let ran = false;
  clock.after(100, () => (ran = true));
  clock.jumpWall(0, 'unknown');
  assert.equal(clock.wallMs(), 0);
  assert.equal(clock.quality(), 'unknown');
  await clock.advance(99);
  assert.ok(!ran);
  await clock.advance(1);
  assert.ok(ran);
  assert.equal(clock.wallMs(), 100);
});

test('the next due moment knows of cancelled timers', () => {
  const clock = new SimClock(0);
  const cancel = clock.after(5, () => undefined);
  clock.after(9, () => undefined);
  assert.equal(clock.nextDueMs(), 5);
  cancel();
  assert.equal(clock.nextDueMs(), 9);
});

test('one seed gives one sequence, another gives another', () => {
  assert.deepEqual(new SeededRandom(1).bytes(32), new SeededRandom(1).bytes(32));
  assert.notDeepEqual(new SeededRandom(1).bytes(32), new SeededRandom(2).bytes(32));
});

test('forks are streams of their own that draws elsewhere do not disturb', () => {
  const [a, b] = [new SeededRandom(5), new SeededRandom(5)];
  const [weatherA, weatherB] = [a.fork('weather'), b.fork('weather')];
  a.bytes(100);
  assert.deepEqual(weatherA.bytes(32), weatherB.bytes(32));
  assert.notDeepEqual(b.fork('links').bytes(32), b.fork('weather').bytes(32));
});
