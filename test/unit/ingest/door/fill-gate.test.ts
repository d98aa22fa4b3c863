/** A full journal refuses low classes first, and nobody longer than it is full. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { FillGate } from '../../../../src/ingest/door/fill-gate.ts';
import { ALARM, BULK, LOG, PREVIEW, TELEMETRY } from '../../../../src/model/class.ts';

test('space that was released counts at once, space that was filled after a share of the journal', () => {
  const bytesMax = 1 << 20;
  let fillRatio = 0.95;
  const gate = new FillGate({ stat: () => ({ fillRatio, bytesMax }) });
  assert.equal(gate.refusal(TELEMETRY)?.code, 'journal.full');
  assert.equal(gate.refusal(ALARM), undefined);
  fillRatio = 0.5;
  assert.equal(gate.refusal(TELEMETRY), undefined);
  fillRatio = 0.9;
  assert.equal(gate.refusal(BULK), undefined);
  gate.appended(bytesMax / 1024);
  assert.equal(gate.refusal(BULK)?.code, 'journal.full');
});

test('says which classes it refuses', () => {
  const at = (fillRatio: number): FillGate =>
    new FillGate({ stat: () => ({ fillRatio, bytesMax: 1 << 30 }) });
  assert.equal(at(0.84).fault, undefined);
  const { fault } = at(0.945);
  assert.equal(fault?.code, 'journal.full');
  assert.equal(fault.message, 'journal is 94 % full: refused are telemetry, preview, bulk, log');
});

test('in a small journal bulk leaves more of the room to those above it, unless it gives way anyway', () => {
  const taken = (mib: number, fillRatio: number, bulkGivesWay = false): number[] => {
    const gate = new FillGate({ stat: () => ({ fillRatio, bytesMax: mib << 20 }) }, bulkGivesWay);
    return ([TELEMETRY, PREVIEW, BULK, LOG] as const).filter(
      (it) => gate.refusal(it) === undefined,
    );
  };
  assert.deepEqual(taken(40, 0.59), [TELEMETRY, PREVIEW, BULK, LOG]);
  assert.deepEqual(taken(40, 0.61), [TELEMETRY, PREVIEW, LOG]);
  assert.deepEqual(taken(40, 0.61, true), [TELEMETRY, PREVIEW, BULK, LOG]);
  assert.deepEqual(taken(40, 0.86, true), [TELEMETRY, PREVIEW]);
  assert.deepEqual(taken(256, 0.74), [TELEMETRY, PREVIEW, BULK, LOG]);
  assert.deepEqual(taken(256, 0.76), [TELEMETRY, PREVIEW, LOG], '64 MiB are left');
  assert.deepEqual(taken(2_047, 0.84), [TELEMETRY, PREVIEW, BULK, LOG]);
});
