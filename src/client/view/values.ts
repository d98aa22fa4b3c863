/** Values of fields as JavaScript has them, and as CBOR: objects are maps with text keys. */
import { hasHalf } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { decodeCbor } from '../../codec/reader.ts';
import type { CborKey, CborValue } from '../../codec/value.ts';
import { VALUE_DEPTH_MAX } from '../../merge/patch.ts';

export type Value =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | { readonly [name: string]: Value };
export type Fields = Readonly<Record<string, Value>>;

/** Fields of a patch. Throws `client.unfit` where a name is no text, or a value is none. */
export function cborOfFields(fields: Fields): Record<string, CborValue> {
  const pairs = Object.entries(fields);
  return Object.fromEntries(
    pairs.map(([name, value]) => [nameOf(name), cborOf(value, VALUE_DEPTH_MAX)]),
  );
}

/** Increments of a counter: what is no whole number is left to be refused as one. Throws `client.unfit` where its name is no text. */
export function countOf(name: string, delta: number): Record<string, number> {
  return { [nameOf(name)]: Number.isSafeInteger(delta) ? delta : Number.NaN };
}

function nameOf(name: string): string {
  if (!hasHalf(name)) return name;
  throw new HubError('client.unfit', 'a name is no text: a half of a character stands alone');
}

/** Throws `client.unfit` where it is no value, whatever its type said. */
function cborOf(value: Value, depth: number): CborValue {
  if (depth < 0) {
    throw new HubError('client.unfit', `values are nested at most ${VALUE_DEPTH_MAX} deep`);
  }
  if (Array.isArray(value)) return value.map((item: Value) => cborOf(item, depth - 1));
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
  for (const [name, item] of Object.entries(value)) map.set(nameOf(name), cborOf(item, depth - 1));
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
