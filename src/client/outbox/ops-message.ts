/** `sync/<device>/ops`, as a device writes it (sync/PROTOCOL.md §2). */
import { CborWriter } from '../../codec/writer.ts';
import type { OpId } from '../../merge/op-id.ts';
import { bytesOfOrigin } from '../../model/origin.ts';

export const MESSAGE_OPS_MAX = 500;
const MESSAGE_BYTES_MAX = 256 * 1024;
const FLOORS_MAX = 64;

/** As many of the ops as one message takes, in this order; undefined where there are none. */
export function encodeOpsMessage(
  ops: readonly { readonly bytes: Uint8Array }[],
  floors: readonly OpId[],
): Uint8Array | undefined {
  let count = 0;
  let bytes = 0;
  for (const op of ops.slice(0, MESSAGE_OPS_MAX)) {
    bytes += op.bytes.length;
    if (count > 0 && bytes > MESSAGE_BYTES_MAX) break;
    count += 1;
  }
  if (count === 0) return undefined;
  const writer = new CborWriter(bytes + 16 + floors.length * 20);
  // Hubs of an earlier version read the plain array alone.
  if (floors.length > 0) writer.map(2).text('ops');
  writer.array(count);
  for (const op of ops.slice(0, count)) writer.raw(op.bytes);
  if (floors.length > 0) {
    writer.text('floors').array(Math.min(floors.length, FLOORS_MAX));
    for (const { origin, class: opClass, seq } of floors.slice(0, FLOORS_MAX)) {
      writer.array(3).bytes(bytesOfOrigin(origin)).uint(opClass).uint(seq);
    }
  }
  return writer.finish();
}
