/** Links that hardly deserve the name: one that fails every three seconds, a broker that is started anew, a long silence. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { stampedOps } from '../../../support/made/batches.ts';
import { UplinkWorld } from '../../../support/simulated/uplink-world.ts';

async function world(): Promise<UplinkWorld> {
  const made = new UplinkWorld();
  await made.startRegion();
  made.startHub();
  return made;
}

test('a link that fails every three seconds makes progress, however slow it is', async () => {
  const it = await world();
  // A round trip of half a second: half of each three are gone before the first chunk goes.
  it.hubLink.link.delayMs = 250;
  let cuts = 0;
  const stop = it.clock.every(3_000, () => {
    cuts += 1;
    it.hubLink.cut();
  });
  it.journal.append(...stampedOps(1, 4_000));
  await it.deliver(3_600_000);
  stop();
  assert.equal(it.store.ops.size, 4_000);
  assert.ok(cuts > 3, `${cuts} cuts`);
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('a broker that is started anew, again and again, loses nothing and doubles nothing', async () => {
  const it = await world();
  for (let round = 0; round < 6; round++) {
    it.journal.append(...stampedOps(round * 100 + 1, round * 100 + 100));
    await it.clock.advance(300 + 170 * round);
    // Both sides lose their sessions at once, in the middle of whatever is going on.
    it.hubLink.cut();
    it.regionLink.cut();
    await it.clock.advance(2_000);
  }
  await it.deliver();
  assert.equal(it.store.ops.size, 600);
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('a region that is away for days costs few attempts, and gets everything when it is back', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 50));
  await it.deliver();
  await it.until(it.region?.close() ?? Promise.resolve());
  it.region = undefined;
  it.journal.append(...stampedOps(51, 300));
  const before = it.syncLines.filter(({ event }) => event === 'session.open').length;
  await it.clock.advance(3 * 86_400_000);
  const attempts = it.syncLines.filter(({ event }) => event === 'session.open').length - before;
  // A quarter of an hour apart at most, so four an hour and a few to begin with.
  assert.ok(attempts < 3 * 24 * 5 + 20, `${attempts} attempts`);
  await it.startRegion();
  await it.deliver();
  assert.equal(it.store.ops.size, 300);
  await it.stop();
  assert.deepEqual(it.fatal, []);
});
