/**
 * Messages between devices and hub that are nearly right, in the midst of real work: nothing throws, who is honest has no
 * less of it, and what piles up stays bounded.
 */
import assert from 'node:assert/strict';

import { describe, test } from 'vitest';

import { below } from '../../src/base/random.ts';
import { decodeEntry } from '../../src/model/entry.ts';
import { RECORD } from '../../src/model/class.ts';
import { digestOfDevice } from '../support/hubs/devices.ts';
import { tempDir } from '../support/machine/temp-dir.ts';
import { mutated, withOddValue } from '../support/made/mutations.ts';
import { DeviceWorld } from '../support/simulated/device-world.ts';

const ROUNDS = 60;
/** Bytes that are changed, and values. */
const SPOILED = { bytes: mutated, values: withOddValue } as const;
const CASES = [
  ['bytes', 1],
  ['bytes', 2],
  ['bytes', 3],
  ['values', 14],
  ['values', 16],
  ['values', 22],
] as const;

/** Two honest devices and a third work for a while; what the third sends or gets is spoiled every other time. */
async function work(
  world: DeviceWorld,
  way: 'up' | 'down',
  what: keyof typeof SPOILED,
): Promise<Map<string, Set<string>>> {
  const { random } = world;
  world.isRough = false;
  const made = new Map<string, Set<string>>();
  for (const name of ['ann', 'ben', 'mallory']) {
    await world.add(name);
    made.set(name, new Set());
  }
  world.tamper = (name, payload, it) =>
    name === 'mallory' && it === way && below(random, 2) === 0
      ? SPOILED[what](payload, random)
      : payload;
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, device } of world.members) {
      const op = device
        .record(`order/${below(random, 12)}`)
        .set({ [`f${below(random, 3)}`]: round });
      made.get(name)?.add(op.id);
      if (below(random, 4) === 0) made.get(name)?.add(device.event(`m/${name}`, `${round}`).id);
      if (below(random, 10) === 0) world.cut(name);
      device.wake();
    }
    await world.clock.advance(200 + below(random, 2_000));
  }
  return made;
}

function journaled(world: DeviceWorld): string[] {
  return world.journal.entries.flatMap((bytes) => {
    const entry = decodeEntry(bytes);
    if (entry.type !== 'op') return [];
    const { origin, class: opClass, seq } = entry.stamped.op;
    return [`${origin}/${opClass}/${seq}`];
  });
}

describe('messages that are nearly right', () => {
  test.each(CASES)('take nothing from others, and end no hub: %s, seed %i', async (what, seed) => {
    const world = new DeviceWorld(tempDir(), seed);
    const made = await work(world, 'up', what);
    world.tamper = (_, payload) => payload;
    await world.settle();
    world.fold();
    const { digest } = world.store.digest();
    const had = journaled(world);
    assert.equal(new Set(had).size, had.length, 'each op once');
    for (const { name, device } of world.members.slice(0, 2)) {
      assert.equal(device.status.pending, 0);
      assert.equal(digestOfDevice(device), digest, `${name}, seed ${seed}`);
      for (const id of made.get(name) ?? []) assert.ok(had.includes(id), `${name} lost ${id}`);
    }
    // What it could make the hub remember: a few holes and lanes of its own.
    assert.ok(world.door.holes.told.length <= 16);
    assert.ok(world.door.vector().size <= 64, `${world.door.vector().size} lanes`);
    await world.close();
  });

  test.each(CASES)(
    'that come to a device end nothing but its line: %s, seed %i',
    async (what, seed) => {
      const world = new DeviceWorld(tempDir(), seed);
      const made = await work(world, 'down', what);
      world.tamper = (_, payload) => payload;
      await world.settle();
      const mallory = world.members[2]?.device;
      assert.equal(mallory?.status.contact, 'live');
      // It works on: what it makes now arrives, once.
      const { op, id } = mallory.record('order/last').set({ at: 'end' });
      await world.settle();
      assert.equal(op.class, RECORD);
      const had = journaled(world);
      assert.equal(new Set(had).size, had.length, 'each op once');
      assert.ok(
        had.includes(id) || mallory.status.pending > 0,
        'not told to be there without being',
      );
      for (const name of ['ann', 'ben']) {
        for (const each of made.get(name) ?? [])
          assert.ok(had.includes(each), `${name} lost ${each}`);
      }
      await world.close();
    },
  );
});
