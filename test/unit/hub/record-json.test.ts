/** Ops of records as people read them. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { jsonOfEntry, numberOf } from '../../../src/hub/record-json.ts';
import { encodeCbor } from '../../../src/codec/writer.ts';
import { ASSET_FIELD } from '../../../src/merge/asset/asset-version.ts';
import { type BaseField, encodeHorizon } from '../../../src/merge/record/horizon.ts';
import { CONTROL } from '../../../src/model/op.ts';
import { laneOf } from '../../../src/model/origin.ts';
import { DEVICE_A } from '../../support/made/ops.ts';

const ORDER = {
  authority: 1,
  hlc: { ms: 1000, counter: 0 },
  origin: DEVICE_A,
  seq: 3,
  class: 2,
} as const;

test('a total is a number as long as none of its digits is lost, and a text beyond', () => {
  const most = 2n ** 53n - 1n;
  for (const total of [0n, most, -most]) assert.equal(numberOf(total), Number(total));
  assert.equal(numberOf(most + 2n), '9007199254740993');
  assert.equal(numberOf(-most - 2n), '-9007199254740993');
});

test('a horizon names the ops that it stands for and their fields; the asset is told elsewhere', () => {
  const lane = laneOf(DEVICE_A, 2);
  const field = (name: string, value: string): [string, BaseField] => [
    name,
    { order: ORDER, seen: undefined, value: encodeCbor(value) },
  ];
  const body = encodeHorizon({
    vector: new Map([[lane, 3]]),
    tombstone: undefined,
    fields: new Map([field(ASSET_FIELD, 'a version'), field('state', 'done')]),
    counters: new Map(),
  });
  const { standsFor, fields } = jsonOfEntry({ order: ORDER, kind: CONTROL, body, isUndone: false });
  assert.deepEqual(standsFor, { [lane]: 3 });
  assert.deepEqual(fields, { state: 'done' });
});
