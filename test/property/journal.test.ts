/** Laws of the journal: whatever is done to it, in whatever order, it holds what a list would hold. */
import fc from 'fast-check';
import { test } from 'vitest';

import { Rig, SEALINGS } from '../fault/journal-rig.ts';

type Step =
  | {
      readonly do: 'append';
      readonly count: number;
      readonly bytes: number;
      readonly wait: boolean;
      readonly alike: boolean;
    }
  | { readonly do: 'release'; readonly part: number }
  | { readonly do: 'restart'; readonly how: 'close' | 'kill' | 'power-cut' }
  | { readonly do: 'pass'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      count: fc.integer({ min: 1, max: 20 }),
      bytes: fc.integer({ min: 1, max: 190 }),
      wait: fc.boolean(),
      alike: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('release' as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('restart' as const),
      how: fc.constantFrom('close', 'kill', 'power-cut'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.integer({ min: 0, max: 200 }),
    }),
  },
);

async function take(rig: Rig, each: Step): Promise<void> {
  switch (each.do) {
    case 'append':
      if (each.wait && each.alike) return rig.commitAlike(each.count, each.bytes);
      if (each.wait) return rig.commit(each.count, each.bytes);
      if (rig.journal.saturated) await rig.settle();
      if (each.alike) return rig.appendAlike(each.count, each.bytes);
      return rig.append(each.count, each.bytes);
    case 'release':
      return rig.release(Math.floor(each.part * rig.journal.durableLsn));
    case 'pass':
      return rig.settle(each.ms);
    case 'restart':
      if (each.how === 'close') await rig.close();
      else rig.end(each.how);
      await rig.open();
      return rig.check();
    default:
      return each satisfies never;
  }
}

test('appends, releases and restarts in any order keep every acknowledged entry', async () => {
  const life = fc.array(step, { minLength: 1, maxLength: 40 });
  const sealing = fc.constantFrom(...SEALINGS);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 1_000_000 }), sealing, life, async (seed, seal, steps) => {
      const rig = new Rig(seed, {}, seal);
      await rig.open();
      for (const each of steps) await take(rig, each);
      await rig.settle(50);
      await rig.checkUsable();
    }),
    { numRuns: 60 },
  );
});
