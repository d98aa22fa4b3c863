/**
 * Reads the encoding in which Yjs writes (lib0: little-endian groups of seven bits, UTF-8 with its length in front), from
 * bytes that nobody vouches for: bounded by their length, no number beyond 53 bits or longer than it must be.
 */
import { textOf } from '../../base/bytes.ts';
import { textOfWtf8 } from './wtf8.ts';

/** Why bytes are no update of a document. */
export class DocError extends Error {}

/** Values in an update lie in one another this deep, at most. */
const DEPTH_MAX = 32;

const ANY_UNDEFINED = 127;
const ANY_NULL = 126;
const ANY_INTEGER = 125;
const ANY_FLOAT32 = 124;
const ANY_FLOAT64 = 123;
const ANY_BIGINT = 122;
const ANY_FALSE = 121;
const ANY_TRUE = 120;
const ANY_STRING = 119;
const ANY_OBJECT = 118;
const ANY_ARRAY = 117;
const ANY_BYTES = 116;

export class Lib0Reader {
  readonly #bytes: Uint8Array;
  readonly #isOurs: boolean;
  #at = 0;

  /** `isOurs`: texts may hold half a surrogate pair, which only our own encoding has. */
  constructor(bytes: Uint8Array, isOurs: boolean) {
    this.#bytes = bytes;
    this.#isOurs = isOurs;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new DocError('it breaks off');
    this.#at += 1;
    return byte;
  }

  uint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (value > Number.MAX_SAFE_INTEGER) throw new DocError('a number beyond 53 bits');
      if (byte < 0x80) {
        if (byte === 0 && factor > 1) throw new DocError('a number that is longer than it must be');
        return value;
      }
      factor *= 128;
    }
  }

  /** A slice of what is read. */
  bytes(): Uint8Array {
    return this.#take(this.uint());
  }

  text(): string {
    const bytes = this.bytes();
    const text = textOf(bytes) ?? (this.#isOurs ? textOfWtf8(bytes) : undefined);
    if (text === undefined) throw new DocError('a text that is not UTF-8');
    return text;
  }

  /** What `skip` passes over. */
  sliceOf(skip: () => void): Uint8Array {
    const start = this.#at;
    skip();
    return this.#bytes.slice(start, this.#at);
  }

  /** A text that is a JSON value; Yjs parses it when it applies the update. */
  skipJson(): void {
    try {
      JSON.parse(this.text());
    } catch (error) {
      throw error instanceof DocError ? error : new DocError('a text that is not JSON');
    }
  }

  /** The same, or the word `undefined`. */
  skipJsonOrUndefined(): void {
    const start = this.#at;
    if (this.text() === 'undefined') return;
    this.#at = start;
    this.skipJson();
  }

  /** A value in lib0's own encoding of JavaScript values. */
  skipAny(depth = 0): void {
    if (depth > DEPTH_MAX) throw new DocError('values too deep in one another');
    switch (this.byte()) {
      case ANY_UNDEFINED:
      case ANY_NULL:
      case ANY_FALSE:
      case ANY_TRUE:
        return;
      case ANY_INTEGER:
        this.#skipInteger();
        return;
      case ANY_FLOAT32:
        this.#take(4);
        return;
      case ANY_FLOAT64:
      case ANY_BIGINT:
        this.#take(8);
        return;
      case ANY_STRING:
        this.text();
        return;
      case ANY_BYTES:
        this.bytes();
        return;
      case ANY_ARRAY:
        for (let count = this.uint(); count > 0; count--) this.skipAny(depth + 1);
        return;
      case ANY_OBJECT:
        for (let count = this.uint(); count > 0; count--) {
          this.text();
          this.skipAny(depth + 1);
        }
        return;
      default:
        throw new DocError('an unknown value');
    }
  }

  /** Sign and six bits, then groups of seven. */
  #skipInteger(): void {
    let byte = this.byte();
    let bits = 6;
    for (; byte >= 0x80; bits += 7) {
      if (bits > 53) throw new DocError('a number beyond 53 bits');
      byte = this.byte();
    }
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new DocError('it breaks off');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
