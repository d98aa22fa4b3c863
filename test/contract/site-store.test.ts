/** What a regional node asks of a site's store, of each one that there is. */
import assert from 'node:assert/strict';

import { describe, test } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import { finish } from '../../src/base/steps.ts';
import { machineFiles } from '../../src/platform/files/machine-files.ts';
import { LOG, TELEMETRY } from '../../src/model/class.ts';
import type { StampedOp } from '../../src/model/op.ts';
import { laneOf } from '../../src/model/origin.ts';
import type { SiteDigest, SiteStore } from '../../src/regional/embedded/site-store.ts';
import { Store } from '../../src/store/store.ts';
import { HUB_ID, stampedOps } from '../support/made/batches.ts';
import { MemoryStore } from '../support/memory/memory-store.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

type Reopen = () => SiteStore;

const kinds: [string, () => Reopen][] = [
  [
    'embedded SQLite',
    () => {
      const path = `${tempDir()}/state.db`;
      const options = { path, files: machineFiles, log: SILENT_LOG, readingsDays: 30 };
      return () => Store.open({ ...options, durability: 'each-commit' });
    },
  ],
  [
    'in memory, for tests',
    () => {
      const store = new MemoryStore();
      return () => store;
    },
  ],
];

function entries(lsn: number, ops: readonly StampedOp[]): { lsn: number; stamped: StampedOp }[] {
  return ops.map((stamped) => ({ lsn, stamped }));
}

const digestOf = (store: SiteStore): SiteDigest => finish(store.digestInSteps());

describe.each(kinds)('site store: %s', (_name, make) => {
  test('an op counts once, in whatever order and number it comes', () => {
    const [ordered, shuffled] = [make()(), make()()];
    const ops = stampedOps(1, 30);
    ordered.apply(entries(1, ops), 1);
    shuffled.apply(entries(1, ops.slice(20)), 1);
    assert.equal(shuffled.vector().get(laneOf(HUB_ID, TELEMETRY)) ?? 0, 0, 'a gap is not known');
    shuffled.apply(entries(2, ops.slice(0, 25)), 2);
    shuffled.apply(entries(2, ops.slice(0, 25)), 2);
    assert.deepEqual(digestOf(shuffled), digestOf(ordered));
    assert.equal(digestOf(shuffled).ops, 30);
    assert.equal(shuffled.vector().get(laneOf(HUB_ID, TELEMETRY)), 30);
    for (const store of [ordered, shuffled]) store.close();
  });

  test('the checkpoint and the ops are there after a restart', () => {
    const reopen = make();
    const store = reopen();
    assert.equal(store.checkpointLsn, 0);
    store.apply(entries(7, stampedOps(1, 5)), 7);
    const digest = digestOf(store);
    store.close();
    const again = reopen();
    assert.equal(again.checkpointLsn, 7);
    assert.deepEqual(digestOf(again), digest);
    again.close();
  });

  test('class log stays out of the digest', () => {
    const store = make()();
    const empty = digestOf(store);
    store.apply(entries(1, stampedOps(1, 3, { class: LOG })), 1);
    assert.deepEqual(digestOf(store), empty);
    store.close();
  });
});
