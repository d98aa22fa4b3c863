import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { textOf, utf8 } from '../../../../src/base/bytes.ts';
import type { StampedOp } from '../../../../src/model/op.ts';
import type { Store } from '../../../../src/store/store.ts';
import { DEVICE_A, DEVICE_B, patchOp, stampedOp } from '../../../support/made/ops.ts';
import { entriesOf, openStore } from '../../../support/memory/stores.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const BOOT_MS = Date.UTC(2026, 5, 1, 6);
const KEY = 'meters/1';

/** A reading of a hub that came up in 1970: its HLC counts from there. */
function lost(seq: number, monotonicMs: number, bootId = 7): StampedOp {
  const clock = { quality: 'unknown', bootId, monotonicMs } as const;
  return stampedOp({ key: KEY, seq, atMs: 1000 + seq, clock, body: utf8(String(seq)) });
}

/** One that was made when the time had arrived. */
function found(seq: number, monotonicMs: number, bootId = 7): StampedOp {
  const clock = { quality: 'ntp', bootId, monotonicMs } as const;
  return stampedOp({ key: KEY, seq, atMs: BOOT_MS + monotonicMs, clock, body: utf8(String(seq)) });
}

function readingsOf(store: Store, fromMs = 0): (readonly [number, string | undefined])[] {
  const { points } = store.readings({ key: KEY, fromMs, toMs: BOOT_MS * 2 });
  return points.map(({ atMs, payload }) => [atMs, textOf(payload ?? new Uint8Array())] as const);
}

describe('times of a clock that was not set', () => {
  it('are repaired when the same boot knows the time, and not before', () => {
    const store = openStore(tempDir());
    store.apply(entriesOf([lost(1, 5000), lost(2, 65_000)]), 2);
    assert.deepEqual(readingsOf(store), [
      [1001, '1'],
      [1002, '2'],
    ]);
    const before = store.digest();
    store.apply(entriesOf([found(3, 125_000)]), 3);
    assert.deepEqual(readingsOf(store), [
      [BOOT_MS + 5000, '1'],
      [BOOT_MS + 65_000, '2'],
      [BOOT_MS + 125_000, '3'],
    ]);
    assert.equal(textOf(store.latest(KEY)[0]?.[1].body as Uint8Array), '3');
    assert.notEqual(store.digest().digest, before.digest);
    store.close();
  });

  it('are repaired after a restart, in whatever order the ops come, and change neither order nor digest', () => {
    const dir = tempDir();
    let store = openStore(dir);
    store.apply(entriesOf([lost(2, 65_000)]), 1);
    store.close();
    store = openStore(dir);
    store.apply(entriesOf([found(3, 125_000)], 2), 2);
    // What comes later of that boot is known at once.
    store.apply(entriesOf([lost(1, 5000)], 3), 3);
    const expected = readingsOf(store);
    assert.deepEqual(
      expected.map(([atMs]) => atMs),
      [5000, 65_000, 125_000].map((ms) => BOOT_MS + ms),
    );
    const other = openStore(tempDir());
    other.apply(entriesOf([lost(1, 5000), lost(2, 65_000), found(3, 125_000)]), 3);
    assert.deepEqual(readingsOf(other), expected);
    assert.equal(other.digest().digest, store.digest().digest);
    store.close();
    other.close();
  });

  it('stay as they are where that boot never learned the time, or another origin did', () => {
    const store = openStore(tempDir());
    const stranger = { ...found(1, 9000), op: { ...found(1, 9000).op, origin: DEVICE_B } };
    store.apply(entriesOf([lost(1, 5000), found(2, 5000, 8)]), 2);
    store.apply(entriesOf([stampedOp({ ...stranger.op, atMs: BOOT_MS })], 3), 3);
    assert.equal(readingsOf(store)[0]?.[0], 1001);
    store.close();
  });

  it('do not stay for ever in the way of those that come later', () => {
    const store = openStore(tempDir());
    for (let at = 0; at < 100_000; at += 10_000) {
      const never = Array.from({ length: 10_000 }, (_, i) => lost(at + i + 1, at + i, 6));
      store.stage(entriesOf(never, at + 1), at + 10_000);
    }
    store.apply(entriesOf([lost(100_001, 5000)], 100_001), 100_001);
    store.apply(entriesOf([found(100_002, 125_000)], 100_002), 100_002);
    const repaired = readingsOf(store, BOOT_MS);
    assert.deepEqual(repaired, [
      [BOOT_MS + 5000, '100001'],
      [BOOT_MS + 125_000, '100002'],
    ]);
    store.close();
  });

  it('keep the moment of readings that share a moment of the HLC, in the order in which they came', () => {
    const store = openStore(tempDir());
    const stuck = (seq: number): StampedOp => {
      const { op } = lost(seq, seq * 1000);
      return stampedOp({ ...op, hlc: { ms: 5000, counter: seq }, atMs: 5000 });
    };
    store.apply(entriesOf([stuck(1), stuck(2), stuck(3), found(4, 9000)]), 4);
    assert.deepEqual(readingsOf(store).slice(0, 3), [
      [BOOT_MS + 1000, '1'],
      [BOOT_MS + 2000, '2'],
      [BOOT_MS + 3000, '3'],
    ]);
    store.close();
  });

  it('are told of ops on records too', () => {
    const store = openStore(tempDir());
    const clock = { quality: 'unknown', bootId: 7, monotonicMs: 5000 } as const;
    const edit = patchOp({ state: 'open' }, { seq: 1, atMs: 1001, clock, origin: DEVICE_A });
    store.apply(entriesOf([edit]), 1);
    assert.deepEqual(store.records.timeOf(edit.op), { quality: 'unknown', atMs: undefined });
    store.apply(entriesOf([found(1, 9000)], 2), 2);
    assert.deepEqual(store.records.timeOf(edit.op), { quality: 'repaired', atMs: BOOT_MS + 5000 });
    assert.equal(store.records.timeOf(found(1, 9000).op), undefined);
    store.close();
  });
});

describe('times of a clock that was set wrong', () => {
  const YEAR_MS = 365 * 86_400_000;
  /** Made by a clock that is off, `laterMs` before a hub took it. */
  function off(seq: number, monotonicMs: number, byMs: number, laterMs = 1000): StampedOp {
    const clock = { quality: 'rtc', bootId: 7, monotonicMs } as const;
    const atMs = BOOT_MS + monotonicMs + byMs;
    const stampMs = BOOT_MS + monotonicMs + laterMs;
    return stampedOp({ key: KEY, seq, atMs, stampMs, clock, body: utf8(String(seq)) });
  }

  it.each([
    ['a year behind', -YEAR_MS],
    ['years ahead', 3 * YEAR_MS],
  ])('are repaired when it is right: %s', (_, byMs) => {
    const store = openStore(tempDir());
    store.apply(entriesOf([off(1, 5000, byMs), off(2, 65_000, byMs)]), 2);
    assert.notEqual(readingsOf(store)[0]?.[0], BOOT_MS + 5000);
    store.apply(entriesOf([found(3, 125_000), off(4, 130_000, byMs)], 3), 4);
    const times = readingsOf(store).map(([atMs]) => atMs - BOOT_MS);
    assert.deepEqual(times, [5000, 65_000, 125_000, 130_000]);
    store.close();
  });

  it('stay where it turns out that the op was long on its way', () => {
    const store = openStore(tempDir());
    const away = off(1, 5000, 0, 60 * 86_400_000);
    store.apply(entriesOf([away]), 1);
    store.apply(entriesOf([found(2, 61 * 86_400_000)], 2), 2);
    assert.equal(readingsOf(store)[0]?.[0], BOOT_MS + 5000);
    store.close();
  });

  it('are told of ops on records, order and digest left as they are', () => {
    const store = openStore(tempDir());
    const clock = { quality: 'rtc', bootId: 7, monotonicMs: 5000 } as const;
    const times = { atMs: BOOT_MS + 5000 - YEAR_MS, stampMs: BOOT_MS + 6000 };
    const edit = patchOp({ state: 'open' }, { seq: 1, clock, origin: DEVICE_A, ...times });
    store.apply(entriesOf([edit]), 1);
    assert.deepEqual(store.records.timeOf(edit.op), { quality: 'doubtful', atMs: undefined });
    const order = store.records.history('pump')[0]?.order;
    store.apply(entriesOf([found(1, 9000)], 2), 2);
    assert.deepEqual(store.records.timeOf(edit.op), { quality: 'repaired', atMs: BOOT_MS + 5000 });
    assert.deepEqual(store.records.history('pump')[0]?.order, order);
    store.close();
  });
});
