/**
 * Deterministic CBOR (RFC 8949 §4.2.1): shortest heads, shortest float that keeps the value, map keys in
 * the order of their encoded bytes. The same value gives the same bytes on every machine, because ops are
 * hashed and signed. The items are written into one growing buffer; nothing is copied twice.
 */
import { assert } from '../base/assert.ts';
import { compareBytes } from '../base/bytes.ts';
import { type CborKey, type CborMap, type CborValue, isInteger } from './value.ts';

const MAJOR = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5 } as const;
const FLOAT16 = 0xf9;
const FLOAT32 = 0xfa;
const FLOAT64 = 0xfb;
const encoder = new TextEncoder();
const float32 = new Float32Array(1);

export class CborWriter {
  #buffer: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = new Uint8Array(capacity);
    this.#view = new DataView(this.#buffer.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  /** What was written, without a copy; valid until the next write or `reset`. */
  peek(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  reset(): void {
    this.#length = 0;
  }

  /** An unsigned integer below 2^53. */
  uint(value: number): this {
    this.#head(MAJOR.uint, value);
    return this;
  }

  int(value: number): this {
    if (value < 0) this.#head(MAJOR.negative, -1 - value);
    else this.#head(MAJOR.uint, value);
    return this;
  }

  bytes(value: Uint8Array): this {
    return this.bytesHead(value.length).raw(value);
  }

  /** Of a byte string whose bytes the caller puts behind it. */
  bytesHead(length: number): this {
    this.#head(MAJOR.bytes, length);
    return this;
  }

  text(value: string): this {
    // Short ASCII texts, which topics and keys are, go in without the encoder.
    if (value.length < 24 && this.#asciiText(value)) return this;
    const bytes = encoder.encode(value);
    this.#head(MAJOR.text, bytes.length);
    return this.raw(bytes);
  }

  /** The head of an array; its `count` items follow by further calls. */
  array(count: number): this {
    this.#head(MAJOR.array, count);
    return this;
  }

  /** The head of a map; the caller writes `count` pairs, keys in deterministic order. */
  map(count: number): this {
    this.#head(MAJOR.map, count);
    return this;
  }

  bool(value: boolean): this {
    return this.#byte(value ? 0xf5 : 0xf4);
  }

  null(): this {
    return this.#byte(0xf6);
  }

  /** The shortest of 16, 32 and 64 bits that keeps the value; every NaN is the one canonical NaN. */
  float(value: number): this {
    this.#reserve(9);
    const half = halfOf(value);
    if (half !== undefined) {
      this.#buffer[this.#length] = FLOAT16;
      this.#view.setUint16(this.#length + 1, half);
      this.#length += 3;
      return this;
    }
    float32[0] = value;
    const single = Object.is(float32[0], value);
    this.#buffer[this.#length] = single ? FLOAT32 : FLOAT64;
    if (single) this.#view.setFloat32(this.#length + 1, value);
    else this.#view.setFloat64(this.#length + 1, value);
    this.#length += single ? 5 : 9;
    return this;
  }

  /** Bytes that are already CBOR. */
  raw(encoded: Uint8Array): this {
    this.#reserve(encoded.length);
    this.#buffer.set(encoded, this.#length);
    this.#length += encoded.length;
    return this;
  }

  value(value: CborValue): this {
    if (value === null) return this.null();
    if (typeof value === 'boolean') return this.bool(value);
    if (typeof value === 'number') return isInteger(value) ? this.int(value) : this.float(value);
    if (typeof value === 'string') return this.text(value);
    if (value instanceof Uint8Array) return this.bytes(value);
    if (value instanceof Map) return this.#sortedMap(value);
    const items = value as readonly CborValue[];
    this.array(items.length);
    for (const item of items) this.value(item);
    return this;
  }

  #sortedMap(map: CborMap): this {
    const pairs = [...map].map(([key, value]) => ({ key: encodeKey(key), value }));
    pairs.sort((a, b) => compareBytes(a.key, b.key));
    this.map(pairs.length);
    for (const pair of pairs) this.raw(pair.key).value(pair.value);
    return this;
  }

  #asciiText(value: string): boolean {
    this.#reserve(value.length + 1);
    const start = this.#length + 1;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return false;
      this.#buffer[start + i] = unit;
    }
    this.#buffer[this.#length] = (MAJOR.text << 5) | value.length;
    this.#length = start + value.length;
    return true;
  }

  #head(major: number, argument: number): void {
    assert(
      Number.isSafeInteger(argument) && argument >= 0,
      'a CBOR head takes a safe unsigned integer',
    );
    this.#reserve(9);
    const at = this.#length;
    const type = major << 5;
    if (argument < 24) {
      this.#buffer[at] = type | argument;
      this.#length = at + 1;
    } else if (argument < 0x100) {
      this.#buffer[at] = type | 24;
      this.#buffer[at + 1] = argument;
      this.#length = at + 2;
    } else if (argument < 0x10000) {
      this.#buffer[at] = type | 25;
      this.#view.setUint16(at + 1, argument);
      this.#length = at + 3;
    } else if (argument < 0x100000000) {
      this.#buffer[at] = type | 26;
      this.#view.setUint32(at + 1, argument);
      this.#length = at + 5;
    } else {
      this.#buffer[at] = type | 27;
      this.#view.setUint32(at + 1, Math.floor(argument / 0x100000000));
      this.#view.setUint32(at + 5, argument % 0x100000000);
      this.#length = at + 9;
    }
  }

  #byte(byte: number): this {
    this.#reserve(1);
    this.#buffer[this.#length] = byte;
    this.#length += 1;
    return this;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.peek());
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** The deterministic encoding of `value`. */
export function encodeCbor(value: CborValue): Uint8Array {
  return new CborWriter().value(value).finish();
}

function encodeKey(key: CborKey): Uint8Array {
  assert(typeof key === 'string' || isInteger(key), 'a map key is a text or an integer');
  return new CborWriter(32).value(key).finish();
}

const double = new DataView(new ArrayBuffer(8));

/** The IEEE 754 half that equals `value`, or undefined where there is none. */
function halfOf(value: number): number | undefined {
  if (Number.isNaN(value)) return 0x7e00;
  double.setFloat64(0, value);
  const high = double.getUint32(0);
  const sign = (high >>> 16) & 0x8000;
  if (!Number.isFinite(value)) return sign | 0x7c00;
  if (value === 0) return sign;
  if (double.getUint32(4) !== 0) return undefined;
  const exponent = ((high >>> 20) & 0x7ff) - 1023;
  const fraction = high & 0xfffff;
  if (exponent >= -14 && exponent <= 15) {
    if ((fraction & 0x3ff) !== 0) return undefined;
    return sign | ((exponent + 15) << 10) | (fraction >>> 10);
  }
  // Subnormal halves: multiples of 2^-24 below 2^-14.
  const steps = Math.abs(value) * 2 ** 24;
  return exponent >= -24 && exponent < -14 && Number.isInteger(steps) ? sign | steps : undefined;
}
