/** What is open together is closed together, whatever fails first. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { openTogether } from '../../src/closers.ts';

test('where a part cannot be opened the others are closed, and why it could not is told, whatever closing says', async () => {
  const closed: string[] = [];
  const told: unknown[] = [];
  const opening = openTogether(
    async (closers) => {
      closers.add({ close: () => void closed.push('first') });
      closers.add({
        close: () => {
          closed.push('second');
          throw new Error('the card is gone');
        },
      });
      await Promise.reject(new Error('the port is taken'));
    },
    (failure) => told.push(failure),
  );
  await assert.rejects(opening, /the port is taken/);
  assert.deepEqual(closed, ['second', 'first']);
  assert.match(String(told), /the card is gone/);
});
