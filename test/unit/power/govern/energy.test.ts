/** What a day of sessions took, by a clock that leaves the day and comes back to it. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { EnergyAccount, LINK_COSTS } from '../../../../src/power/govern/energy.ts';
import { pastSessions } from '../../../../src/power/log/log-lines.ts';

const HOUR_MS = 3_600_000;
const NOON_MS = Date.UTC(2026, 10, 27, 12);

function book(account: EnergyAccount, wallMs: number, linkBytes: number): void {
  account.book(LINK_COSTS.cellular, {}, wallMs, { linkBytes });
}

/** The account of a hub whose log tells of sessions at these times: of 1, 2, 4 … bytes. */
function accountAfter(...at: string[]): EnergyAccount {
  const lines = at.map((it, index) => {
    return { at: it, clock: 'ntp', event: 'session.close', bytes: 2 ** index } as const;
  });
  return new EnergyAccount(pastSessions(lines));
}

test('a clock that leaves the day and comes back finds what was booked there', () => {
  const account = new EnergyAccount();
  book(account, NOON_MS, 1);
  book(account, NOON_MS - 30 * 24 * HOUR_MS, 2);
  assert.equal(account.today(NOON_MS - 30 * 24 * HOUR_MS).linkBytes, 2);
  assert.equal(account.today(NOON_MS).linkBytes, 1);
  book(account, NOON_MS, 4);
  const { sessions, linkBytes, byClass } = account.today(NOON_MS);
  assert.deepEqual([sessions, linkBytes, byClass[1]], [2, 5, 0.06]);
  assert.equal(account.today(NOON_MS + 12 * HOUR_MS).sessions, 0, 'midnight');
});

test('what is booked before anybody knows the date is of the day that it turns out to be', () => {
  const account = accountAfter(
    '2026-11-26T23:59:59Z',
    '2026-11-27T00:00:00Z',
    '1970-01-01T00:02:00Z',
  );
  assert.equal(account.today(60_000).sessions, 0);
  book(account, 60_000, 8);
  assert.equal(account.today(60_000).linkBytes, 8);
  assert.equal(account.today(NOON_MS).linkBytes, 2 + 8);
  assert.equal(account.today(60_000).linkBytes, 0, 'once');
  assert.equal(account.today(NOON_MS).linkBytes, 2 + 8);
});

test('a clock that wanders makes it remember a few days, the latest among them', () => {
  const account = new EnergyAccount();
  for (let day = 100; day > 0; day--) book(account, NOON_MS + day * 24 * HOUR_MS, day);
  const kept = Array.from({ length: 100 }, (_, day) => account.today(NOON_MS + day * 24 * HOUR_MS));
  assert.equal(kept[1]?.linkBytes, 1);
  assert.equal(kept.filter(({ sessions }) => sessions > 0).length, 4);
});
