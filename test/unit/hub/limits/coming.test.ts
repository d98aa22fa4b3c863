/** What waits to be folded is counted by its key, and never grows without a limit. */
import assert from 'node:assert/strict';

import { beforeEach, describe, it } from 'vitest';

import { Coming } from '../../../../src/hub/limits/coming.ts';

const MANY = 100_000;

let store: { appliedLsn: number };
let coming: Coming<string>;

beforeEach(() => {
  store = { appliedLsn: 0 };
  coming = new Coming(store);
});

describe('what is on its way', () => {
  it('counts until it is folded', () => {
    coming.note('a', 1, 'one');
    coming.note('a', 2, 'two');
    store.appliedLsn = 1;
    assert.equal(coming.of('a'), 'two');
    store.appliedLsn = 2;
    assert.equal(coming.of('a'), undefined);
  });

  it('is forgotten where the store stands still and too many keys wait', () => {
    for (let lsn = 1; lsn < MANY; lsn++) coming.note(`k${lsn}`, lsn, 'x');
    assert.equal(coming.of('k1'), 'x');
    coming.note(`k${MANY}`, MANY, 'x');
    assert.equal(coming.of('k1'), undefined);
  });

  it('counts a key by its pieces, of which a few keys may bring too many', () => {
    for (let lsn = 1; lsn < 25; lsn++) coming.note(`k${lsn}`, lsn, 'x', 4_000);
    assert.equal(coming.of('k1'), 'x');
    coming.note('k25', 25, 'x', 4_000);
    assert.equal(coming.of('k1'), undefined);
  });

  it('keeps what still waits when it looks for what is folded', () => {
    store.appliedLsn = MANY - 2;
    for (let lsn = 1; lsn <= MANY; lsn++) coming.note(`k${lsn}`, lsn, 'x');
    assert.equal(coming.of(`k${MANY - 2}`), undefined);
    assert.equal(coming.of(`k${MANY - 1}`), 'x');
  });

  it('does not count a key twice that is told again', () => {
    for (let lsn = 1; lsn <= 2 * MANY; lsn++) coming.note('a', lsn, 'x');
    assert.equal(coming.of('a'), 'x');
  });
});
