/** Messages made wrong: by a bit, a byte, a length, a type; cut short, or with something behind them. */
import { concatBytes } from '../../../src/base/bytes.ts';
import { below, type Random } from '../../../src/base/random.ts';
import { decodeCbor } from '../../../src/codec/reader.ts';
import type { CborKey, CborValue } from '../../../src/codec/value.ts';
import { encodeCbor } from '../../../src/codec/writer.ts';

/** Heads of CBOR items of each kind, some with lengths that nothing stands for. */
const HEADS = [0x00, 0x1b, 0x20, 0x3b, 0x40, 0x5b, 0x60, 0x7b, 0x80, 0x9b, 0xa0, 0xbb, 0xd8, 0xf6];
const TIMES_MAX = 3;

/** Another message than `bytes` nearly always; `bytes` stays as it is. */
export function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (let times = 1 + below(random, TIMES_MAX); times > 0; times--) result = once(result, random);
  return result;
}

function once(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(below(random, 256));
  const at = below(random, bytes.length);
  const byte = bytes[at] ?? 0;
  switch (below(random, 7)) {
    case 0:
      bytes[at] = byte ^ (1 << below(random, 8));
      return bytes;
    case 1:
      bytes[at] = HEADS[below(random, HEADS.length)] ?? 0;
      return bytes;
    case 2:
      // The length, or the number, of whatever stands there.
      bytes[at] = (byte & 0xe0) | below(random, 28);
      return bytes;
    case 3:
      return bytes.slice(0, at);
    case 4:
      return concatBytes([bytes, bytes.subarray(at)]);
    case 5:
      return concatBytes([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    default: {
      const from = below(random, bytes.length);
      const part = bytes.slice(from, from + 8);
      bytes.set(part.subarray(0, bytes.length - at), at);
      return bytes;
    }
  }
}

const ODD_VALUES: readonly CborValue[] = [
  0,
  1,
  2 ** 32,
  Number.MAX_SAFE_INTEGER,
  -1,
  Number.MIN_SAFE_INTEGER,
  0.5,
  '',
  'x'.repeat(3_000),
  new Uint8Array(0),
  new Uint8Array(8),
  new Uint8Array(8).fill(255),
  null,
  true,
  [],
  new Map(),
];

/** The same with another value in one of its places, well formed; `bytes` where they are no CBOR. Bytes that hold CBOR are places, too. */
export function withOddValue(bytes: Uint8Array, random: Random): Uint8Array {
  let value: CborValue;
  try {
    value = decodeCbor(bytes);
  } catch {
    return bytes;
  }
  const paths = [...places(value)];
  const place = paths[below(random, paths.length)] ?? [];
  return encodeCbor(replaced(value, place, random));
}

function* places(value: CborValue, path: readonly number[] = []): Generator<readonly number[]> {
  yield path;
  const parts = Array.isArray(value) ? value : value instanceof Map ? [...value.values()] : [];
  for (const [at, part] of parts.entries()) yield* places(part as CborValue, [...path, at]);
}

function replaced(value: CborValue, [at, ...rest]: readonly number[], random: Random): CborValue {
  if (at !== undefined) {
    const swap = (part: CborValue, index: number): CborValue =>
      index === at ? replaced(part, rest, random) : part;
    if (Array.isArray(value)) return value.map((part: CborValue, index) => swap(part, index));
    const pairs = [...(value as ReadonlyMap<CborKey, CborValue>)];
    return new Map(pairs.map(([key, part], index) => [key, swap(part, index)]));
  }
  if (value instanceof Uint8Array && below(random, 2) === 0) return withOddValue(value, random);
  if (typeof value === 'number' && below(random, 2) === 0) {
    return Math.max(0, value + below(random, 5) - 2);
  }
  return ODD_VALUES[below(random, ODD_VALUES.length)] ?? null;
}
