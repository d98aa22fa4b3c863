import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Backoff } from '../../../src/base/backoff.ts';
import type { Random } from '../../../src/base/random.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';

const middle: Random = { bytes: (count) => new Uint8Array(count), fraction: () => 0.5 };

test('delays double up to the limit and start again after a success', () => {
  const backoff = new Backoff(100, 1_000, middle);
  const delays = Array.from({ length: 6 }, () => backoff.nextMs());
  assert.deepEqual(delays, [100, 200, 400, 800, 1_000, 1_000]);
  backoff.reset();
  assert.equal(backoff.nextMs(), 100);
});

test('delays stay within a quarter of the plain delay, however many failures there were', () => {
  const backoff = new Backoff(100, 1_000, new SeededRandom(7));
  for (let failure = 0; failure < 2_000; failure++) {
    const plainMs = Math.min(1_000, 100 * 2 ** failure);
    const delayMs = backoff.nextMs();
    assert.ok(delayMs >= plainMs * 0.75 && delayMs < plainMs * 1.25, `${failure}: ${delayMs}`);
  }
});

test('with other limits it goes on where it was', () => {
  const backoff = new Backoff(100, 1_000, new SeededRandom(7));
  for (let failure = 0; failure < 5; failure++) backoff.nextMs();
  backoff.adapt(100, 400);
  assert.ok(backoff.nextMs() < 500);
  backoff.adapt(100, 100_000);
  assert.ok(backoff.nextMs() > 100 * 2 ** 6 * 0.75);
});
