/** Ops for the tests of the columns, and what must hold of every batch of them. */
import assert from 'node:assert/strict';

import { utf8 } from '../../src/base/bytes.ts';
import { decodeColumns } from '../../src/batch/columns/decode-columns.ts';
import { encodeColumns } from '../../src/batch/columns/encode-columns.ts';
import { EVENT, type Op, type StampedOp } from '../../src/model/op.ts';
import { encodeOp } from '../../src/model/op.ts';
import type { Origin } from '../../src/model/origin.ts';

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

/** Ops and stamps come back bit for bit, in their order; returns the columns. */
export function assertRoundTrip(ops: readonly StampedOp[]): Uint8Array {
  const bytes = encodeColumns(ops);
  const outcome = decodeColumns(bytes, WIDE_LIMITS);
  assert.equal(outcome.kind, 'ops', outcome.kind === 'malformed' ? outcome.reason : '');
  if (outcome.kind !== 'ops') return bytes;
  assert.equal(outcome.ops.length, ops.length);
  for (const [index, op] of ops.entries()) {
    const read: StampedOp | undefined = outcome.ops[index];
    assert.deepEqual(read?.bytes, op.bytes, `op ${index}`);
    assert.deepEqual(read.op, op.op, `op ${index}`);
    assert.deepEqual(read.stamp, op.stamp, `stamp of op ${index}`);
  }
  return bytes;
}
