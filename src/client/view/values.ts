/** Values of fields as JavaScript has them, and as CBOR: objects are maps with text keys. */
import { HubError } from '../../base/errors.ts';
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

/** Throws `client.unfit` where it is no value, whatever its type said. */
export function cborOf(value: Value): CborValue {
  if (Array.isArray(value)) return value.map((item: Value) => cborOf(item));
  if (value === null || value instanceof Uint8Array) return value;
  if (typeof value !== 'object') {
    if (VALUE_TYPES.has(typeof value)) return value;
    throw new HubError('client.unfit', `no value of a field is ${typeof value}`);
  }
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto !== null && Object.getPrototypeOf(proto) !== null) {
    const name = (value as object).constructor.name;
    throw new HubError('client.unfit', `no value of a field is a ${name}: give what it says`);
  }
  const map = new Map<CborKey, CborValue>();
  for (const [name, item] of Object.entries(value)) map.set(name, cborOf(item));
  return map;
}

const VALUE_TYPES: ReadonlySet<string> = new Set(['boolean', 'number', 'string']);

function valueOf(value: CborValue): Value {
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
