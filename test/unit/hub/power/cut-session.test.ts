/** A session that the hub's own end cut short: what it had cost until then is in the log and in the day's account. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import type { HubPower } from '../../../../src/hub/power/power.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SessionBook } from '../../../../src/uplink/session/session-book.ts';
import type { SpooledBatch } from '../../../../src/uplink/spool.ts';
import { openMainsPower, powerCard } from '../../../support/simulated/mains-power.ts';

const NOON_MS = Date.UTC(2026, 10, 27, 12);

interface Life {
  readonly power: HubPower;
  readonly book: SessionBook;
}

/** Lives of one hub on one card; none of them is closed before the next begins, as after kill -9. */
function lives(): { readonly clock: SimClock; readonly begin: () => Life } {
  const clock = new SimClock(NOON_MS, 'ntp');
  const files = powerCard();
  const begin = (): Life => {
    const power = openMainsPower(clock, files);
    const book = new SessionBook({
      syncLog: power.syncLogWriter(),
      energy: power.energyBook(),
      clock,
      link: () => 'cellular',
    });
    return { power, book };
  };
  return { clock, begin };
}

function batchOf(opClass: 2 | 3, batchBytes: number): SpooledBatch {
  const parts = { manifest: { class: opClass, ops: 7 }, layout: { total: 1, batchBytes } };
  return { id: `${opClass}`, ...parts } as unknown as SpooledBatch;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

test('the energy of sessions in the log is that of the day after kill -9, once', async () => {
  const { clock, begin } = lives();
  const first = begin();
  first.book.opened({ allowed: [2] }, 'records are due');
  first.book.chunkSent(batchOf(2, 400_000), 400_000);
  first.book.closed('done', 410_000);
  await clock.advance(60_000);
  first.book.opened({ allowed: [2] }, 'records are due');
  first.book.chunkSent(batchOf(2, 1_000_000), 1_000_000);
  first.book.chunkSent(batchOf(3, 2_000_000), 2_000_000);
  await clock.advance(60_000);
  begin();
  await clock.advance(60_000);
  const { power } = begin();

  const closing = power.syncLog.lines().filter(({ event }) => event === 'session.close');
  assert.equal(closing.length, 2, 'told once, whatever follows');
  const { energyWh = 0, whByClass, bytes, why } = closing[1] ?? {};
  assert.ok(Math.abs(energyWh - (0.03 + (9 / 3_600) * 3)) < 1e-9, `${energyWh} Wh`);
  assert.deepEqual(Object.keys(whByClass ?? {}), ['record', 'telemetry']);
  assert.equal(bytes, 3_000_000);
  assert.match(why ?? '', /^the hub ended/);
  const today = power.monitor.energyToday();
  assert.equal(today.sessions, 2);
  const told = sumOf(closing.map((line) => line.energyWh ?? 0));
  assert.ok(Math.abs(today.energyWh - told) < 1e-9);
  assert.ok(Math.abs(sumOf(Object.values(today.byClass)) - told) < 1e-9);
  assert.equal(power.energyBook().linkBytesToday(), 3_410_000);
});

test('a session that sent nothing before the end asked for orders, and paid for that', () => {
  const { begin } = lives();
  begin().book.opened({ allowed: [] }, 'a check-in');
  const today = begin().power.monitor.energyToday();
  assert.deepEqual([today.sessions, today.energyWh, today.byClass[1]], [1, 0.03, 0.03]);
});
