/** Lives of a journal that the fault tests interrupt. */
import { Rig } from './journal-rig.ts';

export type Scenario = (rig: Rig) => Promise<void>;

/** How many operations, syncs or writes a scenario does when nothing goes wrong. */
export async function countOf(
  scenario: Scenario,
  what: 'operations' | 'syncs' | 'writes',
): Promise<number> {
  const rig = new Rig(1);
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
  for (let i = 0; i < 4; i++) await rig.commit(10);
  rig.release(rig.journal.durableLsn - 5);
  await rig.commit(30);
  await rig.settle(60);
}

/** Starts again and again with little in between, and a burst that outruns the preparation of segments. */
export async function shortLives(rig: Rig): Promise<void> {
  for (let life = 0; life < 4; life++) {
    await rig.open();
    await rig.commit(2, 100);
    if (life === 2) for (let i = 0; i < 4; i++) await rig.commit(25);
    if (life % 2 === 0) await rig.close();
    else rig.end('kill');
  }
}
