/** A history of devices that come and go, and what has to hold at its end. */
import assert from 'node:assert/strict';

import { below } from '../../../src/base/random.ts';
import type { Device } from '../../../src/client/device.ts';
import { messageOf } from '../../../src/base/errors.ts';
import { decodeEntry } from '../../../src/model/entry.ts';
import { DeviceWorld } from './device-world.ts';
import { digestOfDevice } from '../hubs/devices.ts';

export interface HistoryOptions {
  readonly dir: string;
  readonly seed: number;
  readonly devices: number;
  /** Ops, and what happens to devices and hub. */
  readonly steps: number;
  /** So many ops a device makes in one go, at most; 1 by default. */
  readonly burst?: number;
  /** Whose links are cut stays out of reach for so long, at most. */
  readonly awayMsMax?: number;
}

/** Lives through it; fails where devices and hub differ, an op was lost, or one counts twice. How many there were. */
export async function liveThrough(
  options: HistoryOptions,
): Promise<{ readonly ops: number; readonly cuts: number }> {
  const { dir, seed, devices, steps, burst = 1, awayMsMax } = options;
  const world = new DeviceWorld(dir, seed);
  const { random } = world;
  for (let i = 0; i < devices; i++) await world.add(`d${i}`);
  /** Ops that were kept on their device: whatever comes, the hub has each once in the end. */
  const kept = new Set<string>();
  for (let step = 0; step < steps;) {
    const member = world.members[below(random, devices)];
    assert.ok(member);
    const dice = below(random, 100);
    if (dice < 3) await world.crash(member);
    else if (dice < 6) {
      world.cut(member.name);
      if (awayMsMax !== undefined) world.stayAway(member.name, below(random, awayMsMax));
    } else if (dice === 6) world.restartHub();
    else {
      const count = burst === 1 ? 1 : 1 + below(random, burst);
      const ids = Array.from({ length: count }, (_, at) =>
        makeSomething(member.device, step + at, (limit) => below(random, limit)),
      );
      await member.device.whenKept();
      for (const id of ids) kept.add(id);
      step += count - 1;
    }
    step += 1;
    await world.clock.advance(below(random, 200));
  }
  await world.settle();
  world.fold();
  const { digest } = world.store.digest();
  for (const { device, name } of world.members) {
    assert.equal(digestOfDevice(device), digest, `${name} differs, seed ${seed}`);
  }
  const journaled = world.journal.entries.flatMap((bytes) => {
    const entry = decodeEntry(bytes);
    if (entry.type !== 'op') return [];
    const { origin, class: opClass, seq } = entry.stamped.op;
    return [`${origin}/${opClass}/${seq}`];
  });
  const came = new Set(journaled);
  assert.equal(came.size, journaled.length, `an op came twice, seed ${seed}`);
  const lost = [...kept].filter((id) => !came.has(id));
  assert.deepEqual(lost, [], `lost, seed ${seed}`);
  assert.ok(world.cuts > 0);
  await world.close();
  return { ops: kept.size, cuts: world.cuts };
}

function makeSomething(device: Device, step: number, dice: (limit: number) => number): string {
  const key = `orders/${dice(6)}`;
  switch (dice(8)) {
    case 0:
      return device.event(`meters/${dice(3)}`, `${step}`).id;
    case 1:
      return device.counter(key, 'n').add(dice(9) - 4).id;
    case 2:
      return device.record(key).remove().id;
    case 3: {
      const own = device.history(key).find(({ isOwn, isUndone }) => isOwn && !isUndone);
      const undone = own === undefined ? undefined : undo(device, key, own.id);
      if (undone !== undefined) return undone;
      break;
    }
    default:
  }
  return device.record(key).set({ [`f${dice(3)}`]: step }).id;
}

/** Undefined where a horizon has taken the op in the meantime. */
function undo(device: Device, key: string, id: string): string | undefined {
  try {
    return device.undo(key, id, true).id;
  } catch (error) {
    assert.match(messageOf(error), /before the horizon/);
    return undefined;
  }
}
