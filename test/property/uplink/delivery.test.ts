/** Whatever the link does, the same ops end up on both sides, each once. */
import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import { ALARM, type OpClass } from '../../../src/model/class.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import { stampedOp } from '../../support/made/batches.ts';
import { MemoryStore } from '../../support/memory/memory-store.ts';
import { UplinkWorld } from '../../support/simulated/uplink-world.ts';

const anyTrouble = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  lossRatio: fc.double({ min: 0, max: 0.25, noNaN: true }),
  doubleRatio: fc.double({ min: 0, max: 0.25, noNaN: true }),
  jitterMs: fc.integer({ min: 0, max: 300 }),
  /** Bursts of ops, and what happens to the links after each. */
  bursts: fc.array(
    fc.record({
      class: fc.integer({ min: 0, max: 6 }) as fc.Arbitrary<OpClass>,
      ops: fc.integer({ min: 1, max: 120 }),
      thenMs: fc.integer({ min: 0, max: 20_000 }),
      cutHub: fc.boolean(),
      cutRegion: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6 },
  ),
});

function byKey([a]: [string, string], [b]: [string, string]): number {
  return a < b ? -1 : 1;
}

test('any loss, doubling, reordering and cutting ends with equal digests, each op once', async () => {
  await fc.assert(
    fc.asyncProperty(anyTrouble, async (trouble) => {
      const { lossRatio, doubleRatio, jitterMs } = trouble;
      const it = new UplinkWorld({ seed: trouble.seed, uplink: { replyMsMax: 5_000 } });
      Object.assign(it.hubLink.link, { lossRatio, doubleRatio, jitterMs });
      Object.assign(it.regionLink.link, { lossRatio, doubleRatio, jitterMs });
      await it.startRegion();
      it.startHub();
      const all: StampedOp[] = [];
      const seqs = new Map<OpClass, number>();
      for (const burst of trouble.bursts) {
        for (let i = 0; i < burst.ops; i++) {
          const seq = (seqs.get(burst.class) ?? 0) + 1;
          seqs.set(burst.class, seq);
          all.push(stampedOp(seq, { class: burst.class }));
        }
        it.journal.append(...all.slice(-burst.ops));
        await it.clock.advance(burst.thenMs);
        if (burst.cutHub) it.hubLink.cut();
        if (burst.cutRegion) it.regionLink.cut();
      }
      const good = { lossRatio: 0, doubleRatio: 0, jitterMs: 0 };
      Object.assign(it.hubLink.link, good);
      Object.assign(it.regionLink.link, good);
      // Class log opens no session: an alarm does, and takes a batch of it along.
      for (let round = 0; round < 20 && !(round > 0 && it.isDelivered); round++) {
        const seq = (seqs.get(ALARM) ?? 0) + 1;
        seqs.set(ALARM, seq);
        const alarm = stampedOp(seq, { class: ALARM });
        all.push(alarm);
        it.journal.append(alarm);
        await it.clock.advance(15 * 60_000);
      }
      assert.ok(it.isDelivered);
      const expected = new MemoryStore();
      expected.apply(
        all.map((stamped) => ({ lsn: 1, stamped })),
        1,
      );
      assert.deepEqual(
        it.store.ops,
        new Map([...it.store.ops.keys()].map((key) => [key, expected.ops.get(key)])),
      );
      assert.deepEqual(
        new Map([...it.store.ops].toSorted(byKey)),
        new Map([...expected.ops].toSorted(byKey)),
      );
      assert.deepEqual(await it.region?.site('demo')?.storage.digest(), expected.digest());
      assert.equal(it.uplink?.receiptedLsn, all.length);
      assert.equal(
        await it.region?.site('demo')?.storage.batches(),
        it.store.applies,
        'each batch is stored once',
      );
      await it.stop();
      assert.deepEqual(it.fatal, []);
    }),
    { numRuns: 25 },
  );
});
