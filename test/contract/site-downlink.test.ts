/** What the way down asks of the storage of a site, of each one that there is. */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

import { inlineCompressor } from '../../src/batch/compression.ts';
import type { BatchId } from '../../src/batch/batch-id.ts';
import type { LaneRange } from '../../src/batch/ranges.ts';
import { hexOf } from '../../src/base/bytes.ts';
import { SILENT_LOG } from '../../src/base/log.ts';
import { encodePatch } from '../../src/merge/patch.ts';
import { COMMAND, type OpClass, RECORD, TELEMETRY } from '../../src/model/class.ts';
import { encodeOp, type Op, PATCH, type StampedOp } from '../../src/model/op.ts';
import { type Lane, laneOf, type Origin } from '../../src/model/origin.ts';
import { MachineClock, machineTimers } from '../../src/platform/clock.ts';
import { machineRandom } from '../../src/platform/random.ts';
import { Author } from '../../src/regional/downlink/author.ts';
import type { Underway } from '../../src/regional/downlink/receivers.ts';
import type { PgStorage } from '../../src/regional/postgres/pg-storage.ts';
import type { SiteStorage } from '../../src/regional/site-storage.ts';
import {
  batchOf,
  HUB,
  HUB_ID,
  identityOf,
  plainOp,
  REGION,
  SITE,
  stampedOp,
} from '../support/made/batches.ts';
import { DEVICE_A, DEVICE_B } from '../support/made/ops.ts';
import { keepBatch, placeOf, STORAGES } from '../support/memory/site-storages.ts';

const OTHER = identityOf(7);
const OTHER_ID = OTHER.id;
const DOWN = [COMMAND, RECORD] as const;

beforeAll(() => STORAGES.start());
afterAll(() => STORAGES.stop());

function records(from: number, to: number, opClass: OpClass = RECORD): StampedOp[] {
  const body = encodePatch({ state: 'done' });
  const parts = { class: opClass, kind: PATCH, body } as const;
  return Array.from({ length: to - from + 1 }, (_, index) =>
    stampedOp(from + index, { ...parts, key: `order/${from + index}` }, OTHER_ID),
  );
}

function authorOf({ down: source }: SiteStorage): Author {
  const parts = { site: SITE, source, signer: REGION, compressor: inlineCompressor };
  const machine = { clock: new MachineClock(), timers: machineTimers, random: machineRandom };
  return new Author({ ...parts, ...machine, log: SILENT_LOG });
}

function stampedAs(op: Op, stamp: StampedOp['stamp']): StampedOp {
  return { bytes: encodeOp(op), op, stamp };
}

const byOrigin = (a: LaneRange, b: LaneRange): number => (a.origin < b.origin ? -1 : 1);

const order = (key: string, opClass: OpClass = RECORD) =>
  ({ class: opClass, key, kind: PATCH, body: encodePatch({ a: 1 }), authority: 4 }) as const;

/** Everything that waits for the hub, as a hub that takes it would see it. */
async function drain(site: SiteStorage, vector = new Map<Lane, number>()): Promise<StampedOp[]> {
  const taken: StampedOp[] = [];
  const query = { hub: HUB_ID, vector, classes: DOWN };
  for (;;) {
    const waiting = await site.down.waiting(query);
    const next = await site.down.next(query);
    assert.equal(next === undefined, waiting === 0, 'what is counted comes, and nothing else');
    if (next === undefined) return taken;
    for (const { op } of next.ops) {
      const lane = laneOf(op.origin, op.class);
      assert.equal(op.class, next.class);
      assert.equal(op.seq, (vector.get(lane) ?? 0) + 1, 'each lane in its order');
      vector.set(lane, op.seq);
    }
    taken.push(...next.ops);
  }
}

describe.each(STORAGES.kinds)('the way down: %s', (name, make) => {
  test('gives orders and records of other hubs, each lane in order, and what it counts', async () => {
    const place = await placeOf(await make());
    const { site } = place;
    await site.meet(OTHER_ID, OTHER.publicKey);
    const later = await batchOf(records(31, 40), {}, OTHER);
    await keepBatch(site, later, OTHER);
    assert.equal((await drain(site)).length, 0, 'nothing beyond a gap');
    await keepBatch(site, await batchOf(records(1, 30), {}, OTHER), OTHER);
    const telemetry = [1, 2].map((seq) => stampedOp(seq, { class: TELEMETRY }, OTHER_ID));
    await keepBatch(site, await batchOf(telemetry, {}, OTHER), OTHER);
    await keepBatch(site, await batchOf(records(1, 3, COMMAND), {}, OTHER), OTHER);
    const all = await drain(site);
    assert.equal(all.length, 43);
    assert.equal(all[0]?.op.class, COMMAND, 'commands before records');
    const kept = all.find(({ op }) => op.class === RECORD && op.seq === 31);
    assert.deepEqual(kept, records(31, 31)[0], 'the very bytes, with their stamp');
    const from30 = new Map([[laneOf(OTHER_ID, RECORD), 30]]);
    assert.equal((await drain(site, from30)).length, 13);
    const passedOver = new Map([[laneOf(OTHER_ID, RECORD), Number.MAX_SAFE_INTEGER]]);
    assert.equal((await drain(site, passedOver)).length, 3, 'other lanes alone');
    const own = { hub: OTHER_ID, vector: new Map(), classes: DOWN };
    assert.equal(await site.down.waiting(own), 0, 'a hub gets back nothing of its own');
    const again = await place.reopen();
    assert.equal((await drain(again.site)).length, 43);
    await again.close();
  });

  test.skipIf(name === 'embedded')('is filled from the batches of an earlier schema', async () => {
    const place = await placeOf(await make());
    await place.site.meet(OTHER_ID, OTHER.publicKey);
    await keepBatch(place.site, await batchOf(records(1, 600), {}, OTHER), OTHER);
    await keepBatch(place.site, await batchOf(records(1, 3, COMMAND), {}, OTHER), OTHER);
    const before = await drain(place.site);
    assert.equal(before.length, 603);
    const { database } = place.storage as PgStorage;
    await database.query('TRUNCATE heliograph.site_op');
    assert.equal((await drain(place.site)).length, 0);
    await database.query('UPDATE heliograph.site SET ops_kept = false');
    const again = await place.reopen();
    assert.deepEqual(await drain(again.site), before, 'byte for byte, in the same order');
    const twice = await again.reopen();
    assert.equal((await drain(twice.site)).length, 603, 'and once');
    await twice.close();
  });

  test('more than one batch can hold comes in several', async () => {
    const place = await placeOf(await make());
    await place.site.meet(OTHER_ID, OTHER.publicKey);
    await keepBatch(place.site, await batchOf(records(1, 1_200), {}, OTHER), OTHER);
    const query = { hub: HUB_ID, vector: new Map(), classes: DOWN };
    assert.equal(await place.site.down.waiting(query), 1_200);
    assert.equal((await place.site.down.next(query))?.ops.length, 500);
    assert.equal((await drain(place.site)).length, 1_200);
    await place.close();
  });

  test('the region numbers its ops without gap or double, however many write at once', async () => {
    const place = await placeOf(await make());
    const [first, second] = [authorOf(place.site), authorOf(place.site)];
    const ops = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        (i % 2 === 0 ? first : second).write(order(`order/${i}`, i % 3 === 0 ? COMMAND : RECORD)),
      ),
    );
    const seqs = (opClass: OpClass): number[] =>
      ops.flatMap((op) => (op.class === opClass ? [op.seq] : [])).toSorted((a, b) => a - b);
    assert.deepEqual(seqs(COMMAND), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual(
      seqs(RECORD),
      Array.from({ length: 16 }, (_, i) => i + 1),
    );
    assert.equal((await place.site.digest()).ops, 24);
    const again = await place.reopen();
    const next = await authorOf(again.site).write(order('order/99'));
    assert.equal(next.seq, 17);
    assert.equal((await drain(again.site)).length, 25);
    assert.deepEqual(
      (await again.site.hubs()).map(({ hub }) => hub),
      [HUB_ID],
    );
    await again.close();
  });

  test('the region’s own orders come back, too, to a hub whose card has lost them', async () => {
    const place = await placeOf(await make());
    const author = authorOf(place.site);
    const ops = [];
    for (const at of [1, 2, 3]) ops.push(await author.write(order(`order/${at}`)));
    const { origin } = ops[0] as Op;
    const lacks = [{ origin, class: RECORD, from: 2, to: 3 }] as const;
    const again = await place.reopen();
    const { heal } = again.site;
    assert.equal((await heal.answer({ hub: HUB_ID, lacks })).ops, 2);
    const given = await heal.next({ hub: HUB_ID, lacks });
    assert.deepEqual(
      given?.ops.map(({ bytes }) => hexOf(bytes)),
      ops.slice(1).map((op) => hexOf(encodeOp(op))),
    );
    await again.close();
  });

  test('what a hub had handed in of others and has lost at the end of its lanes is known', async () => {
    const place = await placeOf(await make());
    const { site } = place;
    const device = (from: number, to: number, origin: Origin): StampedOp[] =>
      records(from, to).map(({ op, stamp }) => {
        return stampedAs({ ...op, origin }, { ...stamp, hub: HUB_ID });
      });
    await keepBatch(site, await batchOf(device(1, 6, DEVICE_A)));
    await keepBatch(site, await batchOf([...device(7, 9, DEVICE_A), ...device(1, 2, DEVICE_B)]));
    await keepBatch(site, await batchOf(device(4, 5, DEVICE_B)));
    const telemetry = stampedOp(1, { class: TELEMETRY, origin: DEVICE_A });
    await keepBatch(site, await batchOf([telemetry]));
    await keepBatch(site, await batchOf([stampedOp(1, { class: RECORD })]));
    const ends = (known: number): Promise<LaneRange[]> => {
      const vector = new Map([[laneOf(DEVICE_A, RECORD), known]]);
      return site.heal.ends({ hub: HUB_ID, vector, classes: DOWN });
    };
    const newcomer = { origin: DEVICE_B, class: RECORD, from: 1, to: 2 } as const;
    const end = { origin: DEVICE_A, class: RECORD, from: 5, to: 9 } as const;
    assert.deepEqual((await ends(4)).toSorted(byOrigin), [end, newcomer]);
    assert.deepEqual(await ends(9), [newcomer]);
    const given = await site.heal.next({ hub: HUB_ID, lacks: [end] });
    assert.deepEqual(given?.ops.map(plainOp), device(5, 9, DEVICE_A).map(plainOp));
    const other = { hub: OTHER_ID, vector: new Map(), classes: DOWN };
    assert.deepEqual(await site.heal.ends(other), [], 'nobody gets so what others had sent');
    await place.close();
  });

  test('where making an op fails, its number is given to the next', async () => {
    const place = await placeOf(await make());
    const failing = place.site.down.author({
      class: RECORD,
      originOf: () => REGION.id,
      make: () => Promise.reject(new Error('for a test')),
    });
    await assert.rejects(failing, /for a test/);
    assert.equal((await authorOf(place.site).write(order('order/1'))).seq, 1);
    await place.close();
  });

  test('a new origin is begun for good, where a hub knows more of the region than itself', async () => {
    const place = await placeOf(await make());
    const author = authorOf(place.site);
    const { origin } = await author.write(order('order/1'));
    await author.compare(HUB_ID, new Map([[laneOf(origin, RECORD), 5]]));
    assert.equal(await place.site.down.incarnation(), 1);
    await place.site.down.beginIncarnation(1);
    const again = await place.reopen();
    const next = await authorOf(again.site).write(order('order/2'));
    assert.notEqual(next.origin, origin);
    assert.equal(next.seq, 1);
    await again.close();
  });

  test('what a hub has, and what is on its way to it, changes one at a time', async () => {
    const place = await placeOf(await make());
    const { receivers } = place.site.down;
    assert.equal(await receivers.get(HUB_ID), undefined);
    const lane = laneOf(OTHER_ID, RECORD);
    const underway: Underway = {
      batch: '00112233445566778899aabbccddeeff' as BatchId,
      class: RECORD,
      ops: 3,
      reaches: new Map([[lane, 9]]),
      bytes: new Uint8Array(70_000).fill(3),
    };
    const sealKey = new Uint8Array(32).fill(8);
    const refused = {
      reason: 'why',
      lanes: new Map([[lane, 6]]),
      tries: 2,
      untilMs: 1_764_000_000_000,
    };
    const receiver = { takes: DOWN, vector: new Map([[lane, 6]]), sealKey, underway, refused };
    await receivers.change(HUB_ID, async () => ({ receiver, result: undefined }));
    assert.deepEqual(await receivers.get(HUB_ID), receiver);
    await place.site.meet(HUB_ID, HUB.publicKey);
    assert.equal((await place.site.hubs())[0]?.refusal, 'why');
    await Promise.all(
      Array.from({ length: 10 }, () =>
        receivers.change(HUB_ID, async (known) => {
          assert.ok(known !== undefined);
          const vector = new Map([[lane, (known.vector.get(lane) ?? 0) + 1]]);
          return { receiver: { ...known, vector }, result: undefined };
        }),
      ),
    );
    assert.equal((await receivers.get(HUB_ID))?.vector.get(lane), 16);
    const failing = receivers.change(HUB_ID, () => Promise.reject(new Error('for a test')));
    await assert.rejects(failing, /for a test/);
    await receivers.change(HUB_ID, async (known) => ({
      receiver: { ...(known ?? receiver), underway: undefined, refused: undefined },
      result: undefined,
    }));
    assert.equal((await receivers.get(HUB_ID))?.underway, undefined);
    assert.equal((await place.site.hubs())[0]?.refusal, undefined);
    await place.close();
  });
});
