/** When a device keeps its state. */
import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { Saving } from '../../../../src/client/view/saving.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';

describe('keeping the state', () => {
  it('takes a twentieth of the time at most, but for what presses', async () => {
    const clock = new SimClock(0);
    const savedAtMs: number[] = [];
    let isPressing = false;
    const saving = new Saving({
      clock,
      timers: clock,
      isPressing: () => isPressing,
      save: async () => {
        savedAtMs.push(clock.monotonicMs());
        // So long does it take.
        await new Promise<void>((resolve) => clock.after(500, resolve));
      },
    });
    const runTo = async (untilMs: number): Promise<void> => {
      while (clock.monotonicMs() < untilMs) {
        saving.soon();
        await clock.advance(100);
      }
    };
    await runTo(30_000);
    const calm = savedAtMs.length;
    assert.ok(calm >= 2 && calm <= 4, savedAtMs.join());
    isPressing = true;
    await runTo(35_000);
    assert.ok(savedAtMs.length >= calm + 3, savedAtMs.join());
    saving.stop();
  });
});
