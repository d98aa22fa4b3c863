import assert from 'node:assert/strict';

import { test } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import type { Steps } from '../../../../src/base/steps.ts';
import { MachineClock, machineTimers } from '../../../../src/platform/clock.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { EmbeddedStorage } from '../../../../src/regional/embedded/embedded-storage.ts';
import type { SiteDigest, SiteEntry } from '../../../../src/regional/embedded/site-store.ts';
import { batchOf, HUB_ID, REGION, stampedOps } from '../../../support/made/batches.ts';
import { MemoryStore } from '../../../support/memory/memory-store.ts';
import { keepBatch, placeOf } from '../../../support/memory/site-storages.ts';

class FullStore extends MemoryStore {
  isFull = false;
  closed = 0;

  override close(): void {
    this.closed += 1;
  }

  override apply(entries: readonly SiteEntry[], checkpointLsn: number): void {
    if (this.isFull) throw new HubError('store.failed', 'database or disk is full');
    super.apply(entries, checkpointLsn);
  }
}

test('a batch that the store had no room for is in it before its receipt, also where later ones came first', async () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  const store = new FullStore();
  const machine = { files, clock: new MachineClock(), timers: machineTimers, log: SILENT_LOG };
  const openStore = (): MemoryStore => store;
  const place = await placeOf(
    async () => new EmbeddedStorage({ ...machine, dir: 'region', openStore, self: REGION.id }),
  );
  const first = await batchOf(stampedOps(1, 3));
  store.isFull = true;
  await assert.rejects(keepBatch(place.site, first), { code: 'store.failed' });
  await assert.rejects(place.reopen(), { code: 'store.failed' });
  assert.equal(store.closed, 2, 'also of a site that does not open');
  store.isFull = false;
  await keepBatch(place.site, await batchOf(stampedOps(4, 6)));
  assert.equal(await place.site.receipt(HUB_ID, first.id), undefined);
  const { site } = await place.reopen();
  assert.notEqual(await site.receipt(HUB_ID, first.id), undefined);
  assert.equal((await site.digest()).ops, 6);
});

class LargeStore extends MemoryStore {
  readonly said: string[] = [];

  override *digestInSteps(): Steps<SiteDigest> {
    for (let step = 0; step < 3; step++) {
      this.said.push('step');
      const untilMs = performance.now() + 5;
      while (performance.now() < untilMs);
      yield;
    }
    return this.digest();
  }

  override apply(entries: readonly SiteEntry[], checkpointLsn: number): void {
    this.said.push('fold');
    super.apply(entries, checkpointLsn);
  }
}

test('the digest of a large site lets others have their turn, but nothing is folded in between', async () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  const store = new LargeStore();
  const machine = { files, clock: new MachineClock(), timers: machineTimers, log: SILENT_LOG };
  const place = await placeOf(
    async () => new EmbeddedStorage({ ...machine, dir: 'region', openStore: () => store }),
  );
  const digest = place.site.digest();
  setImmediate(() => store.said.push('another'));
  const kept = keepBatch(place.site, await batchOf(stampedOps(1, 3)));
  assert.equal((await digest).ops, 0);
  await kept;
  assert.ok(store.said.indexOf('another') < store.said.lastIndexOf('step'));
  assert.deepEqual(
    store.said.filter((it) => it !== 'another'),
    ['step', 'step', 'step', 'fold'],
  );
});
