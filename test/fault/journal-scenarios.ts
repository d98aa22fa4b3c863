/** Lives of a journal that the fault tests interrupt. */
import assert from 'node:assert/strict';

import { below } from '../../src/base/random.ts';
import { Rig, type Sealing } from './journal-rig.ts';

export type Scenario = (rig: Rig) => Promise<void>;

/** How many operations, syncs or writes a scenario does when nothing goes wrong. */
export async function countOf(
  scenario: Scenario,
  what: 'operations' | 'syncs' | 'writes',
  sealing: Sealing,
): Promise<number> {
  const rig = new Rig(1, {}, sealing);
  await scenario(rig);
  return rig.files[what];
}

/** Appends through two rotations, releases, recycles, closes, opens, goes on. */
export async function longLife(rig: Rig): Promise<void> {
  await rig.open();
  await rig.commit(1);
  await rig.settle(100); // The next segment is filled and named.
  for (let i = 0; i < 6; i++) {
    await rig.commit(8);
    rig.append(1);
    await rig.settle();
    await rig.settle(60);
  }
  rig.release(rig.journal.durableLsn);
  await rig.settle(60);
  await rig.commit(10);
  await rig.close();
  await rig.open();
  for (let i = 0; i < 4; i++) {
    await rig.commit(10);
    await rig.commitAlike(10);
  }
  rig.release(rig.journal.durableLsn - 5);
  await rig.commit(30);
  await rig.settle(60);
}

/** Starts again and again with little in between, and a burst that outruns the preparation of segments. */
export async function shortLives(rig: Rig): Promise<void> {
  for (let life = 0; life < 4; life++) {
    await rig.open();
    await rig.commit(2, 100);
    await rig.commitAlike(8);
    if (life === 2) for (let i = 0; i < 4; i++) await rig.commit(25);
    if (life % 2 === 0) await rig.close();
    else rig.end('kill');
  }
}

/**
 * Runs the scenario once for each of its operations and each seed, lets the machine die right after the operation,
 * once more while it recovers, and checks what the third life finds. Even seeds kill the process, odd ones cut the power.
 */
export async function crashAfterEveryOperation(
  scenario: Scenario,
  seeds: readonly number[],
  sealing: Sealing,
): Promise<void> {
  const operations = await countOf(scenario, 'operations', sealing);
  assert.ok(operations > 50, `${operations} operations are a scenario`);
  for (let at = 1; at <= operations; at++) {
    for (const seed of seeds) {
      const rig = new Rig(seed, {}, sealing);
      rig.files.faults.crashAfter = at;
      await rig.crashes(scenario);
      rig.end(seed % 2 === 0 ? 'kill' : 'power-cut');
      rig.files.faults.crashAfter = rig.files.operations + 1 + below(rig.random, 8);
      const crashedAgain = await rig.crashes(async () => {
        await rig.open();
        await rig.settle(20);
      });
      if (crashedAgain || seed % 2 === 0) rig.end('power-cut');
      else await rig.close();
      rig.files.faults.crashAfter = undefined;
      await rig.open();
      await rig.checkUsable();
    }
  }
}
