/** CBOR as JSON can show it, for people and for queries, never on the way to another replica; and what people say in JSON as CBOR. */
import { hasHalf } from '../base/bytes.ts';
import { CborReader } from './reader.ts';
import type { CborValue } from './value.ts';

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A field's CBOR as JSON; byte strings become `{ "base64": … }`, as do bytes that are no CBOR. */
export function jsonOfCbor(bytes: Uint8Array): JsonValue {
  try {
    return jsonOfValue(new CborReader(bytes).value());
  } catch {
    return jsonOfBytes(bytes);
  }
}

function jsonOfValue(value: CborValue): JsonValue {
  if (value instanceof Uint8Array) return jsonOfBytes(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (isMap(value)) {
    return Object.fromEntries([...value].map(([key, item]) => [String(key), jsonOfValue(item)]));
  }
  return value.map((item) => jsonOfValue(item));
}

function isMap(value: object): value is ReadonlyMap<string | number, CborValue> {
  return value instanceof Map;
}

/** Throws where lists and maps are nested deeper than `depthMax`, or a name is no text. */
export function cborOfJson(value: JsonValue, depthMax: number, depth = depthMax): CborValue {
  if (depth < 0) throw new Error(`values are nested at most ${depthMax} deep`);
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map((item) => cborOfJson(item, depthMax, depth - 1));
  const pairs = Object.entries(value);
  if (pairs.some(([name]) => hasHalf(name))) throw new Error('a name is no text');
  return new Map(pairs.map(([name, item]) => [name, cborOfJson(item, depthMax, depth - 1)]));
}

function isList(value: object): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** `{ "base64": … }` */
export function jsonOfBytes(bytes: Uint8Array): JsonValue {
  return { base64: base64Of(bytes) };
}

export function base64Of(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}
