/** Hubs of a site through cuts, kills and floods: what one has accepted, all hold in the end, once. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { below } from '../../src/base/random.ts';
import { patchOp } from '../support/made/ops.ts';
import { PeerSite } from '../support/simulated/peer-site.ts';

const SEEDS = [1, 2, 3, 4, 5, 6];

/** Who dials whom. */
const SHAPES: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  line: [
    [1, 0],
    [2, 1],
    [3, 2],
  ],
  ring: [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 0],
  ],
  'everybody dials everybody': [
    [0, 1],
    [1, 0],
    [1, 2],
    [2, 1],
    [2, 3],
    [3, 2],
    [0, 3],
    [3, 0],
  ],
};

function siteOf(seed: number, shape: string): PeerSite {
  const site = new PeerSite(seed, 4);
  for (const [from, to] of SHAPES[shape] ?? []) site.hub(from).dials(to);
  return site;
}

/** Minutes of a bad day: publishes at every hub, lines that break and heal, hubs that are killed and come back. */
async function badDay(site: PeerSite, turns: number): Promise<void> {
  const { random } = site;
  for (let turn = 0; turn < turns; turn++) {
    for (const hub of site.hubs) {
      if (!hub.isUp) continue;
      for (let i = below(random, 4); i > 0; i--) {
        hub.publish(
          below(random, 10) === 0 ? 'alarms/a' : `m/${hub.index}/${below(random, 3)}`,
          `${turn}`,
        );
      }
      if (random.fraction() < 0.9) hub.sync();
    }
    const [a, b] = [below(random, 4), below(random, 4)];
    if (a !== b) site.setCut(a, b, random.fraction() < 0.4);
    const victim = site.hub(below(random, 4));
    if (random.fraction() < 0.1 && victim.isUp) victim.kill();
    else if (!victim.isUp) victim.start();
    await site.clock.advance(below(random, 3_000));
  }
}

async function heal(site: PeerSite): Promise<void> {
  for (const a of site.hubs) {
    for (const b of site.hubs) if (a !== b) site.setCut(a.index, b.index, false);
    if (!a.isUp) a.start();
  }
  for (let i = 0; i < 200; i++) {
    for (const hub of site.hubs) hub.sync();
    await site.clock.advance(5_000);
  }
}

describe.each(Object.keys(SHAPES))('hubs in the shape: %s', (shape) => {
  test.each(SEEDS)('all hold the same after a bad day, seed %i', async (seed) => {
    const site = siteOf(seed, shape);
    await badDay(site, 60);
    await heal(site);
    const neighbours = new Set((SHAPES[shape] ?? []).map((ends) => ends.toSorted().join()));
    const rows = site.hubs.flatMap((hub) => hub.book?.status() ?? []);
    assert.equal(rows.length, 2 * neighbours.size, 'each end shows the other once');
    const digests = new Set(site.hubs.map((hub) => hub.digest()));
    assert.equal(digests.size, 1);
    const first = site.hub(0).ops();
    assert.ok(first.length > 100, 'there was something to carry');
    for (const hub of site.hubs) {
      const names = hub.ops().map(({ op }) => `${op.origin}/${op.class}/${op.seq}`);
      assert.equal(new Set(names).size, names.length, 'each op once');
      assert.equal(names.length, first.length);
      for (const { op, stamp } of hub.ops()) assert.equal(stamp.hub, op.origin, 'stamps travel');
    }
  });

  test('when all is said, only signs of life travel', async () => {
    const site = siteOf(9, shape);
    await badDay(site, 20);
    await heal(site);
    site.messages = 0;
    await site.clock.advance(600_000);
    const pairs = new Set(SHAPES[shape]?.map(([a, b]) => [a, b].toSorted((x, y) => x - y).join()));
    assert.ok(site.messages <= pairs.size * 4 * 11, `${site.messages} messages in ten minutes`);
  });
});

test('a burst crosses a line in pages, one under way at a time', async () => {
  const site = siteOf(1, 'line');
  for (let i = 0; i < 3_000; i++) site.hub(0).publish(`m/${i % 50}`, `${i}`);
  site.hub(0).sync();
  await heal(site);
  assert.equal(site.hub(3).ops().length, 3_000);
  assert.ok(site.messages < 400, `${site.messages} messages`);
});

test('what is here already, and on its way to the card, is confirmed when it is there', async () => {
  const site = new PeerSite(1, 2);
  const [there, here] = [site.hub(0), site.hub(1)];
  here.dials(0);
  await site.clock.advance(1_000);
  const state = (): string | undefined => there.book?.status()[0]?.state;
  assert.equal(state(), 'synced');
  for (const hub of [there, here]) {
    hub.accept([patchOp({ a: 1 }, { seq: 1 }).op], { role: 'device', device: 'tablet' });
  }
  there.sync();
  await site.clock.advance(10_000);
  assert.equal(here.ops().length, 0, 'its card is slow');
  assert.equal(state(), 'syncing');
  here.sync();
  await site.clock.advance(1_000);
  assert.equal(state(), 'synced');
});

test('ops that both have taken meanwhile are levelled out a page at a time, not one by one', async () => {
  const site = new PeerSite(1, 2);
  const [a, b] = [site.hub(0), site.hub(1)];
  b.dials(0);
  await site.clock.advance(1_000);
  site.messages = 0;
  const ops = Array.from({ length: 400 }, (_, index) => patchOp({ n: 1 }, { seq: index + 1 }).op);
  a.accept(ops, { role: 'device', device: 'tablet' });
  b.accept(ops, { role: 'operator', device: 'tablet' });
  for (let i = 0; i < 20; i++) {
    for (const hub of site.hubs) hub.sync();
    await site.clock.advance(500);
  }
  assert.equal(a.digest(), b.digest());
  assert.ok(site.messages < 40, `${site.messages} messages`);
});

describe('acknowledged entries that a card has lost', () => {
  test('come back from a hub that has them, and reach those who never had them', async () => {
    const site = siteOf(3, 'line');
    site.setCut(0, 1, true);
    for (let i = 1; i <= 20; i++) site.hub(1).publish('m/1', `${i}`);
    site.hub(1).sync();
    for (let i = 0; i < 12; i++) {
      for (const hub of site.hubs) hub.sync();
      await site.clock.advance(5_000);
    }
    assert.equal(site.hub(3).ops().length, 20);
    // Hub 1 loses five of its own, and hub 0 meets it before those who have them do.
    site.setCut(1, 2, true);
    site.hub(1).kill();
    site.hub(1).damage(6, 10);
    site.hub(1).start();
    site.setCut(0, 1, false);
    for (let i = 0; i < 12; i++) {
      for (const hub of site.hubs) hub.sync();
      await site.clock.advance(5_000);
    }
    assert.equal(site.hub(0).ops().length, 15, 'all that hub 1 still has');
    await heal(site);
    for (const hub of site.hubs) assert.equal(hub.ops().length, 20);
    assert.equal(new Set(site.hubs.map((hub) => hub.digest())).size, 1);
  });
});
