/** A growing buffer for bodies that are put together piece by piece, with a limit for what others claim. */
import { ColumnsError } from './columns-error.ts';

const ZERO = 0x30;

export class ByteSink {
  readonly #bytesMax: number;
  #bytes = new Uint8Array(4096);
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#length;
  }

  /** Aliases what was written, which never changes; later growth moves elsewhere. */
  slice(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to);
  }

  byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** ASCII only. */
  ascii(text: string): void {
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }

  /** A number of at least `width` digits, with zeros in front. */
  digits(value: number, width: number): void {
    let length = width;
    for (let unit = 10 ** width; value >= unit; unit *= 10) length += 1;
    this.#reserve(length);
    let rest = value;
    for (let at = this.#length + length - 1; at >= this.#length; at--) {
      const shorter = Math.floor(rest / 10);
      this.#bytes[at] = ZERO + (rest - shorter * 10);
      rest = shorter;
    }
    this.#length += length;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    if (needed > this.#bytesMax) throw new ColumnsError('more bytes than allowed');
    const grown = new Uint8Array(
      Math.min(this.#bytesMax, Math.max(needed, this.#bytes.length * 2)),
    );
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
