/** Devices with the whole SDK at a hub that lacks for good what a lost one had of their lanes. */
import assert from 'node:assert/strict';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { encodeLogEntry, readLogEntry } from '../../src/client/outbox/log-entry.ts';
import { RECORD } from '../../src/model/class.ts';
import { laneOf } from '../../src/model/origin.ts';
import { DEVICE_A } from '../support/made/ops.ts';
import { digestOfDevice } from '../support/hubs/devices.ts';
import { tempDir } from '../support/machine/temp-dir.ts';
import { MemoryStorage } from '../support/memory/memory-storage.ts';
import { DeviceWorld } from '../support/simulated/device-world.ts';

/** Ops that the lost hub had, and this device has no more. */
const LOST = 50;

let world: DeviceWorld;

beforeEach(() => {
  world = new DeviceWorld(tempDir(), 7);
  world.isRough = false;
});

afterEach(() => world.close());

/** Of a device whose 50 ops a hub has receipted that burned down, and which holds nothing any more. */
function storageAfterLoss(): MemoryStorage {
  const storage = new MemoryStorage();
  const lanes = new Map([[laneOf(DEVICE_A, RECORD), LOST]]);
  const hlc = { ms: 1_800_000_000_000, counter: 0 };
  storage.kept = [encodeLogEntry({ type: 'head', origin: DEVICE_A, hlc, lanes, receipted: lanes })];
  return storage;
}

function opsIn(storage: MemoryStorage): number {
  return storage.kept.filter((entry) => readLogEntry(entry).type === 'op').length;
}

test('a device lets go of what its hub has, though its lane has a hole there', async () => {
  const storage = storageAfterLoss();
  const device = await world.add('tablet', { storage });
  const note = 'x'.repeat(4_000);
  // A log is written anew when 1,000 entries are of no use.
  for (let n = 0; n < 1_100; n++) {
    device.record(`order/${n}`).set({ n, note });
    if (n % 100 === 99) await world.clock.advance(2_000);
  }
  await world.settle();
  assert.equal(device.status.pending, 0);
  expect(opsIn(storage)).toBeLessThan(200);
  world.fold();
  assert.equal(digestOfDevice(device), world.store.digest().digest);
});

test('records behind the hole reach other devices, once', async () => {
  const [maker, reader] = [
    await world.add('maker', { storage: storageAfterLoss() }),
    await world.add('reader'),
  ];
  for (let n = 0; n < 30; n++) maker.record(`order/${n}`).set({ n });
  await world.settle();
  assert.equal(reader.query().length, 30);
  // A device that comes back is not sent them again, not even after its process has died.
  for (let visit = 0; visit < 3; visit++) {
    const member = world.members.find(({ name }) => name === 'reader');
    assert.ok(member);
    await world.crash(member);
    const before = world.bytesTo('reader');
    await world.settle();
    expect(world.bytesTo('reader') - before).toBeLessThan(200);
    assert.equal(member.device.query().length, 30);
  }
});

test('histories do not grow for ever where somebody has said that the hole stays', async () => {
  const device = await world.add('tablet', { storage: storageAfterLoss() });
  const edits = async (): Promise<number> => {
    for (let n = 0; n < 40; n++) {
      device.record('order/1').set({ n });
      await world.clock.advance(500);
    }
    await world.settle();
    await world.clock.advance(10_000);
    world.fold();
    return world.store.records.history('order/1').length;
  };
  assert.ok((await edits()) >= 40, 'it may come back yet, and would count');
  const { holes } = world.door;
  assert.equal(
    holes.close(() => true, 0),
    LOST,
  );
  expect(await edits()).toBeLessThan(30);
  assert.equal(digestOfDevice(device), world.store.digest().digest);
});
