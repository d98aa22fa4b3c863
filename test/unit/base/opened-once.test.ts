import assert from 'node:assert/strict';
import { test } from 'vitest';

import { openedOnce } from '../../../src/base/opened-once.ts';

test('what could not be opened is told, and tried again; what is open is opened once', async () => {
  const answers = [new Error('EIO'), new Error('EMFILE'), 'open', 'open twice'];
  const told: unknown[] = [];
  const get = openedOnce(
    () => {
      const answer = answers.shift();
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    (error) => told.push((error as Error).message),
  );
  await Promise.all([assert.rejects(get(), /EIO/), assert.rejects(get(), /EIO/)]);
  await assert.rejects(get(), /EMFILE/);
  assert.deepEqual(await Promise.all([get(), get()]), ['open', 'open']);
  assert.equal(await get(), 'open');
  assert.deepEqual(told, ['EIO', 'EMFILE']);
});
