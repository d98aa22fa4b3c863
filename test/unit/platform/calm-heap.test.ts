/** How far the heaps of a hub may grow. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { OldHeap, youngGrowth } from '../../../src/platform/calm-heap.ts';

const spaces = (old: number, young = 0): { space_name: string; space_used_size: number }[] => [
  { space_name: 'new_space', space_used_size: young },
  { space_name: 'old_space', space_used_size: old - 1e6 },
  { space_name: 'code_space', space_used_size: 1e6 },
];

/** What the old heap may grow to, where it held so much when it was last looked through, `afterMs` ago. */
function grown(livingBytes: number, afterMs = 0): number {
  const heap = new OldHeap();
  heap.growthPercent(spaces(livingBytes), 0);
  const percent = heap.growthPercent(spaces(livingBytes + 1e6), afterMs);
  return Math.round(livingBytes * (1 + percent / 100));
}

test('the old heap may grow by 24 MB, to three times what lives at most and one and a half times at least', () => {
  assert.equal(grown(20e6), 44e6);
  assert.equal(grown(40e6), 64e6);
  assert.equal(grown(5e6), 15e6);
  assert.equal(grown(80e6), 120e6);
});

test('an old heap that takes more than a minute to grow may grow by 12 MB', () => {
  assert.equal(grown(20e6, 59_000), 44e6);
  assert.equal(grown(20e6, 60_000), 32e6);
});

test('what lives is what was left when the heap was last found smaller', () => {
  const heap = new OldHeap();
  const seen = [30e6, 50e6, 70e6, 28e6, 40e6, 41e6, 20e6].map((bytes, second) =>
    heap.growthPercent(spaces(bytes, bytes), second * 1_000),
  );
  assert.deepEqual(seen, [80, 80, 80, 86, 86, 86, 120]);
});

test('the young heap grows to 16 MB and no further, and again where V8 has let it shrink', () => {
  const young = (bytes: number) => [{ space_name: 'new_space', space_size: bytes }];
  const growths = [1e6, 8e6, 16.8e6, 16.8e6, 2e6, 16.8e6].map((bytes) => youngGrowth(young(bytes)));
  assert.deepEqual(growths, [2, 2, 1, 1, 2, 1]);
});

test('the young heap has grown to 16 MB even where not every page of it is in use', () => {
  const young = { space_name: 'new_space', space_size: 16.8e6, physical_space_size: 14.2e6 };
  assert.equal(youngGrowth([young]), 1);
});
