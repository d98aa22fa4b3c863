import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { BoundedQueue } from '../../../src/base/queue.ts';

test('behaves as an array that refuses what does not fit', () => {
  const steps = fc.array(fc.option(fc.integer(), { nil: undefined }), { maxLength: 300 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20 }), steps, (limit, items) => {
      const queue = new BoundedQueue<number>(limit);
      const model: number[] = [];
      for (const item of items) {
        if (item === undefined) assert.equal(queue.shift(), model.shift());
        else {
          assert.equal(queue.push(item), model.length < limit);
          if (model.length < limit) model.push(item);
        }
        assert.equal(queue.size, model.length);
      }
    }),
  );
});

test('keeps its order across the compaction of a long life', () => {
  const queue = new BoundedQueue<number>(5_000);
  let taken = 0;
  for (let item = 0; item < 20_000; item++) {
    assert.ok(queue.push(item));
    if (queue.size > 3_000) assert.equal(queue.shift(), taken++);
  }
  while (queue.size > 0) assert.equal(queue.shift(), taken++);
  assert.equal(taken, 20_000);
});
