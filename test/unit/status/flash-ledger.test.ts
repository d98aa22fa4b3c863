/** The flash ledger over days, restarts and clocks that jump. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'vitest';

import { SimClock } from '../../../src/platform/sim/clock.ts';
import { CARD_CYCLES, type FlashCounts, FlashLedger } from '../../../src/status/flash-ledger.ts';
import type { FlashStatus } from '../../../src/status/snapshot.ts';
import { MemoryFiles } from '../../support/memory/memory-files.ts';
import { NOON_MS } from '../../support/made/status.ts';

const HOUR_MS = 3_600_000;
const CARD_BYTES = 32e9;
const NOTHING = { journal: 0, store: 0, spool: 0, log: 0, assets: 0, other: 0 };

let files: MemoryFiles;
let clock: SimClock;
let counts: FlashCounts;

beforeEach(() => {
  files = new MemoryFiles();
  clock = new SimClock(NOON_MS);
  counts = { systemBytes: 0, bytesByCause: NOTHING, receivedBytes: 0 };
});

function open(): FlashLedger {
  return new FlashLedger({ files, path: 'flash.json', clock, counts: () => counts });
}

/** A process that starts now: its counters begin at 0. */
function start(): FlashLedger {
  counts = { systemBytes: 0, bytesByCause: NOTHING, receivedBytes: 0 };
  return open();
}

function write(journal: number, store: number, receivedBytes = 0): void {
  const { bytesByCause, systemBytes = 0 } = counts;
  counts = {
    systemBytes: systemBytes + 2 * (journal + store),
    bytesByCause: {
      ...bytesByCause,
      journal: bytesByCause.journal + journal,
      store: bytesByCause.store + store,
    },
    receivedBytes: counts.receivedBytes + receivedBytes,
  };
}

const today = (ledger: FlashLedger): FlashStatus => ledger.status(CARD_BYTES);

test('the day is the sum of its causes, with the count of the system beside it', () => {
  const ledger = start();
  write(300, 100, 200);
  const { bytesToday, byCause, systemBytesToday, receivedToday, amplification } = today(ledger);
  assert.equal(bytesToday, 400);
  assert.deepEqual(byCause, { ...NOTHING, journal: 300, store: 100 });
  assert.equal(systemBytesToday, 800);
  assert.equal(receivedToday, 200);
  assert.equal(amplification, null, 'so few bytes tell nothing about devices');
  write(3_000_000, 999_600, 1_999_800);
  assert.equal(today(ledger).amplification, 2);
});

test('where the system does not count, its figure is not known', () => {
  const ledger = start();
  counts = { ...counts, systemBytes: undefined, bytesByCause: { ...NOTHING, log: 8 } };
  assert.equal(today(ledger).bytesToday, 8);
  assert.equal(today(ledger).systemBytesToday, null);
  assert.equal(today(ledger).amplification, null);
});

test('a restart goes on with the day, and opening counts too', () => {
  const first = start();
  write(300, 100, 50);
  first.save();
  const second = start();
  write(20, 0, 7);
  assert.equal(today(second).bytesToday, 420);
  assert.equal(today(second).receivedToday, 57);
});

test("what was written before the ledger opened is today's as well", () => {
  write(400, 100);
  const ledger = open();
  assert.equal(today(ledger).bytesToday, 500);
});

test('midnight begins a new day, and the rate of life keeps the old one', async () => {
  const ledger = start();
  await clock.advance(11 * HOUR_MS);
  write(11e9, 0);
  const before = today(ledger).lifeYears;
  await clock.advance(2 * HOUR_MS);
  assert.equal(today(ledger).bytesToday, 0);
  write(2e9, 0);
  assert.equal(today(ledger).bytesToday, 2e9);
  const expected = (CARD_BYTES * CARD_CYCLES) / 24e9 / 365;
  assert.ok(Math.abs((today(ledger).lifeYears ?? 0) - expected) <= 0.1);
  assert.ok(Math.abs((before ?? 0) - expected) <= 0.1);
});

test('a clock that jumps to 1970 and back loses nothing of the day it comes back to', () => {
  const ledger = start();
  write(100, 0);
  ledger.save();
  clock = new SimClock(0);
  const lost = start();
  write(10, 0);
  assert.equal(today(lost).bytesToday, 10);
  lost.save();
  clock = new SimClock(NOON_MS);
  assert.equal(today(start()).bytesToday, 100);
});

test('a clock that is set back over midnight while the hub runs goes on with that day', () => {
  const ledger = start();
  write(100, 0);
  clock.jumpWall(NOON_MS + 12 * HOUR_MS, 'ntp');
  assert.equal(today(ledger).bytesToday, 0);
  write(7, 0);
  assert.equal(today(ledger).bytesToday, 7);
  clock.jumpWall(NOON_MS + 12 * HOUR_MS - 1, 'ntp');
  assert.equal(today(ledger).bytesToday, 100);
  write(20, 0);
  clock.jumpWall(NOON_MS + 12 * HOUR_MS, 'ntp');
  assert.equal(today(ledger).bytesToday, 7);
});

test('a damaged file is no reason to stop', () => {
  files.bytesByPath.set('flash.json', new TextEncoder().encode('{"days":[{"day":1},null,'));
  assert.equal(today(start()).bytesToday, 0);
  files.bytesByPath.set('flash.json', new TextEncoder().encode('{"days":[{"day":1},null]}'));
  assert.equal(today(start()).bytesToday, 0);
});

test('the file keeps a week', async () => {
  const ledger = start();
  for (let day = 0; day < 20; day++) {
    write(1_000, 0);
    await clock.advance(24 * HOUR_MS);
    ledger.save();
  }
  const saved = JSON.parse(new TextDecoder().decode(files.read('flash.json'))) as {
    days: unknown[];
  };
  assert.equal(saved.days.length, 7);
});
