/** Ops and stamps for tests, with defaults for what a test does not care about. */
import { utf8 } from '../../../src/base/bytes.ts';
import { encodePatch } from '../../../src/merge/patch.ts';
import type { CborValue } from '../../../src/codec/value.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { encodeOp, EVENT, type Op, PATCH, REMOVE, type StampedOp } from '../../../src/model/op.ts';
import type { Origin } from '../../../src/model/origin.ts';

export const HUB = '1111111111111111' as Origin;
export const DEVICE_A = 'aaaaaaaaaaaaaaaa' as Origin;
export const DEVICE_B = 'bbbbbbbbbbbbbbbb' as Origin;

export interface OpParts extends Partial<Op> {
  readonly authority?: number;
  readonly hub?: Origin;
  /** Milliseconds of both the op and its stamp. */
  readonly atMs?: number;
  readonly stampMs?: number;
}

export function stampedOp(parts: OpParts): StampedOp {
  const { authority = 1, hub = HUB, atMs = 1000, stampMs = atMs, ...rest } = parts;
  const op: Op = {
    origin: DEVICE_A,
    class: TELEMETRY,
    seq: 1,
    hlc: { ms: atMs, counter: 0 },
    clock: { quality: 'ntp', bootId: 7, monotonicMs: atMs },
    kind: EVENT,
    key: 'meters/1',
    body: utf8('21.5'),
    ...rest,
  };
  const stamp = { hub, hlc: { ms: stampMs, counter: 0 }, authority, rosterEpoch: 0 };
  return { bytes: encodeOp(op), op, stamp };
}

export function patchOp(
  fields: Readonly<Record<string, CborValue>>,
  parts: OpParts = {},
): StampedOp {
  return stampedOp({ kind: PATCH, class: 2, key: 'pump', body: encodePatch(fields), ...parts });
}

export function removeOp(parts: OpParts = {}): StampedOp {
  return stampedOp({ kind: REMOVE, class: 2, key: 'pump', body: new Uint8Array(0), ...parts });
}
