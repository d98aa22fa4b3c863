import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { FoldingShare } from '../../../../src/ingest/applying/folding-share.ts';

interface Journal {
  /** Entries a second. */
  readonly grows: number;
  /** Entries a second while a slice runs. */
  readonly folds: number;
  readonly behind: number;
  /** By how much every rest is longer than asked, and how long each hundredth is. */
  readonly lateMs?: number;
  readonly pauseMs?: number;
}

/** Slices of a millisecond for so long; what part of the time each got, and how far behind folding is then. */
function run(
  { grows, folds, behind, lateMs = 0, pauseMs = 0 }: Journal,
  seconds: number,
): { shares: number[]; lag: number } {
  const share = new FoldingShare();
  const shares: number[] = [];
  let durable = behind;
  let applied = 0;
  let nowMs = 0;
  while (nowMs < seconds * 1_000) {
    const foldable = Math.min(durable - applied, folds / 1_000);
    applied += foldable;
    const slice = { startMs: nowMs, endMs: nowMs + 1, durableLsn: durable, appliedLsn: applied };
    const restMs = share.restAfter(slice);
    shares.push(1 / (1 + restMs));
    const periodMs = 1 + restMs + (shares.length % 100 === 0 ? pauseMs : lateMs);
    durable += (grows / 1_000) * periodMs;
    nowMs += periodMs;
  }
  return { shares, lag: durable - applied };
}

describe('the share of folding', () => {
  it('is a twentieth while it is a little behind, however fast the journal grows', () => {
    const { shares } = run({ grows: 145_000, folds: 60_000, behind: 0 }, 1);
    assert.ok(shares.every((share) => share === 1 / 20));
  });

  it('leaves the loop to a burst of seconds, though folding could keep up with it', () => {
    const { shares, lag } = run({ grows: 165_000, folds: 300_000, behind: 0 }, 8);
    assert.ok(shares.every((share) => share === 1 / 20));
    assert.ok(lag > 1_000_000, String(lag));
    const longer = run({ grows: 165_000, folds: 300_000, behind: 0 }, 60);
    assert.ok(longer.lag < 1_500_000, String(longer.lag));
  });

  it('holds the lag where it can keep up, for as long as it takes', () => {
    const { lag } = run({ grows: 30_000, folds: 60_000, behind: 0 }, 120);
    assert.ok(lag > 150_000 && lag < 260_000, String(lag));
  });

  it('works off what a burst has left, beside a load that it can keep up with', () => {
    const { lag } = run({ grows: 20_000, folds: 60_000, behind: 900_000 }, 120);
    assert.ok(lag < 210_000, String(lag));
  });

  it('stands aside in a burst that it cannot keep up with, and takes more before the journal is full', () => {
    const { shares, lag } = run({ grows: 145_000, folds: 60_000, behind: 0 }, 60);
    assert.deepEqual([...new Set(shares)], [1 / 20, 1 / 5, 1 / 2, 1]);
    assert.ok(lag > 4_000_000, String(lag));
  });

  it('goes by how far behind it is until it has measured, whatever the clock and the journal say at the start', () => {
    const share = new FoldingShare();
    const startMs = 3_600_000;
    const slice = { startMs, endMs: startMs + 1, durableLsn: 9_000_000, appliedLsn: 7_500_000 };
    assert.equal(share.restAfter(slice), 4);
  });

  it('never takes more than four fifths to keep up', () => {
    const { shares } = run({ grows: 45_000, folds: 60_000, behind: 500_000 }, 20);
    const rests = shares.slice(-1_000).filter((share) => share < 1).length;
    assert.ok(rests >= 240, String(rests));
  });

  it('takes off later rests what one was too long: late timers, and a store that is made durable', () => {
    const load = { grows: 22_000, folds: 60_000, behind: 0 };
    const { lag } = run({ ...load, lateMs: 0.5, pauseMs: 60 }, 120);
    assert.ok(lag > 150_000 && lag < 260_000, String(lag));
  });

  it('makes up for no more than a second of rest, however long nothing came', () => {
    const share = new FoldingShare();
    const fold = (startMs: number): number =>
      share.restAfter({ startMs, endMs: startMs + 1, durableLsn: 100, appliedLsn: 50 });
    fold(0);
    const rests = Array.from({ length: 100 }, (_, slice) => fold(3_600_000 + slice));
    assert.ok(rests.slice(0, 52).every((rest) => rest === 0));
    assert.ok(rests.slice(54).every((rest) => rest > 0));
  });
});
