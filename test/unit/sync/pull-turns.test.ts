/** Devices that ask for much, beside those that ask for little. */
import assert from 'node:assert/strict';

import { afterEach, beforeEach, describe, it } from 'vitest';

import { encodePull } from '../../../src/protocol/pull-message.ts';
import type { OpId } from '../../../src/merge/op-id.ts';
import { type PullFrom, SESSIONS_PER_DEVICE_MAX } from '../../../src/sync/pull-door.ts';
import { RECORD } from '../../../src/model/class.ts';
import { EVERYTHING } from '../../../src/protocol/scope.ts';
import { HUB, patchOp, stampedOp } from '../../support/made/ops.ts';
import { PullingDevice, PullSite } from '../../support/simulated/pull-site.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

let site: PullSite;

beforeEach(() => {
  site = new PullSite(tempDir());
  site.take(
    Array.from({ length: 5_000 }, (_, index) =>
      patchOp({ n: index }, { seq: index + 1, key: `orders/${index}` }),
    ),
  );
});

afterEach(() => site.close());

describe('a device that opens pull after pull', () => {
  it('waits for itself: another one is served beside it, step by step', async () => {
    const [greedy, other] = [new PullingDevice(site, 'greedy'), new PullingDevice(site, 'other')];
    for (let i = 0; i < SESSIONS_PER_DEVICE_MAX; i++) greedy.open({ credit: 16 });
    other.open();
    await site.settle();
    const [welcome = NaN, page = NaN] = [...site.order.entries()].flatMap(([at, topic]) =>
      topic === 'sync/other/delta' ? [at] : [],
    );
    assert.equal(welcome, 1, 'beside the first of the greedy one');
    assert.ok(page <= SESSIONS_PER_DEVICE_MAX + 1, `${page - 1} messages of the greedy one before`);
  });

  it('keeps eight, the oldest goes and is told so: who is still there comes again', async () => {
    const wall = new PullingDevice(site, 'tablet');
    wall.open({ pull: 1 });
    await wall.catchUp();
    // A page that is loaded again and again leaves its pulls behind.
    for (let pull = 2; pull <= 9; pull++) new PullingDevice(site, 'tablet').open({ pull });
    assert.equal(site.door.size, 8);
    wall.receive();
    assert.match(wall.lapses[0]?.reason ?? '', /8 pulls/);
    assert.ok((wall.lapses[0]?.waitS ?? 0) > 0);
  });

  it('costs no more than the pulls that it may have: what it gave up was never begun', async () => {
    const device = new PullingDevice(site, 'greedy');
    for (let i = 0; i < 3_000; i++) device.open({ credit: 1 });
    const gone = 3_000 - SESSIONS_PER_DEVICE_MAX;
    assert.equal(
      site.order.length,
      gone,
      'in the turn of the message they are told so, and no more is done',
    );
    await site.settle();
    assert.equal(site.door.size, SESSIONS_PER_DEVICE_MAX);
    const welcomes = site.read('greedy').filter(({ kind }) => kind === 'welcome');
    assert.equal(welcomes.length, SESSIONS_PER_DEVICE_MAX);
    device.open();
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
  });

  it('may close one before its turn comes', async () => {
    const device = new PullingDevice(site, 'greedy');
    device.open();
    device.send(encodePull({ kind: 'close', pull: 1 }));
    await site.settle();
    assert.equal(site.door.size, 0);
    assert.deepEqual(site.order, []);
  });
});

describe('a device whose rights were widened', () => {
  it('gets what was there before, once, wherever it breaks off', async () => {
    let mayRead = false;
    const rights: OpId[] = [];
    const from = { role: 'technician', mayRead: () => mayRead, rights: () => rights } as const;
    const device = new PullingDevice(site, 'tablet', EVERYTHING, from);
    device.open();
    await device.catchUp();
    assert.equal(device.replica.recordKeys.length, 0);
    mayRead = true;
    device.open();
    await device.catchUp();
    assert.equal(device.replica.recordKeys.length, 0, 'its vector says that it has all of it');
    const note: OpId = { origin: HUB, class: RECORD, seq: 2 };
    rights.push(note);
    site.take([stampedOp({ ...note, key: 'hub/rights' })]);
    device.open();
    await device.catchUp();
    assert.equal(device.replica.recordKeys.length, 0, 'behind a gap it would be sent for ever');
    site.take([stampedOp({ ...note, seq: 1, key: 'hub/rights' })]);
    device.open({ credit: 1 });
    await site.settle();
    device.receive(false);
    device.open();
    await device.catchUp();
    assert.equal(device.replica.recordKeys.length, 5_000);
    assert.deepEqual(device.replica.vector, site.store.vector());
    const before = device.pages.length;
    device.open();
    await device.catchUp();
    assert.equal(device.pages.slice(before).flatMap(({ items }) => items).length, 0);
  });

  it('gets it also where it was on its way through the state for the first time', async () => {
    let mayRead = (key: string): boolean => key >= 'orders/2';
    const rights: OpId[] = [];
    const from: PullFrom = {
      role: 'technician',
      mayRead: (key) => mayRead(key),
      rights: () => rights,
    };
    const device = new PullingDevice(site, 'tablet', EVERYTHING, from);
    device.open({ credit: 1 });
    await site.settle();
    device.receive(false);
    assert.ok(device.resume !== undefined && device.replica.vector.size === 0);
    mayRead = () => true;
    const note: OpId = { origin: HUB, class: RECORD, seq: 1 };
    rights.push(note);
    site.take([stampedOp({ ...note, key: 'hub/rights' })]);
    device.open();
    await device.catchUp();
    assert.equal(device.replica.recordKeys.length, 5_000);
  });
});
