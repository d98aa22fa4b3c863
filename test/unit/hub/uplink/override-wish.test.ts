/** Sending by hand as the region asks for it, at hubs with clocks of all kinds. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { encodeCbor } from '../../../../src/codec/writer.ts';
import { overrideLeftMs, overrideWishIn } from '../../../../src/hub/uplink/override-wish.ts';
import { AUTHORITY } from '../../../../src/model/op.ts';

const NOW_MS = Date.UTC(2026, 10, 27);
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

function wishOf(values: Readonly<Record<string, unknown>>, authority: number = AUTHORITY.operator) {
  const order = {
    authority,
    hlc: { ms: NOW_MS, counter: 0 },
    origin: 'aaaaaaaaaaaaaaaa',
    seq: 1,
    class: 1,
  };
  const fields = Object.entries(values).map(([name, value]) => {
    const write = { order, value: encodeCbor(value as never) };
    return [name, write] as const;
  });
  return overrideWishIn(new Map(fields) as never);
}

function asked(minutes: number) {
  const until = NOW_MS + minutes * MINUTE_MS;
  return wishOf({ override_until: until, override_minutes: minutes, override_by: 'ana' });
}

describe('what is left of it', () => {
  test.each([
    ['right', 0, 5],
    ['three minutes later', 3, 2],
    ['over', 6, -1],
    ['a year behind', -365 * 24 * 60, 5],
  ])('by a clock that is %s', (_, minutesLater, left) => {
    const nowMs = NOW_MS + minutesLater * MINUTE_MS;
    assert.equal(overrideLeftMs(asked(5), nowMs), left * MINUTE_MS);
  });

  test('an end is one by every clock', () => {
    for (const nowMs of [NOW_MS, NOW_MS - 365 * DAY_MS])
      assert.equal(overrideLeftMs(asked(0), nowMs), 0);
  });

  test('a region that does not say for how long is heeded for a day at most', () => {
    const wish = wishOf({ override_until: NOW_MS + MINUTE_MS });
    assert.equal(overrideLeftMs(wish, NOW_MS), MINUTE_MS);
    assert.equal(overrideLeftMs(wish, 0), DAY_MS);
    assert.equal(wish.by, 'the region');
  });
});

test('a device is not heeded', () => {
  const wish = wishOf({ override_until: NOW_MS + MINUTE_MS, override_by: 'x' }, AUTHORITY.device);
  assert.deepEqual([wish.untilMs, wish.atMs, wish.by], [0, 0, 'the region']);
});
