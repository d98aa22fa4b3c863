/** Values of fields as JavaScript has them, and as CBOR: objects are maps with text keys. */
import { decodeCbor } from '../../codec/reader.ts';
import type { CborKey, CborValue } from '../../codec/value.ts';

export type Value =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | { readonly [name: string]: Value };
export type Fields = Readonly<Record<string, Value>>;

export function cborOf(value: Value): CborValue {
  if (Array.isArray(value)) return value.map((item: Value) => cborOf(item));
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) {
    return value;
  }
  const map = new Map<CborKey, CborValue>();
  for (const [name, item] of Object.entries(value)) map.set(name, cborOf(item));
  return map;
}

export function valueOf(value: CborValue): Value {
  if (Array.isArray(value)) return value.map((item: CborValue) => valueOf(item));
  if (value instanceof Map) {
    const pairs = [...(value as ReadonlyMap<CborKey, CborValue>)];
    return Object.fromEntries(pairs.map(([name, item]) => [String(name), valueOf(item)]));
  }
  return value as Value;
}

export function decodeValue(bytes: Uint8Array): Value {
  return valueOf(decodeCbor(bytes));
}
