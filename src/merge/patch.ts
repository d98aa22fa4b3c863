/**
 * Body of a patch (WIRE.cddl `patch-body`): field → value, each value kept as the CBOR it came in. A body
 * that breaks the rules is refused at the door, and has no effect anywhere should it get past one.
 */
import { compareBytes, isLongerThan } from '../base/bytes.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import type { CborLimits, CborValue } from '../codec/value.ts';
import { encodeCbor } from '../codec/writer.ts';

export const PATCH_FIELDS_MAX = 64;
export const FIELD_NAME_BYTES_MAX = 256;
const PATCH_LIMITS: CborLimits = { depthMax: 8, itemsMax: 10_000 };

/** Field → its value as one canonical CBOR item. */
export type PatchFields = ReadonlyMap<string, Uint8Array>;

/** The fields, aliasing `body`, or undefined where it is not a patch body. */
export function readPatch(body: Uint8Array): PatchFields | undefined {
  try {
    return readFields(new CborReader(body, 0, PATCH_LIMITS), body);
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

function readFields(reader: CborReader, body: Uint8Array): PatchFields | undefined {
  const count = reader.map();
  if (count === 0 || count > PATCH_FIELDS_MAX) return undefined;
  const fields = new Map<string, Uint8Array>();
  let previous: Uint8Array | undefined;
  for (let i = 0; i < count; i++) {
    const start = reader.offset;
    const name = reader.text();
    const key = body.subarray(start, reader.offset);
    if (previous !== undefined && compareBytes(previous, key) >= 0) return undefined;
    if (name === '' || isLongerThan(name, FIELD_NAME_BYTES_MAX)) return undefined;
    previous = key;
    fields.set(name, reader.skip());
  }
  return reader.atEnd ? fields : undefined;
}

/** Body of a patch that sets `fields`. */
export function encodePatch(fields: Readonly<Record<string, CborValue>>): Uint8Array {
  return encodeCbor(new Map(Object.entries(fields)));
}
