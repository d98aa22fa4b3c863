import assert from 'node:assert/strict';
import { test } from 'vitest';

import { RecentBlocks } from '../../../../src/journal/commit/recent-blocks.ts';

test('the blocks of the last megabyte are found by any LSN in them, older and later ones are not', () => {
  const recent = new RecentBlocks();
  const payload = new Uint8Array(400 << 10);
  recent.add(1, 10, payload);
  recent.add(11, 5, payload);
  payload.fill(7);
  assert.equal(recent.find(0), undefined);
  assert.equal(recent.find(10)?.firstLsn, 1);
  assert.equal(recent.find(11)?.firstLsn, 11);
  assert.equal(recent.find(16), undefined);
  assert.equal(recent.find(12)?.payload[0], 0, 'it has a copy');
  recent.add(16, 1, payload);
  assert.equal(recent.find(10), undefined, 'the oldest makes room');
  assert.equal(recent.find(15)?.firstLsn, 11);
});

test('so are at most 64 of them', () => {
  const recent = new RecentBlocks();
  for (let lsn = 1; lsn <= 65; lsn++) recent.add(lsn, 1, new Uint8Array(1));
  assert.equal(recent.find(1), undefined);
  assert.equal(recent.find(2)?.firstLsn, 2);
});

test('where nobody asks for 64 of them no more are kept, until somebody does', () => {
  const recent = new RecentBlocks();
  const add = (lsn: number): void => recent.add(lsn, 1, Uint8Array.of(lsn));
  for (let lsn = 1; lsn <= 100; lsn++) add(lsn);
  assert.equal(recent.find(200), undefined, 'nobody has that one');
  add(101);
  assert.equal(recent.find(101), undefined, 'it was not kept');
  add(102);
  assert.deepEqual(recent.find(102)?.payload, Uint8Array.of(102));
});
