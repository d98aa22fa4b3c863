/**
 * What a device has of a lane behind a gap: what a hub has lost, or another one has never handed over. A vector cannot say
 * it, so without it all of that would be sent with every pull, for as long as the gap is there. A device gets it with a page
 * in the place of where to go on (sync/PROTOCOL.md §4), and shows it when it comes again, to whichever hub; what it says
 * is used for nothing but choosing what it is sent.
 */
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import type { OpId } from '../merge/op-id.ts';
import { isOpClass } from '../model/class.ts';
import { bytesOfOrigin, type Lane, laneOf, originOfBytes, splitLane } from '../model/origin.ts';
import { isInRanges, joinRanges, type RangesByLane, type SeqRange } from '../model/seq-ranges.ts';
import { seqIn, type VersionVector } from '../model/version-vector.ts';

/** More of them cost each page more than the few ops that come once more. */
export const BEYOND_RANGES_MAX = 64;
const LIMITS = { depthMax: 3, itemsMax: 6 * BEYOND_RANGES_MAX + 2 };

/** Undefined where nothing is behind a gap. */
export function encodeBeyond(beyond: RangesByLane): Uint8Array | undefined {
  const told: [Lane, readonly SeqRange[]][] = [];
  let count = 0;
  for (const [lane, ranges] of [...beyond].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (ranges.length === 0 || count + ranges.length > BEYOND_RANGES_MAX) continue;
    told.push([lane, ranges]);
    count += ranges.length;
  }
  if (told.length === 0) return undefined;
  const writer = new CborWriter(64).array(1).array(3 * told.length);
  for (const [lane, ranges] of told) {
    const { origin, class: opClass } = splitLane(lane);
    writer
      .bytes(bytesOfOrigin(origin))
      .uint(opClass)
      .array(2 * ranges.length);
    for (const { from, to } of ranges) writer.uint(from).uint(to);
  }
  return writer.finish();
}

/** Undefined where it is something else, which costs the device what it has had already. */
export function readBeyond(bytes: Uint8Array): RangesByLane | undefined {
  try {
    const reader = new CborReader(bytes, 0, LIMITS);
    reader.expectArray(1);
    const beyond = new Map<Lane, SeqRange[]>();
    for (let left = reader.array(); left > 0; left -= 3) {
      const [origin, opClass, numbers] = [
        originOfBytes(reader.bytes()),
        reader.uint(),
        reader.array(),
      ];
      if (origin === undefined || !isOpClass(opClass) || numbers % 2 !== 0) return undefined;
      const ranges: SeqRange[] = [];
      for (let at = 0; at < numbers; at += 2) {
        ranges.push({ from: reader.uint(), to: reader.uint() });
      }
      if (ranges.some(({ from, to }) => from === 0 || from > to)) return undefined;
      beyond.set(laneOf(origin, opClass), joinRanges(ranges, []));
    }
    return reader.atEnd ? beyond : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** Whether a device has the op, by its vector and by what it has beyond it. */
export function isHeld(
  vector: VersionVector,
  beyond: RangesByLane,
  { origin, class: opClass, seq }: OpId,
): boolean {
  const lane = laneOf(origin, opClass);
  return seq <= seqIn(vector, lane) || isInRanges(beyond.get(lane) ?? [], seq);
}

/** What a device has of a lane, by its vector and by what it has beyond it. */
export function rangesHeld(vector: VersionVector, beyond: RangesByLane, lane: Lane): SeqRange[] {
  const known = seqIn(vector, lane);
  return joinRanges(known === 0 ? [] : [{ from: 1, to: known }], beyond.get(lane) ?? []);
}
