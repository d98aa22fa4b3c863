/** What devices hand in, as it was first written, with floors and without. Never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { bytesOfHex, hexOf } from '../../src/base/bytes.ts';
import { encodeOpsMessage } from '../../src/client/outbox/ops-message.ts';
import { readOpsMessage } from '../../src/ingest/door/ops-message.ts';
import { laneOf } from '../../src/model/origin.ts';
import { DEVICE_A, patchOp } from '../support/made/ops.ts';

const kept = JSON.parse(readFileSync(join(import.meta.dirname, 'ops-1.json'), 'utf8')) as Readonly<
  Record<string, string>
>;

const ops = [patchOp({ state: 'open' }, { seq: 51 }), patchOp({ state: 'done' }, { seq: 52 })];
const floors = [
  { origin: DEVICE_A, class: 2, seq: 50 },
  { origin: DEVICE_A, class: 3, seq: 70_000 },
] as const;

const written = {
  ops: hexOf(encodeOpsMessage(ops, []) ?? new Uint8Array(0)),
  'ops with floors': hexOf(encodeOpsMessage(ops, floors) ?? new Uint8Array(0)),
};

test('what was written is what the code writes', () => {
  assert.deepEqual(written, kept);
});

test('what was written is read', () => {
  for (const hex of Object.values(kept)) {
    const read = readOpsMessage(bytesOfHex(hex) as Uint8Array);
    assert.equal(read.refused, undefined);
    assert.deepEqual(
      read.ops.map(({ op }) => op),
      ops.map(({ op }) => op),
    );
  }
  const { floors: told } = readOpsMessage(bytesOfHex(kept['ops with floors'] ?? '') as Uint8Array);
  assert.deepEqual(
    told,
    new Map([
      [laneOf(DEVICE_A, 2), 50],
      [laneOf(DEVICE_A, 3), 70_000],
    ]),
  );
});
