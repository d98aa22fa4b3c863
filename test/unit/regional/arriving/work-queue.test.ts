import assert from 'node:assert/strict';

import { test } from 'vitest';

import { WorkQueue } from '../../../../src/regional/arriving/work-queue.ts';

test('so many at a time, in order, and idle when all is done', async () => {
  const done: number[] = [];
  let running = 0;
  let most = 0;
  const queue = new WorkQueue(2, () => assert.fail());
  for (let n = 0; n < 6; n++) {
    queue.add(async () => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      done.push(n);
    });
  }
  await queue.idle();
  assert.deepEqual(done, [0, 1, 2, 3, 4, 5]);
  assert.equal(most, 2);
});

test('what fails is told, and stops nothing', async () => {
  const errors: unknown[] = [];
  const queue = new WorkQueue(1, (error) => errors.push(error));
  let ran = false;
  queue.add(() => Promise.reject(new Error('broken')));
  queue.add(async () => {
    ran = true;
  });
  await queue.idle();
  assert.equal(errors.length, 1);
  assert.ok(ran);
});
