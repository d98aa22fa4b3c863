/** What was found equal with another hub is not compared again, until it changes; of how many hubs that is known has a limit. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { RECORD } from '../../../../src/model/class.ts';
import { laneOf, type Origin } from '../../../../src/model/origin.ts';
import { LevelBook } from '../../../../src/sync/peers/level-book.ts';
import { DEVICE_A, DEVICE_B, HUB } from '../../../support/made/ops.ts';

const LANE = laneOf(DEVICE_A, RECORD);
const OTHER_LANE = laneOf(DEVICE_B, RECORD);

function hubOf(index: number): Origin {
  return index.toString(16).padStart(16, '0') as Origin;
}

test('a stamp that changes here is compared again, with all that comes behind it in its lane', () => {
  const book = new LevelBook();
  book.note(
    HUB,
    new Map([
      [LANE, 9],
      [OTHER_LANE, 4],
    ]),
  );
  const stamp = { authority: 1, hub: HUB, hlc: { ms: 1, counter: 0 } };
  const change = (seq: number): void =>
    book.changed([{ ...stamp, op: { origin: DEVICE_A, class: RECORD, seq } }]);
  change(12);
  assert.equal(book.of(HUB).get(LANE), 9);
  change(5);
  assert.deepEqual([book.of(HUB).get(LANE), book.of(HUB).get(OTHER_LANE)], [4, 4]);
});

test('beyond 64 hubs all begin anew', () => {
  const book = new LevelBook();
  for (let index = 1; index <= 64; index++) book.note(hubOf(index), new Map([[LANE, index]]));
  assert.equal(book.of(hubOf(1)).get(LANE), 1);
  book.note(hubOf(65), new Map([[LANE, 65]]));
  assert.equal(book.of(hubOf(1)).size, 0);
  assert.equal(book.of(hubOf(65)).get(LANE), 65);
});
