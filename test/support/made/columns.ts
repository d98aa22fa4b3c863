/** Ops for the tests of the columns, and what must hold of every batch of them. */
import assert from 'node:assert/strict';

import { bytesEqual, utf8 } from '../../../src/base/bytes.ts';
import { finish } from '../../../src/base/steps.ts';
import {
  type ColumnLimits,
  type ColumnsOutcome,
  decodeColumnsInSlices,
} from '../../../src/batch/columns/decode-columns.ts';
import { ColumnEncoder } from '../../../src/batch/columns/encode-columns.ts';
import { CborWriter } from '../../../src/codec/writer.ts';
import { encodeOp, EVENT, type Op, type StampedOp, writeStamp } from '../../../src/model/op.ts';
import type { Origin } from '../../../src/model/origin.ts';

export const HUB = '1122334455667788' as Origin;
export const START_MS = 1_780_000_000_000;
export const WIDE_LIMITS = { opsMax: 20_000, bytesMax: 4 << 20 };

/** The hub's own event number `seq`, `seq` seconds after START_MS. */
export function eventOf(
  seq: number,
  body: string | Uint8Array,
  parts: Partial<Op> = {},
): StampedOp {
  const hlc = { ms: START_MS + seq * 1000, counter: 0 };
  const op: Op = {
    origin: HUB,
    class: 3,
    seq,
    hlc,
    clock: { quality: 'ntp', bootId: 0xb007_1d00, monotonicMs: 5000 + seq * 1000 },
    kind: EVENT,
    key: 'meters/1',
    body: typeof body === 'string' ? utf8(body) : body,
    ...parts,
  };
  const stamp = { hub: HUB, hlc: op.hlc, authority: 1, rosterEpoch: 0 };
  return { bytes: encodeOp(op), op, stamp };
}

/** One op a body, in one series. */
export function eventsOf(bodies: readonly (string | Uint8Array)[]): StampedOp[] {
  return bodies.map((body, index) => eventOf(index + 1, body));
}

/** The ops as a batch of rows holds them: their bytes and stamps. */
export function rowsOf(ops: readonly StampedOp[]): Uint8Array {
  const writer = new CborWriter().array(ops.length);
  for (const { bytes, stamp } of ops) writeStamp(writer.array(2).raw(bytes), stamp);
  return writer.finish();
}

/** All at once. */
export function encodeColumns(ops: readonly StampedOp[]): Uint8Array {
  const encoder = new ColumnEncoder();
  for (const op of ops) encoder.add(op);
  return finish(encoder.finish());
}

/** All at once. */
export function decodeColumns(bytes: Uint8Array, limits: ColumnLimits): ColumnsOutcome {
  return finish(decodeColumnsInSlices(bytes, limits));
}

/** Ops and stamps come back bit for bit, in their order; returns the columns. */
export function assertRoundTrip(ops: readonly StampedOp[]): Uint8Array {
  const bytes = encodeColumns(ops);
  const outcome = decodeColumns(bytes, WIDE_LIMITS);
  assert.ok(outcome.kind === 'ops', outcome.kind === 'malformed' ? outcome.reason : '');
  const isSame = bytesEqual(rowsOf(outcome.ops), rowsOf(ops));
  if (!isSame) assert.deepEqual(outcome.ops, ops);
  assert.ok(isSame);
  for (const { bytes: opBytes, op } of outcome.ops) assert.ok(bytesEqual(encodeOp(op), opBytes));
  return bytes;
}
