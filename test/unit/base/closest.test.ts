import assert from 'node:assert/strict';
import { test } from 'vitest';

import { closest } from '../../../src/base/closest.ts';

test('the nearest candidate within two slips is found, and nothing far-fetched', () => {
  const words = ['status', 'store', 'log', 'journal', 'regional'];
  assert.equal(closest('staus', words), 'status');
  assert.equal(closest('tsatus', words), 'status');
  assert.equal(closest('jounral', words), 'journal');
  assert.equal(closest('tsatsu', words), 'status', 'two neighbours that were swapped are one slip');
  assert.equal(closest('LOG', words), 'log');
  assert.equal(closest('banana', words), undefined);
  assert.equal(closest('', words), undefined);
});
