import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Books } from '../../../../src/pilot/judging/books.ts';

const HOUR_MS = 3_600_000;

test('an op is late when it is stored behind its deadline, or never', () => {
  const books = new Books();
  const inTime = books.born(2, 0);
  const late = books.born(2, 0);
  const never = books.born(2, 0);
  const young = books.born(2, 9 * HOUR_MS);
  for (const [seq, op] of [inTime, late, never, young].entries())
    books.number(`o/2/${seq}`, op, seq);
  books.stored('o/2/0', 6 * HOUR_MS);
  books.stored('o/2/1', 7 * HOUR_MS);
  books.closeAt(10 * HOUR_MS);
  const { born, stored, late: count, worstHours } = books.figures()[2];
  assert.deepEqual([born, stored, count, worstHours], [4, 2, 2, 7]);
});

test('an op that no hub has taken is late, and one that was handed in twice is late once', () => {
  const books = new Books();
  books.born(0, 0);
  const twice = books.born(0, 0);
  books.number('o/0/1', twice, 1);
  books.number('o/0/2', twice, 2);
  const forgotten = books.born(0, 0);
  books.number('o/0/3', forgotten, 3);
  books.forget('o/0/3');
  books.closeAt(HOUR_MS);
  const { born, acknowledged, late } = books.figures()[0];
  assert.deepEqual([born, acknowledged, late], [3, 0, 3]);
});

test('what fell due while the region was away is told apart', () => {
  const books = new Books((fromMs, toMs) => fromMs < 2 * HOUR_MS && toMs > HOUR_MS);
  for (const [seq, bornMs] of [0, 0, 3 * HOUR_MS].entries()) {
    books.number(`o/2/${seq}`, books.born(2, bornMs), seq);
  }
  books.stored('o/2/0', 5 * HOUR_MS);
  books.closeAt(20 * HOUR_MS);
  const { late, lateAway } = books.figures()[2];
  assert.deepEqual([late, lateAway], [2, 1]);
});

test('what is stored after counting ended is stored, and changes no delay', () => {
  const books = new Books();
  const op = books.born(3, 0);
  books.number('o/3/1', op, 1);
  books.closeAt(HOUR_MS);
  books.stored('o/3/1', 90 * HOUR_MS);
  const { stored, late, worstHours } = books.figures()[3];
  assert.deepEqual([stored, late, worstHours], [1, 0, 0]);
});

test('outstanding is what was acknowledged and no region has', () => {
  const books = new Books();
  const taken = books.born(0, 0);
  const acked = books.born(0, 0);
  books.number('o/0/1', taken, 1);
  books.number('o/0/2', acked, 2);
  books.acknowledged(acked);
  assert.deepEqual(
    [...books.outstanding()].map(([key]) => key),
    ['o/0/2'],
  );
  books.stored('o/0/2', 1);
  books.stored('o/0/2', 2);
  assert.equal([...books.outstanding()].length, 0);
  assert.equal(books.figures()[0].stored, 1);
});

test('what is acknowledged is owed until it is stored, also where its number was forgotten', () => {
  const books = new Books();
  const [first, second, third] = [books.born(3, 0), books.born(3, 0), books.born(2, 0)];
  for (const [seq, op] of [first, second, third].entries()) books.number(`o/${seq}`, op, seq);
  for (const op of [first, second, second]) books.acknowledged(op);
  books.stored('o/0', 1);
  books.stored('o/2', 1);
  books.acknowledged(third);
  books.forget('o/1');
  assert.deepEqual([books.figures()[3].waiting, books.figures()[2].waiting], [1, 0]);
  assert.equal(books.owedTotal, 1);
});

test('a number that the journal did not keep may be given out again', () => {
  const books = new Books();
  const lost = books.born(3, 0);
  books.number('o/3/5', lost, 9);
  books.forget('o/3/5');
  const next = books.born(3, 0);
  books.number('o/3/5', next, 9);
  books.stored('o/3/5', 1);
  assert.ok(next.stored);
  assert.ok(!lost.stored);
});
