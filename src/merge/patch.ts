/**
 * Bodies of the ops on records (WIRE.cddl `patch-body`, `add-body`, `undo-body`). Values are kept as the CBOR they
 * came in. A body that breaks the rules is refused at the door, and has no effect anywhere should it get past one.
 */
import { compareBytes, isLongerThan } from '../base/bytes.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import type { CborLimits, CborValue } from '../codec/value.ts';
import { CborWriter, encodeCbor } from '../codec/writer.ts';
import { type OpId, readOpId, writeOpId } from './op-id.ts';

export const PATCH_FIELDS_MAX = 64;
export const FIELD_NAME_BYTES_MAX = 256;
export const SEEN_MAX = 16;
export const UNDO_TARGETS_MAX = 256;
/** Lists and maps of a value that lie in one another. */
export const VALUE_DEPTH_MAX = 8;
const LIMITS: CborLimits = { depthMax: VALUE_DEPTH_MAX, itemsMax: 10_000 };
const MAP_MAJOR = 5;

/** Field → its value as one canonical CBOR item. */
type PatchFields = ReadonlyMap<string, Uint8Array>;
/** Field → the writes of it that the writer had before its eyes; none where the field was empty. */
export type Seen = ReadonlyMap<string, readonly OpId[]>;

export interface Patch {
  readonly fields: PatchFields;
  /** What the writer told of what it had seen; a field that is absent was written blindly. */
  readonly seen: Seen;
}

const NOTHING_SEEN: Seen = new Map();

/** The patch, aliasing `body`, or undefined where it is not a patch body. */
export function readPatch(body: Uint8Array): Patch | undefined {
  return guarded(body, (reader) => {
    if ((body[0] as number) >> 5 === MAP_MAJOR) {
      return { fields: readFields(reader, body), seen: NOTHING_SEEN };
    }
    reader.expectArray(2);
    const fields = readFields(reader, body);
    const seen = readNamed(reader, body, () => readOpIds(reader, 0, SEEN_MAX));
    for (const field of seen.keys()) if (!fields.has(field)) fail('seen, not written', reader);
    return { fields, seen };
  });
}

/** What is added to each counter, or undefined where it is not an add body. */
export function readAdd(body: Uint8Array): ReadonlyMap<string, bigint> | undefined {
  return guarded(body, (reader) => readNamed(reader, body, () => BigInt(reader.int())));
}

/** The ops to be undone, or undefined where it is not an undo body. */
export function readUndo(body: Uint8Array): readonly OpId[] | undefined {
  return guarded(body, (reader) => readOpIds(reader, 1, UNDO_TARGETS_MAX));
}

/** Body of a patch that sets `fields`, with what its writer had seen where that is known. */
export function encodePatch(
  fields: Readonly<Record<string, CborValue>>,
  seen?: Readonly<Record<string, readonly OpId[]>>,
): Uint8Array {
  const encoded = encodeCbor(new Map(Object.entries(fields)));
  if (seen === undefined) return encoded;
  const writer = new CborWriter(encoded.length + 64).array(2).raw(encoded);
  const named = Object.entries(seen).map(([field, ids]) => ({ name: encodeCbor(field), ids }));
  writer.map(named.length);
  for (const { name, ids } of named.toSorted((a, b) => compareBytes(a.name, b.name))) {
    writer.raw(name).array(ids.length);
    for (const id of ids) writeOpId(writer, id);
  }
  return writer.finish();
}

/** Body of an add; each delta is an integer within ±2^53. */
export function encodeAdd(deltas: Readonly<Record<string, number>>): Uint8Array {
  return encodeCbor(new Map(Object.entries(deltas)));
}

export function encodeUndo(targets: readonly OpId[]): Uint8Array {
  const writer = new CborWriter(32).array(targets.length);
  for (const target of targets) writeOpId(writer, target);
  return writer.finish();
}

function guarded<T>(body: Uint8Array, read: (reader: CborReader) => T): T | undefined {
  try {
    const reader = new CborReader(body, 0, LIMITS);
    const value = read(reader);
    return reader.atEnd ? value : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

function readFields(reader: CborReader, body: Uint8Array): PatchFields {
  return readNamed(reader, body, () => reader.skip());
}

/** A map of field names to what `read` reads, in canonical order. */
function readNamed<T>(reader: CborReader, body: Uint8Array, read: () => T): Map<string, T> {
  const count = reader.map();
  if (count === 0 || count > PATCH_FIELDS_MAX) fail('too few or too many fields', reader);
  const values = new Map<string, T>();
  let previous: Uint8Array | undefined;
  for (let i = 0; i < count; i++) {
    const start = reader.offset;
    const name = reader.text();
    const key = body.subarray(start, reader.offset);
    if (previous !== undefined && compareBytes(previous, key) >= 0) fail('out of order', reader);
    if (name === '' || isLongerThan(name, FIELD_NAME_BYTES_MAX)) fail('name of a field', reader);
    previous = key;
    values.set(name, read());
  }
  return values;
}

function readOpIds(reader: CborReader, countMin: number, countMax: number): OpId[] {
  const count = reader.array();
  if (count < countMin || count > countMax) fail('too few or too many ops', reader);
  return Array.from({ length: count }, () => readOpId(reader));
}

function fail(reason: string, reader: CborReader): never {
  throw new CborError(reason, reader.offset);
}
