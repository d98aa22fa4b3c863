import assert from 'node:assert/strict';

import * as fc from 'fast-check';
import { describe, it } from 'vitest';

import { HLC_ZERO } from '../../../../../src/model/hlc.ts';
import { PATCH } from '../../../../../src/model/op.ts';
import type { OpClass } from '../../../../../src/model/class.ts';
import { machineFiles } from '../../../../../src/platform/files/machine-files.ts';
import { SqliteFile } from '../../../../../src/store/database/sqlite.ts';
import { migrate } from '../../../../../src/store/database/schema.ts';
import { OpPlaces } from '../../../../../src/store/records/writes/op-places.ts';
import { DEVICE_A, DEVICE_B, HUB } from '../../../../support/made/ops.ts';
import { storeOptions } from '../../../../support/memory/stores.ts';
import { tempDir } from '../../../../support/machine/temp-dir.ts';

const ORIGINS = [DEVICE_A, DEVICE_B] as const;
const CLASSES: readonly OpClass[] = [1, 2];
const op = fc.record({
  origin: fc.constantFrom(...ORIGINS),
  class: fc.constantFrom(...CLASSES),
  seq: fc.integer({ min: 1, max: 200 }),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), op, keyId: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), op, keyId: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'forget' as const }) },
);

describe('places of ops', () => {
  it('are found by name, by lane and by origin, written or not', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { path } = storeOptions(tempDir());
        const db = SqliteFile.open({ path, files: machineFiles, durability: 'replayable' });
        migrate(db);
        db.begin();
        const places = new OpPlaces(db);
        const model = new Map<string, number>();
        for (const each of steps) {
          if (each.do === 'flush' || each.do === 'forget') places.flush();
          if (each.do === 'forget') places.clear();
          if (each.do !== 'put' && each.do !== 'drop') continue;
          const name = `${each.op.origin}/${each.op.class}/${each.op.seq}`;
          const keyId = each.keyId + 1;
          if (each.do === 'put') {
            const order = { authority: 2, hlc: { ms: each.op.seq, counter: 1 }, ...each.op };
            const stamp = keyId % 2 === 0 ? undefined : { hub: HUB, hlc: HLC_ZERO };
            places.put(keyId, { order, kind: PATCH, body: new Uint8Array(0), stamp });
            model.set(name, keyId);
          } else {
            places.drop(keyId, each.op);
            if (model.get(name) === keyId) model.delete(name);
          }
        }
        for (const origin of ORIGINS) {
          const walked: string[] = [];
          for (const { keyId, order, stamp } of places.ofOrigin(origin, 1)) {
            walked.push(`${order.origin}/${order.class}/${order.seq}`);
            assert.equal(keyId, model.get(walked.at(-1) ?? ''));
            assert.deepEqual([order.authority, order.hlc], [2, { ms: order.seq, counter: 1 }]);
            assert.deepEqual(stamp?.hub, keyId % 2 === 0 ? undefined : HUB);
          }
          const sorted = [...model.keys()]
            .filter((name) => name.startsWith(origin))
            .map((name) => name.split('/').map(Number))
            .toSorted(([, aClass = 0, a = 0], [, bClass = 0, b = 0]) => a - b || aClass - bClass)
            .map(([, opClass, seq]) => `${origin}/${opClass}/${seq}`);
          assert.deepEqual(walked, sorted);
          for (const opClass of CLASSES) {
            const inLane = [...places.inLane(origin, opClass, 60, 130)].map(
              ({ order }) => order.seq,
            );
            const expected = Array.from({ length: 71 }, (_, i) => 60 + i).filter((seq) =>
              model.has(`${origin}/${opClass}/${seq}`),
            );
            assert.deepEqual(inLane, expected);
          }
        }
        db.abandon();
      }),
      { numRuns: 25 },
    );
  });
});
