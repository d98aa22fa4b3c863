/** What every clock and its timers promise: the machine's and the simulated one alike. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import type { Clock, Timers } from '../../src/base/clock.ts';
import { fastTime, MachineClock, machineTimers } from '../../src/platform/clock.ts';
import { SimClock } from '../../src/platform/sim/clock.ts';

interface Time {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Lets this much time pass. */
  readonly pass: (durationMs: number) => Promise<void>;
  /** Timers this far apart are told apart, also where the process is held up for a while. */
  readonly grainMs: number;
}

const passing = (durationMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });

const KINDS: Readonly<Record<string, () => Time>> = {
  machine: () => ({ clock: new MachineClock(), timers: machineTimers, pass: passing, grainMs: 20 }),
  'fast time': () => ({
    ...fastTime(50, Date.UTC(2026, 2, 1)),
    pass: (durationMs) => passing(durationMs / 50 + 5),
    grainMs: 1_000,
  }),
  simulated: () => {
    const clock = new SimClock(Date.UTC(2026, 2, 1));
    return { clock, timers: clock, pass: (durationMs) => clock.advance(durationMs), grainMs: 1 };
  },
};

describe.each(Object.entries(KINDS))('%s', (_, open) => {
  test('both clocks go forward together', async () => {
    const { clock, pass } = open();
    const [wallMs, monotonicMs] = [clock.wallMs(), clock.monotonicMs()];
    await pass(30);
    assert.ok(clock.monotonicMs() - monotonicMs >= 29);
    assert.ok(clock.wallMs() - wallMs >= 28);
    assert.ok(['unknown', 'rtc', 'peer', 'ntp'].includes(clock.quality()));
  });

  test('a timer never runs before its time, nor within the call that sets it', async () => {
    const { clock, timers, pass } = open();
    const setMs = clock.monotonicMs();
    let waitedMs: number | undefined;
    timers.after(75, () => (waitedMs = clock.monotonicMs() - setMs));
    assert.equal(waitedMs, undefined);
    await pass(150);
    assert.ok(waitedMs !== undefined && waitedMs >= 74, `${waitedMs} ms`);
  });

  test('timers run in order of time and, at the same time, of setting', async () => {
    const { timers, pass, grainMs } = open();
    const ran: string[] = [];
    timers.after(20 * grainMs, () => ran.push('late'));
    timers.after(5 * grainMs, () => ran.push('early'));
    timers.after(5 * grainMs, () => ran.push('early too'));
    timers.soon(() => ran.push('soon'));
    await pass(40 * grainMs);
    assert.deepEqual(ran, ['soon', 'early', 'early too', 'late']);
  });

  test('a cancelled timer does not run; cancelling twice or late does nothing', async () => {
    const { timers, pass } = open();
    const ran: string[] = [];
    const cancels = [
      timers.after(5, () => ran.push('after')),
      timers.every(5, () => ran.push('every')),
      timers.soon(() => ran.push('soon')),
    ];
    for (const cancel of cancels) cancel();
    const cancelLate = timers.after(1, () => ran.push('kept'));
    await pass(50);
    for (const cancel of [...cancels, cancelLate]) cancel();
    assert.deepEqual(ran, ['kept']);
  });

  test('a period goes on until it is cancelled, from within its own callback too', async () => {
    const { timers, pass } = open();
    const runs: number[] = [];
    const cancel = timers.every(50, () => {
      if (runs.push(runs.length) === 3) cancel();
    });
    while (runs.length < 3) await pass(50);
    await pass(300);
    assert.deepEqual(runs, [0, 1, 2]);
  });

  test('a delay of a month does not run at once', async () => {
    const { timers, pass } = open();
    let ran = false;
    const cancel = timers.after(90 * 86_400_000, () => (ran = true));
    await pass(20);
    assert.ok(!ran);
    cancel();
  });

  test('soon lets promises settle first', async () => {
    const { timers, pass } = open();
    const ran: string[] = [];
    timers.soon(() => ran.push('soon'));
    void Promise.resolve().then(() => ran.push('promise'));
    await pass(10);
    assert.deepEqual(ran, ['promise', 'soon']);
  });
});
