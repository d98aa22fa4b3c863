/** Ops of one device that come to the region by two hubs, in each storage that there is. */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

import { utf8 } from '../../src/base/bytes.ts';
import { encodePatch } from '../../src/merge/patch.ts';
import { RECORD } from '../../src/model/class.ts';
import { PATCH, type StampedOp } from '../../src/model/op.ts';
import type { Origin } from '../../src/model/origin.ts';
import {
  batchOf,
  HUB,
  HUB_ID,
  identityOf,
  plainOp,
  START_MS,
  stampedOp,
} from '../support/made/batches.ts';
import { keepBatch, placeOf, STORAGES } from '../support/memory/site-storages.ts';

const DEVICE = 'dddddddddddddddd' as Origin;

beforeAll(() => STORAGES.start());
afterAll(() => STORAGES.stop());

test.skipIf(STORAGES.hasPostgres)('PostgreSQL (skipped: needs postgres)', () => undefined);

describe.each(STORAGES.kinds)('two hubs of one site: %s', (_name, make) => {
  test('ops of one device come by two hubs, with what neither has between them, and the hole is given when it came', async () => {
    const [place, whole] = [await placeOf(await make()), await placeOf(await make())];
    const other = identityOf(7);
    const otherId = other.id;
    const body = encodePatch({ state: 'done' });
    const ofDevice = (from: number, to: number, hub: Origin): StampedOp[] =>
      Array.from({ length: to - from + 1 }, (_, index) => {
        const key = `order/${(from + index) % 5}`;
        const parts = { class: RECORD, kind: PATCH, body, key } as const;
        const { op, bytes, stamp } = stampedOp(from + index, parts, DEVICE);
        return { op, bytes, stamp: { ...stamp, hub } };
      });
    for (const { site } of [place, whole]) await site.meet(otherId, other.publicKey);
    // The second hub went on behind a floor of 50, and the first one has got no further than 30.
    await keepBatch(place.site, await batchOf(ofDevice(51, 60, otherId), {}, other), other);
    assert.equal((await place.site.digest()).ops, 10);
    await keepBatch(place.site, await batchOf(ofDevice(1, 30, HUB_ID)));
    const lacks = [{ origin: DEVICE, class: RECORD, from: 1, to: 50 }] as const;
    const answer = await place.site.heal.answer({ hub: otherId, lacks });
    assert.equal(answer.ops, 30, 'what the first one had sent');
    const given = await place.site.heal.next({ hub: otherId, lacks });
    assert.deepEqual(given?.ops.map(plainOp), ofDevice(1, 30, HUB_ID).map(plainOp));
    // The first one is found again.
    await keepBatch(place.site, await batchOf(ofDevice(31, 50, HUB_ID)));
    await keepBatch(whole.site, await batchOf(ofDevice(1, 50, HUB_ID)));
    await keepBatch(whole.site, await batchOf(ofDevice(51, 60, otherId), {}, other), other);
    assert.deepEqual(await place.site.digest(), await whole.site.digest());
    assert.equal((await place.site.digest()).ops, 60);
    await place.close();
    await whole.close();
  });

  test('an event of a wild clock that came by two hubs stands by the greater stamp, in whatever order', async () => {
    const other = identityOf(7);
    const otherId = other.id;
    const wild = (hub: Origin, stampMs: number): StampedOp => {
      const parts = { key: 'meters/1', body: utf8('wild'), hlc: { ms: 9e12, counter: 0 } };
      const { op, bytes, stamp } = stampedOp(1, parts, DEVICE);
      return { op, bytes, stamp: { ...stamp, hub, hlc: { ms: stampMs, counter: 0 } } };
    };
    const at = START_MS + 100_000;
    const between = stampedOp(1, { key: 'meters/1', hlc: { ms: at + 50, counter: 0 } });
    const batches = [
      [await batchOf([wild(HUB_ID, at)]), HUB],
      [await batchOf([wild(otherId, at + 100)], {}, other), other],
      [await batchOf([between]), HUB],
    ] as const;
    const digests = new Set<string>();
    for (const order of [
      [0, 1, 2],
      [1, 0, 2],
      [2, 0, 1],
      [0, 2, 1],
    ]) {
      const place = await placeOf(await make());
      await place.site.meet(otherId, other.publicKey);
      for (const index of order) {
        const [batch, by] = batches[index] as (typeof batches)[number];
        await keepBatch(place.site, batch, by);
      }
      const { digest, ops } = await place.site.digest();
      digests.add(digest);
      assert.equal(ops, 2);
      await place.close();
    }
    assert.equal(digests.size, 1);
  });
});
