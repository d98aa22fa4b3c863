/** Version vectors on the wire: each origin once, with the seq of each of its classes. */
import { addTo } from '../base/groups.ts';
import { CborError, type CborReader } from '../codec/reader.ts';
import type { CborWriter } from '../codec/writer.ts';
import { isOpClass, type OpClass } from '../model/class.ts';
import {
  bytesOfOrigin,
  type Lane,
  laneOf,
  type Origin,
  originOfBytes,
  splitLane,
} from '../model/origin.ts';
import type { VersionVector } from '../model/version-vector.ts';
import { VECTOR_LANES_MAX } from './limits.ts';

export function writeVector(writer: CborWriter, vector: VersionVector): void {
  const lanesByOrigin = new Map<Origin, [OpClass, number][]>();
  for (const [lane, seq] of vector) {
    if (seq === 0) continue;
    const { origin, class: opClass } = splitLane(lane);
    addTo(lanesByOrigin, origin, [opClass, seq]);
  }
  writer.array(lanesByOrigin.size * 2);
  for (const [origin, lanes] of [...lanesByOrigin].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    writer.bytes(bytesOfOrigin(origin)).array(lanes.length * 2);
    for (const [opClass, seq] of lanes.toSorted(([a], [b]) => a - b)) {
      writer.uint(opClass).uint(seq);
    }
  }
}

/** Throws `CborError` where it is no vector; origins and classes ascend, so that there is one form. */
export function readVector(reader: CborReader): VersionVector {
  const start = reader.offset;
  const fail = (reason: string): never => {
    throw new CborError(reason, start);
  };
  const vector = new Map<Lane, number>();
  const count = reader.array();
  if (count % 2 !== 0 || count > 2 * VECTOR_LANES_MAX) fail('not a version vector');
  let previous = '';
  for (let i = 0; i < count; i += 2) {
    const origin = originOfBytes(reader.bytes()) ?? fail('origin is not 8 bytes');
    if (origin <= previous) fail('origins out of order');
    previous = origin;
    const numbers = reader.array();
    if (numbers === 0 || numbers % 2 !== 0) fail('not a version vector');
    let previousClass = -1;
    for (let at = 0; at < numbers; at += 2) {
      const opClass = reader.uint();
      const seq = reader.uint();
      if (!isOpClass(opClass) || opClass <= previousClass || seq === 0) fail('not a lane');
      previousClass = opClass;
      vector.set(laneOf(origin, opClass as OpClass), seq);
      if (vector.size > VECTOR_LANES_MAX) fail('too many lanes');
    }
  }
  return vector;
}
