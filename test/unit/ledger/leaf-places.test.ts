/** Guesses of where leaves stand: near where marks are near, and never a reason to grow without a limit. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { LeafPlaces } from '../../../src/ledger/leaf-places.ts';

test('after a restart the guess counts back from the end', () => {
  const places = new LeafPlaces();
  assert.equal(places.near(900, 500, 1_000), 399);
  assert.equal(places.near(3, 500, 1_000), 0);
});

test('between marks the guess is off by no more than what else lies there', () => {
  const places = new LeafPlaces();
  // Every third entry is a leaf.
  const leaves = 100_000;
  for (let index = 0; index < leaves; index++) places.appended(3 * index + 1, index);
  for (let index = 0; index < leaves; index += 997) {
    const guess = places.near(3 * index + 1, leaves, 3 * leaves);
    assert.ok(Math.abs(guess - index) <= 1, `${guess} for ${index}`);
  }
});

test('what was found is known, and a long life makes marks rarer', () => {
  const places = new LeafPlaces();
  places.found(5_000_000, 77);
  assert.equal(places.near(5_000_000, 80, 6_000_000), 77);
  for (let index = 100; index < 30_000; index++) places.found(6_000_000 + 10 * index, index);
  assert.ok(Math.abs(places.near(6_000_000 + 10 * 20_000, 30_000, 7_000_000) - 20_000) < 20);
});

test('old places are known about as well as new ones, however long a life is', () => {
  const places = new LeafPlaces();
  // Stretches in which every entry is a leaf take turns with others in which every tenth is.
  const stretch = 1 << 18;
  const lsnOf = (index: number): number => {
    const [turns, rest] = [Math.floor(index / stretch), index % stretch];
    const pairs = Math.floor(turns / 2) * 11 * stretch;
    return turns % 2 === 0 ? pairs + rest : pairs + stretch + 10 * rest;
  };
  const leaves = 1 << 26;
  for (let index = 0; index < leaves; index += 1_024) places.appended(lsnOf(index), index);
  for (let index = 999; index < leaves; index += 1_234_567) {
    const guess = places.near(lsnOf(index), leaves, lsnOf(leaves));
    assert.ok(Math.abs(guess - index) <= leaves / 1_024, `${guess} for ${index}`);
  }
});
