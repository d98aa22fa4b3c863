/** A device whose hub burned down, or is out of reach: its work goes on at another one, and what is still somewhere is found. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'vitest';

import { below } from '../../src/base/random.ts';
import { Outbox } from '../../src/client/outbox/outbox.ts';
import { SPARE_BYTES_MAX } from '../../src/client/outbox/spare-ops.ts';
import { encodePatch } from '../../src/merge/patch.ts';
import { RECORD } from '../../src/model/class.ts';
import { PATCH } from '../../src/model/op.ts';
import { laneOf } from '../../src/model/origin.ts';
import { encodeReceipt, readReceipt } from '../../src/protocol/receipt-message.ts';
import { MemoryStorage } from '../support/memory/memory-storage.ts';
import { PeerSite, type SimHub } from '../support/simulated/peer-site.ts';

const TURN_MS = 2_000;

/** A device with the real outbox, which hands in by hand. */
class Maker {
  readonly #site: PeerSite;
  #outbox!: Outbox;
  #made = 0;

  static async open(site: PeerSite, storage = new MemoryStorage()): Promise<Maker> {
    const maker = new Maker(site);
    maker.#outbox = await Outbox.open({
      storage,
      random: site.random,
      clock: site.clock,
      onChange: () => undefined,
      comesBack: () => true,
    });
    return maker;
  }

  constructor(site: PeerSite) {
    this.#site = site;
  }

  get lane(): ReturnType<typeof laneOf> {
    return laneOf(this.#outbox.origin, RECORD);
  }

  get pending(): number {
    return this.#outbox.pending;
  }

  async make(count: number, note = ''): Promise<void> {
    for (let i = 0; i < count; i++) {
      const body = encodePatch({ [`f${this.#made % 7}`]: this.#made, note });
      this.#outbox.add({ class: RECORD, kind: PATCH, key: `order/${this.#made % 50}`, body });
      this.#made += 1;
    }
    await this.#outbox.whenWritten();
  }

  /** A line to the hub, for so many turns; a receipt comes when all of its message is durable. */
  async visit(hub: SimHub, turns = 8): Promise<void> {
    const outbox = this.#outbox;
    outbox.newLine();
    outbox.met(hub.id);
    for (let turn = 0; turn < turns; turn++) {
      for (let message = outbox.message(); message !== undefined; message = outbox.message()) {
        const outcome = hub.door.acceptOps(message, { role: 'device', device: 'tablet' });
        hub.sync();
        const receipt = readReceipt(encodeReceipt(outcome));
        if (outbox.take(receipt, 'tablet').waits) break;
      }
      outbox.forget(() => true);
      for (const other of this.#site.hubs) if (other.isUp) other.sync();
      await this.#site.clock.advance(TURN_MS);
    }
  }
}

async function meet(site: PeerSite, turns = 30): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    for (const hub of site.hubs) if (hub.isUp) hub.sync();
    await site.clock.advance(TURN_MS);
  }
}

function seqsAt(hub: SimHub, lane: string): number[] {
  const own = hub.ops().filter(({ op }) => laneOf(op.origin, op.class) === lane);
  return own.map(({ op }) => op.seq).toSorted((a, b) => a - b);
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

let site: PeerSite;
let maker: Maker;

beforeEach(async () => {
  site = new PeerSite(5, 3);
  maker = await Maker.open(site);
});

describe('a device whose hub burned down before anybody met it', () => {
  test('brings the next hub all that it still has, and nobody lacks anything', async () => {
    await maker.make(50);
    await maker.visit(site.hub(0));
    assert.equal(maker.pending, 0);
    site.hub(0).kill();
    await maker.make(10);
    await maker.visit(site.hub(1));
    assert.equal(maker.pending, 0);
    assert.deepEqual(seqsAt(site.hub(1), maker.lane), range(1, 60));
    assert.deepEqual(site.hub(1).door.holes.list(), []);
  });

  test('does so without having anything new to say', async () => {
    await maker.make(50);
    await maker.visit(site.hub(0));
    site.hub(0).kill();
    await maker.visit(site.hub(1));
    assert.deepEqual(seqsAt(site.hub(1), maker.lane), range(1, 50));
  });

  test('goes on where it has let go of the oldest, and the hole is told on', async () => {
    const note = 'x'.repeat(4_000);
    const many = Math.ceil(SPARE_BYTES_MAX / note.length) + 20;
    await maker.make(many, note);
    await maker.visit(site.hub(0));
    site.hub(0).kill();
    await maker.make(10);
    await maker.visit(site.hub(1));
    assert.equal(maker.pending, 0);
    const lost = seqsAt(site.hub(1), maker.lane)[0] as number;
    assert.ok(lost > 20 && lost < 30, `from ${lost} on`);
    assert.deepEqual(seqsAt(site.hub(1), maker.lane), range(lost, many + 10));
    // A third hub takes it over, hole and all; and both still know after a kill.
    site.hub(2).dials(1);
    await meet(site);
    for (const hub of [site.hub(1), site.hub(2)]) {
      hub.kill();
      hub.start();
      const [hole, ...others] = hub.door.holes.open();
      assert.deepEqual([hole?.lane, hole?.from, hole?.to], [maker.lane, 1, lost - 1]);
      assert.deepEqual(others, []);
    }
    assert.equal(site.hub(2).digest(), site.hub(1).digest());
    assert.deepEqual(seqsAt(site.hub(2), maker.lane), range(lost, many + 10));

    // The first one was only out of reach: everybody gets all of it, and no hole is left.
    site.hub(0).start();
    site.hub(0).dials(1);
    await meet(site);
    for (const hub of site.hubs) {
      assert.deepEqual(seqsAt(hub, maker.lane), range(1, many + 10));
      assert.deepEqual(hub.door.holes.list(), []);
      assert.equal(hub.digest(), site.hub(0).digest());
    }
  });
});

describe('hubs that know each other', () => {
  test('level out by themselves what a device has handed in at one before it came to the other', async () => {
    site.hub(1).dials(0);
    await maker.make(20);
    await maker.visit(site.hub(0), 1);
    await maker.visit(site.hub(1), 4);
    for (const hub of [site.hub(0), site.hub(1)]) {
      assert.deepEqual(seqsAt(hub, maker.lane), range(1, 20));
      for (const { stamp } of hub.ops()) assert.equal(stamp.hub, site.hub(0).id, 'handed in once');
    }
  });
});

describe('a device that wanders between hubs that burn down and come back', () => {
  test.each([1, 2, 3])('loses nothing that a hub still has, seed %i', async (seed) => {
    site = new PeerSite(seed, 3);
    const { random } = site;
    for (const hub of site.hubs) hub.dials((hub.index + 1) % 3);
    maker = await Maker.open(site);
    for (let round = 0; round < 15; round++) {
      await maker.make(below(random, 30));
      const [a, b] = [below(random, 3), below(random, 3)];
      if (a !== b) site.setCut(a, b, below(random, 3) > 0);
      const victim = site.hub(below(random, 3));
      if (victim.isUp && below(random, 3) === 0) victim.kill();
      else if (!victim.isUp) victim.start();
      const hub = site.hub(below(random, 3));
      if (hub.isUp) await maker.visit(hub, 1 + below(random, 4));
    }
    for (const hub of site.hubs) if (!hub.isUp) hub.start();
    for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) site.setCut(a, b, false);
    await maker.visit(site.hub(0));
    await meet(site, 90);
    assert.equal(maker.pending, 0);
    const all = seqsAt(site.hub(0), maker.lane);
    assert.deepEqual(all, range(1, all.length), 'each op once, none missing');
    for (const hub of site.hubs) {
      assert.deepEqual(seqsAt(hub, maker.lane), all);
      assert.deepEqual(hub.door.holes.list(), []);
      assert.equal(hub.digest(), site.hub(0).digest());
    }
  });
});
