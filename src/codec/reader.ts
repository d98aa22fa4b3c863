/**
 * Reads our CBOR profile from bytes that nobody vouches for. Everything that deterministic encoding rules
 * out is refused (longer heads than needed, unsorted or doubled keys, indefinite lengths, tags, unknown
 * simple values, wide floats), so that an op has exactly one encoding. Lengths are checked against the
 * bytes at hand before anything is allocated; depth and item count have limits.
 *
 * The cursor methods serve decoders that know what they expect; `value()` reads anything.
 */
import { bytesEqual, compareBytes, textOf } from '../base/bytes.ts';
import { knownText } from './known-texts.ts';
import {
  type CborKey,
  type CborLimits,
  type CborMap,
  type CborValue,
  DEFAULT_LIMITS,
  isInteger,
} from './value.ts';
import { encodeCbor } from './writer.ts';

export class CborError extends Error {
  override readonly name = 'CborError';
  /** Offset of the item that could not be read. */
  readonly offset: number;

  constructor(reason: string, offset: number) {
    super(`${reason} at byte ${offset}`);
    this.offset = offset;
  }
}

const TWO_32 = 0x100000000;
/** Arguments from here on do not stand in the first byte. */
const LONG_HEAD = 24;
const BYTES_HEAD = 0x40;
const ARRAY_HEAD = 0x80;

export class CborReader {
  #bytes: Uint8Array;
  readonly #limits: CborLimits;
  #offset: number;
  #items = 0;
  #major = 0;
  #info = 0;
  #argument = 0;

  constructor(bytes: Uint8Array, offset = 0, limits: CborLimits = DEFAULT_LIMITS) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#limits = limits;
  }

  /** Begins anew with other bytes, under the same limits. */
  restart(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#offset = 0;
    this.#items = 0;
  }

  get offset(): number {
    return this.#offset;
  }

  get atEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  uint(): number {
    const initial = this.#bytes[this.#offset] ?? LONG_HEAD;
    if (initial < LONG_HEAD) return this.#step(initial);
    this.#head();
    if (this.#major !== 0) this.#fail('not an unsigned integer');
    return this.#argument;
  }

  int(): number {
    this.#head();
    if (this.#major === 0) return this.#argument;
    if (this.#major !== 1) this.#fail('not an integer');
    return this.#negative();
  }

  /** The bytes alias the input. */
  bytes(): Uint8Array {
    this.#head();
    if (this.#major !== 2) this.#fail('not a byte string');
    return this.#take(this.#argument);
  }

  /** Length of a byte string whose bytes are not at hand; they begin at `offset`. */
  bytesHead(): number {
    this.#head();
    if (this.#major !== 2) this.#fail('not a byte string');
    return this.#argument;
  }

  /**
   * Where in `input` the `count` bytes of a byte string begin; -1 where it has another length. Nothing is made for it:
   * ops are read by the million.
   */
  fixed(count: number): number {
    if (count < LONG_HEAD && this.#bytes[this.#offset] === BYTES_HEAD + count) {
      const from = this.#offset + 1;
      if (count > this.#bytes.length - from) this.#fail('cut short');
      this.#step(count);
      this.#offset += count;
      return from;
    }
    this.#head();
    if (this.#major !== 2) this.#fail('not a byte string');
    const at = this.#offset;
    if (this.#argument > this.#bytes.length - at) this.#fail('cut short');
    this.#offset += this.#argument;
    return this.#argument === count ? at : -1;
  }

  /** What is read. */
  get input(): Uint8Array {
    return this.#bytes;
  }

  text(): string {
    this.#head();
    if (this.#major !== 3) this.#fail('not a text');
    return this.#text();
  }

  /** Count of the items that follow. */
  array(): number {
    this.#head();
    if (this.#major !== 4) this.#fail('not an array');
    return this.#count(1);
  }

  /** Count of the pairs that follow; the caller checks the order of keys. */
  map(): number {
    this.#head();
    if (this.#major !== 5) this.#fail('not a map');
    return this.#count(2);
  }

  /** Reads an array head and refuses any other count. */
  expectArray(count: number): void {
    if (count < LONG_HEAD && this.#bytes[this.#offset] === ARRAY_HEAD + count) this.#step(count);
    else if (this.array() !== count) this.#fail(`not an array of ${count}`);
  }

  null(): null {
    this.#head();
    if (this.#major !== 7 || this.#info !== 22) this.#fail('not null');
    return null;
  }

  bool(): boolean {
    this.#head();
    if (this.#major !== 7 || (this.#info !== 20 && this.#info !== 21)) this.#fail('not a boolean');
    return this.#info === 21;
  }

  /** Null, or what `read` reads; undefined for null. */
  orNull<T>(read: () => T): T | undefined {
    if (this.#bytes[this.#offset] !== 0xf6) return read();
    this.null();
    return undefined;
  }

  value(depth = 0): CborValue {
    if (depth > this.#limits.depthMax) this.#fail('nested too deeply');
    const at = this.#offset;
    this.#head();
    switch (this.#major) {
      case 0:
        return this.#argument;
      case 1:
        return this.#negative();
      case 2:
        return this.#take(this.#argument);
      case 3:
        return this.#text();
      case 4: {
        const count = this.#count(1);
        const items: CborValue[] = [];
        for (let i = 0; i < count; i++) items.push(this.value(depth + 1));
        return items;
      }
      case 5:
        return this.#mapValue(this.#count(2), depth);
      case 7:
        return this.#simple(at);
      default:
        return this.#fail('tags are not part of the profile');
    }
  }

  /** Steps over one item, checking it, and returns its bytes (aliasing the input). */
  skip(): Uint8Array {
    const start = this.#offset;
    this.value();
    return this.#bytes.subarray(start, this.#offset);
  }

  #mapValue(count: number, depth: number): CborMap {
    const map = new Map<CborKey, CborValue>();
    let previous: Uint8Array | undefined;
    for (let i = 0; i < count; i++) {
      const start = this.#offset;
      const key = this.value(depth + 1);
      if (typeof key !== 'string' && !isInteger(key)) {
        this.#fail('a map key is a text or an integer');
      }
      const encoded = this.#bytes.subarray(start, this.#offset);
      if (previous !== undefined && compareBytes(previous, encoded) >= 0) {
        this.#fail('map keys out of order');
      }
      previous = encoded;
      map.set(key, this.value(depth + 1));
    }
    return map;
  }

  #simple(at: number): CborValue {
    switch (this.#info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 25:
      case 26:
      case 27: {
        const value = this.#floatAt(at);
        // Whole numbers are integers in this profile, and a float takes the shortest form.
        const given = this.#bytes.subarray(at, this.#offset);
        if (isInteger(value) || !bytesEqual(encodeCbor(value), given)) {
          this.#fail('not the shortest form of its number');
        }
        return value;
      }
      default:
        return this.#fail('unknown simple value');
    }
  }

  #floatAt(at: number): number {
    const { buffer, byteOffset } = this.#bytes;
    const view = new DataView(buffer, byteOffset + at + 1, this.#offset - at - 1);
    if (this.#info === 27) return view.getFloat64(0);
    if (this.#info === 26) return view.getFloat32(0);
    const half = view.getUint16(0);
    const sign = (half & 0x8000) === 0 ? 1 : -1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  /** Over a head of one byte, the usual one: `argument` stands in it. */
  #step(argument: number): number {
    this.#items += 1;
    if (this.#items > this.#limits.itemsMax) this.#fail('too many items');
    this.#offset += 1;
    return argument;
  }

  #head(): void {
    this.#items += 1;
    if (this.#items > this.#limits.itemsMax) this.#fail('too many items');
    const initial = this.#bytes[this.#offset];
    if (initial === undefined) return this.#fail('cut short');
    this.#major = initial >> 5;
    this.#info = initial & 0x1f;
    if (this.#info < 24) {
      this.#argument = this.#info;
      this.#offset += 1;
      return;
    }
    if (this.#info > 27) this.#fail('indefinite lengths are not part of the profile');
    const width = 1 << (this.#info - 24);
    if (this.#offset + 1 + width > this.#bytes.length) this.#fail('cut short');
    this.#argument = this.#major === 7 ? 0 : this.#wideArgument(width);
    if (this.#major === 7 && width === 1) this.#fail('unknown simple value');
    this.#offset += 1 + width;
  }

  #wideArgument(width: number): number {
    const at = this.#offset + 1;
    if (width === 1) return this.#atLeast(this.#bytes[at] as number, 24);
    if (width === 2) return this.#atLeast(this.#uint16(at), 0x100);
    if (width === 4) return this.#atLeast(this.#uint32(at), 0x10000);
    const argument = this.#uint32(at) * TWO_32 + this.#uint32(at + 4);
    if (!Number.isSafeInteger(argument)) this.#fail('integer beyond 2^53');
    return this.#atLeast(argument, TWO_32);
  }

  #uint16(at: number): number {
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number);
  }

  #uint32(at: number): number {
    return this.#uint16(at) * 0x10000 + this.#uint16(at + 2);
  }

  #atLeast(argument: number, least: number): number {
    if (argument < least) this.#fail('not the shortest form of its number');
    return argument;
  }

  #negative(): number {
    if (this.#argument === Number.MAX_SAFE_INTEGER) this.#fail('integer beyond 2^53');
    return -1 - this.#argument;
  }

  #count(bytesEach: number): number {
    if (this.#argument * bytesEach > this.#bytes.length - this.#offset) this.#fail('cut short');
    return this.#argument;
  }

  #take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#offset) this.#fail('cut short');
    const taken = this.#bytes.subarray(this.#offset, this.#offset + count);
    this.#offset += count;
    return taken;
  }

  #text(): string {
    const from = this.#offset;
    const to = from + this.#argument;
    if (to > this.#bytes.length) this.#fail('cut short');
    this.#offset = to;
    const text = knownText(this.#bytes, from, to, () => textOf(this.#bytes.subarray(from, to)));
    return text ?? this.#fail('not UTF-8');
  }

  #fail(reason: string): never {
    throw new CborError(reason, this.#offset);
  }
}

/** Reads exactly one item; throws `CborError` on anything that is not canonical, too deep or too long. */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = DEFAULT_LIMITS): CborValue {
  const reader = new CborReader(bytes, 0, limits);
  const value = reader.value();
  if (!reader.atEnd) throw new CborError('bytes after the end', reader.offset);
  return value;
}
