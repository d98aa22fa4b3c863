/** Retention and those who are away: what a session still has to read stays, until the journal needs the room. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { Retention, type RetentionOptions } from '../../../src/hub/storage/retention.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';

interface World {
  /** What became of one round. */
  readonly released: number[];
  readonly cuts: number[];
}

/** One round over segments that begin at 1, 101 and 201, all receipted and folded. */
async function round(state: {
  pinnedLsn: number;
  fillRatio: number;
  summedUp?: number;
  gathered?: number;
  lostLsn?: number;
}): Promise<World> {
  const clock = new SimClock(Date.UTC(2026, 2, 1));
  const released: number[] = [];
  const cuts: number[] = [];
  let { pinnedLsn } = state;
  const journal = {
    firstLsn: 1,
    durableLsn: 250,
    segmentStarts: [1, 101, 201],
    fillRatio: state.fillRatio,
    whenDurable: () => Promise.resolve(),
    release: (throughLsn: number) => released.push(throughLsn),
  };
  const sessions = {
    get pinnedLsn() {
      return pinnedLsn;
    },
    cutThrough: (lsn: number) => {
      cuts.push(lsn);
      pinnedLsn = Math.max(pinnedLsn, lsn + 1);
    },
    sumUp: () => Promise.resolve(state.summedUp ?? 250),
  };
  const retention = new Retention({
    clock,
    sessions,
    journal: journal as unknown as RetentionOptions['journal'],
    door: { noteProgress: () => 250 },
    keepProgress: () => Promise.resolve(false),
    timers: clock,
    log: SILENT_LOG,
    receiptedLsn: () => 250,
    settleStore: () => Promise.resolve(250),
    flushLedger: () => Promise.resolve(250),
    settleAssets: () => Promise.resolve(state.gathered ?? 250),
    lostLsn: () => state.lostLsn ?? Infinity,
    keepMs: 0,
  });
  retention.look();
  await retention.close();
  return { released, cuts };
}

test('nobody is away: all that is receipted and folded goes', async () => {
  const { released } = await round({ pinnedLsn: Infinity, fillRatio: 0.1 });
  assert.deepEqual(released, [250]);
});

test('what a session still has to read stays, and all behind it', async () => {
  assert.deepEqual((await round({ pinnedLsn: 150, fillRatio: 0.1 })).released, [149]);
  assert.deepEqual((await round({ pinnedLsn: 50, fillRatio: 0.1 })).released, []);
});

test('nothing goes that the file of sessions does not cover', async () => {
  const { released } = await round({ pinnedLsn: Infinity, fillRatio: 0.1, summedUp: 120 });
  assert.deepEqual(released, [120]);
});

test('nothing goes that tells what damage took, until the journal needs the room', async () => {
  const lost = { pinnedLsn: Infinity, lostLsn: 140 };
  assert.deepEqual((await round({ ...lost, fillRatio: 0.1 })).released, [139]);
  assert.deepEqual((await round({ ...lost, fillRatio: 0.6 })).released, [250]);
});

test('nothing goes whose bytes the blob store has not gathered', async () => {
  const { released } = await round({ pinnedLsn: Infinity, fillRatio: 0.1, gathered: 130 });
  assert.deepEqual(released, [130]);
});

test('a journal that is half full takes its oldest segment from those who are away', async () => {
  const { released, cuts } = await round({ pinnedLsn: 50, fillRatio: 0.5 });
  assert.deepEqual({ released, cuts }, { released: [100], cuts: [100] });
});
