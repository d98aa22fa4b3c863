/**
 * A state that a hub has taken over from another one, because nobody has its ops one by one any more: which ops are in it.
 * The entry of the journal that ends it, behind the entries with its items (merge/state/state-entry.ts). From there on these ops
 * count as here: lanes go on behind them, and nobody asks for them again.
 *
 *   held-entry = ["held", manifest: bstr, [* held-lane]]       ; body of a local entry; the manifest is SNAPSHOT.md §2
 *   held-lane  = [origin, class, up-to: uint, [* from: uint, to: uint]]     ; ranges beyond a gap, ascending
 */
import { CborError, type CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { isOpClass } from './class.ts';
import { encodeLocalEntry, readTagged } from './entry.ts';
import { bytesOfOrigin, type Lane, laneOf, originOfBytes, splitLane } from './origin.ts';

export interface HeldLane {
  readonly lane: Lane;
  readonly upTo: number;
  /** Seqs `from` … `to`, ends included, behind gaps. */
  readonly beyond: readonly { readonly from: number; readonly to: number }[];
}

export interface Held {
  /** Of the state, as its hub has signed it. */
  readonly manifest: Uint8Array;
  readonly lanes: readonly HeldLane[];
}

const TAG = 'held';
const LIMITS = { depthMax: 5, itemsMax: 200_000 };

export function encodeHeldEntry({ manifest, lanes }: Held): Uint8Array {
  const writer = new CborWriter(manifest.length + 24 * lanes.length + 32);
  writer.array(3).text(TAG).bytes(manifest).array(lanes.length);
  for (const { lane, upTo, beyond } of lanes) {
    const { origin, class: opClass } = splitLane(lane);
    writer.array(4).bytes(bytesOfOrigin(origin)).uint(opClass).uint(upTo);
    writer.array(2 * beyond.length);
    for (const { from, to } of beyond) writer.uint(from).uint(to);
  }
  return encodeLocalEntry(writer.finish());
}

/** Reads the body of a local entry; undefined where it is something else. */
export function heldIn(body: Uint8Array): Held | undefined {
  return readTagged(body, { tag: TAG, items: 3, limits: LIMITS }, (reader) => {
    const manifest = reader.bytes();
    const lanes = Array.from({ length: reader.array() }, () => readLane(reader));
    return { manifest, lanes };
  });
}

/** The last seq of the lane that is in the state. */
export function lastOf({ upTo, beyond }: HeldLane): number {
  return beyond.at(-1)?.to ?? upTo;
}

/** What the state itself lacks in the midst of the lane. */
export function gapsOf({ upTo, beyond }: HeldLane): { from: number; to: number }[] {
  return beyond.map(({ from }, at) => ({
    from: (beyond[at - 1]?.to ?? upTo) + 1,
    to: from - 1,
  }));
}

function readLane(reader: CborReader): HeldLane {
  const start = reader.offset;
  reader.expectArray(4);
  const origin = originOfBytes(reader.bytes());
  const [opClass, upTo, numbers] = [reader.uint(), reader.uint(), reader.array()];
  if (origin === undefined || !isOpClass(opClass) || numbers % 2 !== 0) {
    throw new CborError('malformed lane', start);
  }
  const beyond = Array.from({ length: numbers / 2 }, () => {
    return { from: reader.uint(), to: reader.uint() };
  });
  let last = upTo;
  for (const { from, to } of beyond) {
    if (from <= last + 1 || to < from) throw new CborError('ranges out of order', start);
    last = to;
  }
  return { lane: laneOf(origin, opClass), upTo, beyond };
}
