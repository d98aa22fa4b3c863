/** What lies behind a gap comes to a device once, however often it pulls; and what comes into the gap comes, too. */
import assert from 'node:assert/strict';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, it } from 'vitest';
import * as Y from 'yjs';

import { hexOf, utf8 } from '../../../src/base/bytes.ts';
import { laneOf, type Origin } from '../../../src/model/origin.ts';
import { DOC, type StampedOp } from '../../../src/model/op.ts';
import type { RangesByLane } from '../../../src/model/seq-ranges.ts';
import { BEYOND_RANGES_MAX, encodeBeyond, readBeyond } from '../../../src/protocol/beyond.ts';
import { DEVICE_A, DEVICE_B, patchOp, stampedOp } from '../../support/made/ops.ts';
import { PullingDevice, PullSite } from '../../support/simulated/pull-site.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const LANE = laneOf(DEVICE_A, 2);

let site: PullSite;

beforeEach(() => {
  site = new PullSite(tempDir());
});

afterEach(() => site.close());

function edit(seq: number, origin: Origin = DEVICE_A): StampedOp {
  return patchOp({ n: seq }, { origin, seq, key: `orders/${seq % 7}`, atMs: 1_000 + seq });
}

const edits = (from: number, to: number): StampedOp[] =>
  Array.from({ length: to - from + 1 }, (_, index) => edit(from + index));

function itemsSince(device: PullingDevice, pages: number): number {
  return device.pages.slice(pages).flatMap(({ items }) => items).length;
}

describe('a hub that lacks what lies at the beginning of a lane', () => {
  it('sends what lies behind it once, not with every pull', async () => {
    site.take(edits(9, 60));
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    assert.equal(itemsSince(device, 0), 52);
    assert.equal(device.replica.vector.size, 0, 'it is not told to have what is missing');
    for (let pull = 0; pull < 3; pull++) {
      const before = device.pages.length;
      device.open();
      await device.catchUp();
      assert.equal(itemsSince(device, before), 0);
    }
    // The same goes for what comes while it follows, and while it is away.
    site.take(edits(61, 70));
    await device.catchUp();
    let before = device.pages.length;
    device.open();
    await device.catchUp();
    assert.equal(itemsSince(device, before), 0);
    site.take(edits(71, 75));
    await device.catchUp();
    before = device.pages.length;
    site.take(edits(76, 80));
    device.open();
    await device.catchUp();
    assert.equal(itemsSince(device, before), 5);
    assert.equal(device.digest(), site.store.digest().digest);
  });

  it('sends what comes into the gap, to who follows and to who was away', async () => {
    site.take(edits(9, 20));
    const [near, away] = [new PullingDevice(site, 'near'), new PullingDevice(site, 'away')];
    for (const device of [near, away]) {
      device.open();
      await device.catchUp();
    }
    site.take([edit(5)]);
    await near.catchUp();
    const before = away.pages.length;
    away.open();
    await away.catchUp();
    // It followed meanwhile: what it has not said to have taken counts as sent.
    assert.ok(itemsSince(away, before) <= 1);
    site.take([...edits(1, 4), ...edits(6, 8)]);
    for (const device of [near, away]) {
      await device.catchUp();
      device.open();
      await device.catchUp();
      assert.equal(device.digest(), site.store.digest().digest);
      assert.equal(device.replica.vector.get(LANE), 20);
    }
  });

  it('gives a document anew where something of it came into the gap', async () => {
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on('update', (update) => updates.push(update));
    for (const word of ['pump ', 'leaks ', 'badly']) doc.getText('t').insert(0, word);
    const ops = updates.map((body, index) =>
      stampedOp({ kind: DOC, class: 2, key: 'notes/1', seq: index + 1, body, origin: DEVICE_A }),
    );
    site.take([ops[0] as StampedOp, ops[2] as StampedOp]);
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    let before = device.pages.length;
    device.open();
    await device.catchUp();
    assert.equal(itemsSince(device, before), 0);
    before = device.pages.length;
    site.take([ops[1] as StampedOp]);
    device.open();
    await device.catchUp();
    assert.equal(itemsSince(device, before), 1);
    assert.equal(device.digest(), site.store.digest().digest);
  });

  it('is believed by another hub, which has the rest', async () => {
    site.take(edits(9, 60));
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    const other = new PullSite(tempDir());
    other.take(edits(1, 62));
    const there = new PullingDevice(other, 'tablet');
    there.replica = device.replica;
    there.resume = device.resume;
    there.open();
    await there.catchUp();
    assert.equal(itemsSince(there, 0), 10);
    assert.equal(there.replica.vector.get(LANE), 62);
    assert.equal(there.digest(), other.store.digest().digest);
    other.close();
  });

  it('is lied to by a device that harms only itself', async () => {
    site.take(edits(9, 60));
    const [liar, honest] = [new PullingDevice(site, 'liar'), new PullingDevice(site, 'honest')];
    const resume = encodeBeyond(new Map([[LANE, [{ from: 2, to: 1_000_000 }]]]));
    liar.open(resume === undefined ? {} : { resume });
    honest.open();
    await liar.catchUp();
    await honest.catchUp();
    assert.equal(itemsSince(liar, 0), 0);
    assert.equal(honest.digest(), site.store.digest().digest);
  });
});

describe('a device with 33 origins that is one op behind', () => {
  it.each([
    { holes: 1, bytesMax: 600 },
    { holes: 33, bytesMax: 1_000 },
  ])('costs little, also where $holes of them have a hole', async ({ holes, bytesMax }) => {
    const origins = Array.from({ length: 33 }, (_, i) => (10 + i).toString(16).repeat(8) as Origin);
    site.take(
      origins.flatMap((origin, index) =>
        [1, 2, 3].map((n) => edit(index < holes ? n + 8 : n, origin)),
      ),
    );
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    site.take([edit(12, origins[0])]);
    device.bytesSent = 0;
    device.open();
    await site.settle();
    const received = site.sent.get('sync/tablet/delta') ?? [];
    const bytes = device.bytesSent + received.reduce((sum, { length }) => sum + length, 0);
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
    assert.ok(bytes < bytesMax, `${bytes} bytes`);
  });
});

/** What happens at two hubs and with a device that goes from one to the other. */
type Step =
  | { readonly kind: 'ops'; readonly hub: number; readonly at: number; readonly count: number }
  | { readonly kind: 'pull'; readonly hub: number; readonly taken: boolean }
  | { readonly kind: 'wait' };

const steps = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('ops' as const),
      hub: fc.nat(1),
      at: fc.integer({ min: 1, max: 40 }),
      count: fc.integer({ min: 1, max: 6 }),
    }),
    fc.record({ kind: fc.constant('pull' as const), hub: fc.nat(1), taken: fc.boolean() }),
    fc.record({ kind: fc.constant('wait' as const) }),
  ),
  { minLength: 5, maxLength: 30 },
);

async function live(history: readonly Step[]): Promise<void> {
  const sites = [new PullSite(tempDir()), new PullSite(tempDir())] as const;
  const had = [new Set<number>(), new Set<number>()] as const;
  let device = new PullingDevice(sites[0], 'tablet');
  let hub = 0;
  const goTo = (next: number): void => {
    const { replica, resume } = device;
    if (next !== hub) device = new PullingDevice(sites[next] as PullSite, 'tablet');
    device.replica = replica;
    device.resume = resume;
    hub = next;
    device.open();
  };
  const take = (at: number, ops: readonly number[]): void => {
    const fresh = ops.filter((seq) => !(had[at] as Set<number>).has(seq));
    for (const seq of fresh) (had[at] as Set<number>).add(seq);
    sites[at]?.take(fresh.map((seq) => edit(seq)));
  };
  for (const step of history) {
    if (step.kind === 'ops') {
      take(
        step.hub,
        Array.from({ length: step.count }, (_, index) => step.at + index),
      );
    } else if (step.kind === 'wait') await device.catchUp();
    else {
      goTo(step.hub);
      await sites[hub]?.settle();
      if (step.taken) device.receive();
      else {
        // The line breaks before its pages arrive.
        sites[hub]?.read('tablet');
        goTo(hub);
      }
    }
  }
  // Both hubs have all that either had; the device meets one of them.
  for (const at of [0, 1]) take(at, [...had[0], ...had[1]]);
  goTo(0);
  await device.catchUp();
  assert.equal(device.digest(), sites[0].store.digest().digest);
  const before = device.pages.length;
  goTo(1);
  await device.catchUp();
  assert.equal(itemsSince(device, before), 0, 'nothing twice');
  assert.equal(device.digest(), sites[1].store.digest().digest);
  for (const each of sites) each.close();
}

describe('whatever comes in whatever order', () => {
  it('a device lacks nothing in the end, and gets nothing twice', async () => {
    await fc.assert(fc.asyncProperty(steps, live), { numRuns: 15 });
  }, 60_000);
});

describe('the words for it', () => {
  it('are read as they were written, and nothing else is', () => {
    const beyond: RangesByLane = new Map([
      [LANE, [{ from: 9, to: 20 }]],
      [
        laneOf(DEVICE_B, 3),
        [
          { from: 3, to: 3 },
          { from: 300, to: 70_000 },
        ],
      ],
    ]);
    const bytes = encodeBeyond(beyond) as Uint8Array;
    assert.equal(
      hexOf(bytes),
      '818648aaaaaaaaaaaaaaaa0282091448bbbbbbbbbbbbbbbb038403031901 2c1a00011170'.replace(' ', ''),
    );
    assert.deepEqual(readBeyond(bytes), beyond);
    for (let end = 0; end < bytes.length; end++) {
      assert.equal(readBeyond(bytes.subarray(0, end)), undefined);
    }
    for (const junk of ['', 'junk', 'a longer text than that']) {
      assert.equal(readBeyond(utf8(junk)), undefined);
    }
    assert.equal(encodeBeyond(new Map()), undefined);
  });

  it('do not grow beyond their limit', () => {
    const many = Array.from({ length: 2 * BEYOND_RANGES_MAX }, (_, index) => {
      const origin = index.toString(16).padStart(16, '0') as Origin;
      return [laneOf(origin, 2), [{ from: 5, to: 9 }]] as const;
    });
    const bytes = encodeBeyond(new Map(many)) as Uint8Array;
    assert.equal(readBeyond(bytes)?.size, BEYOND_RANGES_MAX);
    assert.ok(bytes.length < 1_000);
  });
});
