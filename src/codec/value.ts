/**
 * The values of our CBOR profile: what RFC 8949 calls the generic data model, without tags, without
 * indefinite lengths, maps with text or integer keys only.
 */
export type CborKey = string | number;
export type CborValue =
  null | boolean | number | string | Uint8Array | readonly CborValue[] | CborMap;
export type CborMap = ReadonlyMap<CborKey, CborValue>;

/** Limits for bytes that come from elsewhere; what goes beyond is refused before memory is spent on it. */
export interface CborLimits {
  readonly depthMax: number;
  /** Items in the whole document, containers and keys included. */
  readonly itemsMax: number;
}

export const DEFAULT_LIMITS: CborLimits = { depthMax: 16, itemsMax: 100_000 };

/** A map from an object's own entries; an undefined value leaves its key out. */
export function cborMap(entries: Readonly<Record<string, CborValue | undefined>>): CborMap {
  const map = new Map<CborKey, CborValue>();
  for (const [key, value] of Object.entries(entries)) if (value !== undefined) map.set(key, value);
  return map;
}

/** Whether the profile writes the value as an integer; minus zero and what lies beyond 2^53 are floats. */
export function isInteger(value: CborValue): value is number {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}
