/** Retention and those who are away: what a session still has to read stays, until the journal needs the room. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { Retention, type RetentionOptions } from '../../../../src/hub/storage/retention.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';

interface World {
  /** What became of one round. */
  readonly released: number[];
  readonly cuts: number[];
}

interface State {
  pinnedLsn: number;
  fillRatio: number;
  summedUp?: number;
  gathered?: number;
  lostLsn?: number;
  settleStore?: RetentionOptions['settleStore'];
  whenDurable?: () => Promise<void>;
  receiptedLsn?: number;
  droppable?: RetentionOptions['droppable'];
}

interface Held extends World {
  readonly clock: SimClock;
  readonly journal: { fillRatio: number; readonly segmentStarts: number[] };
  readonly retention: Retention;
}

/** Segments that begin at 1, 101 and 201, all receipted and folded. */
function retain(state: State): Held {
  const clock = new SimClock(Date.UTC(2026, 2, 1));
  const released: number[] = [];
  const cuts: number[] = [];
  let { pinnedLsn } = state;
  const journal = {
    firstLsn: 1,
    durableLsn: 250,
    segmentStarts: [1, 101, 201],
    fillRatio: state.fillRatio,
    whenDurable: state.whenDurable ?? (() => Promise.resolve()),
    release: (throughLsn: number) => {
      released.push(throughLsn);
      while ((journal.segmentStarts[1] ?? Infinity) <= throughLsn + 1)
        journal.segmentStarts.shift();
      journal.fillRatio -= 0.1;
      return (journal.firstLsn = journal.segmentStarts[0] as number);
    },
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
    receiptedLsn: () => state.receiptedLsn ?? 250,
    droppable: state.droppable,
    settleStore: state.settleStore ?? (() => Promise.resolve(250)),
    flushLedger: () => Promise.resolve(250),
    settleAssets: () => Promise.resolve(state.gathered ?? 250),
    lostLsn: () => state.lostLsn ?? Infinity,
    keepMs: 0,
  });
  return { clock, journal, retention, released, cuts };
}

/** One round over them. */
async function round(state: State): Promise<World> {
  const { retention, released, cuts } = retain(state);
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

test('as many at once as bring it below half', async () => {
  const { released, cuts } = await round({ pinnedLsn: 50, fillRatio: 0.9 });
  assert.deepEqual({ released, cuts }, { released: [200], cuts: [200] });
});

test('nothing is taken from those who are away that something else holds back', async () => {
  const held = { pinnedLsn: 50, fillRatio: 0.9 };
  assert.deepEqual((await round({ ...held, gathered: 150 })).cuts, [100]);
  assert.deepEqual((await round({ ...held, gathered: 60 })).cuts, []);
  assert.deepEqual((await round({ ...held, receiptedLsn: 150 })).cuts, [100]);
});

test('what cannot be made durable is told for as long as it keeps the journal from letting go', async () => {
  const cannot = new HubError('snapshot.failed', 'state.snapshot: EIO');
  let settleStore = (): Promise<number> => Promise.reject(cannot);
  const state = { pinnedLsn: Infinity, fillRatio: 0.1, settleStore: () => settleStore() };
  const { clock, retention, released } = retain(state);
  await clock.advance(15_000);
  assert.equal(retention.fault, cannot);
  assert.deepEqual(released, []);
  settleStore = () => Promise.resolve(250);
  await clock.advance(15_000);
  assert.equal(retention.fault, undefined);
  assert.deepEqual(released, [250]);
  await retention.close();
});

test('a note that a full disk does not take holds up no end', async () => {
  const whenDurable = (): Promise<void> => new Promise(() => undefined);
  const { released } = await round({ pinnedLsn: Infinity, fillRatio: 0.9, whenDurable });
  assert.deepEqual(released, []);
});

test('a journal that is nearly full does not wait for its turn: each new segment is looked at within a second', async () => {
  const { clock, journal, retention, released } = retain({ pinnedLsn: 50, fillRatio: 0.7 });
  await clock.advance(2_000);
  assert.deepEqual(released, [], 'there is room');
  journal.fillRatio = 0.8;
  await clock.advance(1_000);
  assert.deepEqual(released, [200]);
  journal.fillRatio = 0.8;
  await clock.advance(5_000);
  assert.deepEqual(released, [200], 'it has not grown');
  journal.segmentStarts.push(231);
  await clock.advance(1_000);
  assert.deepEqual(released, [200, 230]);
  await retention.close();
});

/** Of 250 ops some that may be dropped wait for receipts, from 20 on. */
function droppable(
  asked: number[],
  othersReceiptedLsn = 250,
): NonNullable<RetentionOptions['droppable']> {
  return {
    othersReceiptedLsn: () => othersReceiptedLsn,
    giveUp: (throughLsn, release) => {
      asked.push(throughLsn);
      return Promise.resolve(release());
    },
  };
}

test('what may be dropped goes by segments when the journal is nearly full, if it alone is in the way', async () => {
  const asked: number[] = [];
  const waiting = { pinnedLsn: Infinity, receiptedLsn: 19 };
  const { released } = await round({ ...waiting, fillRatio: 0.8, droppable: droppable(asked) });
  assert.deepEqual({ released, asked }, { released: [100], asked: [100] });
});

test('it stays while there is room, while others wait with it, and where nobody asked for that', async () => {
  const asked: number[] = [];
  const waiting = { pinnedLsn: Infinity, receiptedLsn: 19 };
  await round({ ...waiting, fillRatio: 0.7, droppable: droppable(asked) });
  await round({ ...waiting, fillRatio: 0.9, droppable: droppable(asked, 60) });
  await round({ ...waiting, fillRatio: 0.9, gathered: 60, droppable: droppable(asked) });
  assert.deepEqual(asked, []);
  assert.deepEqual((await round({ ...waiting, fillRatio: 0.9 })).released, []);
});
