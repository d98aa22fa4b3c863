/** What every source of randomness promises: the machine's and the seeded one alike. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import type { Random } from '../../src/base/random.ts';
import { machineRandom } from '../../src/platform/random.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';

const KINDS: Readonly<Record<string, () => Random>> = {
  machine: () => machineRandom,
  seeded: () => new SeededRandom(20_260_301),
};

describe.each(Object.entries(KINDS))('%s', (_, open) => {
  test('bytes come in the number asked for, and are not the same twice', () => {
    const random = open();
    for (const count of [0, 1, 7, 32]) assert.equal(random.bytes(count).length, count);
    assert.notDeepEqual(random.bytes(16), random.bytes(16));
  });

  test('every byte value turns up', () => {
    assert.equal(new Set(open().bytes(20_000)).size, 256);
  });

  test('fractions lie in [0, 1) and spread over it', () => {
    const random = open();
    const bins = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < 10_000; draw++) {
      const fraction = random.fraction();
      assert.ok(fraction >= 0 && fraction < 1);
      const bin = Math.floor(fraction * 10);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    for (const count of bins) assert.ok(count > 800 && count < 1_200, bins.join(' '));
  });

  test('changing the bytes that came changes nothing that comes', () => {
    const random = open();
    const first = random.bytes(8);
    const copy = Uint8Array.from(first);
    random.bytes(8).fill(0);
    assert.deepEqual(first, copy);
  });
});
