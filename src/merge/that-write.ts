/** Whether an op is the one that a record keeps by its name: a device that gave a number twice has made another one. */
import { bytesEqual } from '../base/bytes.ts';
import { compareHlc, effectiveHlc } from '../model/hlc.ts';
import type { Op } from '../model/op.ts';
import type { RecordWrite } from './record.ts';

export function isThatWrite(
  { key, write }: { readonly key: string; readonly write: RecordWrite },
  op: Op,
): boolean {
  const { order, kind, body, stamp } = write;
  if (key !== op.key || kind !== op.kind || !bytesEqual(body, op.body)) return false;
  return stamp === undefined || compareHlc(effectiveHlc(op.hlc, stamp.hlc), order.hlc) === 0;
}
