/** Who asks for much waits for itself, and nobody waits for it. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Turns } from '../../../src/sync/turns.ts';

test('devices have their turns one after the other, and so have the items of each', () => {
  const turns = new Turns<{ readonly device: string; readonly name: string }>();
  const [a1, a2, a3, b1] = ['a1', 'a2', 'a3', 'b1'].map((name) => ({
    device: name[0] ?? '',
    name,
  }));
  for (const item of [a1, a2, a3, b1]) if (item !== undefined) turns.add(item);
  assert.equal(turns.take(), a1);
  assert.equal(turns.take(), b1);
  assert.equal(turns.take(), a2);
  if (b1 !== undefined) turns.add(b1);
  assert.equal(turns.take(), a3);
  assert.equal(turns.take(), b1);
  assert.ok(turns.isEmpty && turns.take() === undefined);
});
