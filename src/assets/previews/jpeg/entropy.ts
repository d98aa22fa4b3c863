/** The bits of a JPEG's scan (ITU T.81, annexes C and F): Huffman codes, and the numbers behind them. */

const CODE_BITS_MAX = 16;

/** A Huffman table by the next 16 bits: how long the code is that they begin with, and what it stands for. */
export type Codes = Uint16Array;

/** `counts[n]` codes of n + 1 bits, their values in order; undefined where that is no table. */
export function codesOf(counts: Uint8Array, values: Uint8Array): Codes | undefined {
  const codes = new Uint16Array(1 << CODE_BITS_MAX);
  let at = 0;
  let index = 0;
  for (let bits = 1; bits <= CODE_BITS_MAX; bits++) {
    const span = 1 << (CODE_BITS_MAX - bits);
    for (let count = counts[bits - 1] as number; count > 0; count--) {
      if (at + span > codes.length) return undefined;
      codes.fill((bits << 8) | (values[index] as number), at, at + span);
      at += span;
      index += 1;
    }
  }
  return codes;
}

/** Reads a scan to the next marker; behind it zeros come, so that a picture that is cut off ends in grey. */
export class ScanReader {
  readonly #bytes: Uint8Array;
  #at: number;
  /** The newest `#count` bits are to be read. */
  #bits = 0;
  #count = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** The next code's value; 0 where no code begins like this. */
  code(codes: Codes): number {
    this.#fill();
    const entry = codes[(this.#bits >>> (this.#count - CODE_BITS_MAX)) & 0xffff] as number;
    this.#count -= entry >> 8 || CODE_BITS_MAX;
    return entry & 0xff;
  }

  /** A number of up to 16 bits. */
  bits(length: number): number {
    this.#fill();
    this.#count -= length;
    return (this.#bits >>> this.#count) & ((1 << length) - 1);
  }

  /** A number of a category up to 15 (T.81, F.2.2.1): its first bit says whether it is positive. */
  signed(category: number): number {
    if (category === 0) return 0;
    const value = this.bits(category);
    return value < 1 << (category - 1) ? value - (1 << category) + 1 : value;
  }

  /** Goes on behind the next restart marker, where there is one before the scan ends. */
  restart(): void {
    this.#count = 0;
    const marker = nextMarker(this.#bytes, this.#at);
    const isRestart = isRestartMarker(this.#bytes[marker + 1] ?? 0);
    this.#at = isRestart ? marker + 2 : marker;
  }

  #fill(): void {
    while (this.#count <= 24) {
      this.#bits = (this.#bits << 8) | this.#nextByte();
      this.#count += 8;
    }
  }

  #nextByte(): number {
    const byte = this.#bytes[this.#at] ?? 0;
    if (byte !== 0xff) {
      this.#at += 1;
      return byte;
    }
    if (this.#bytes[this.#at + 1] !== 0) return 0; // A marker: it stays where it is.
    this.#at += 2;
    return byte;
  }
}

/** Where the next marker begins at or behind `at`; the end of the bytes where none does. */
export function nextMarker(bytes: Uint8Array, at: number): number {
  for (let i = at; i + 1 < bytes.length; i++) {
    const next = bytes[i + 1] as number;
    if (bytes[i] === 0xff && next !== 0 && next !== 0xff) return i;
  }
  return bytes.length;
}

export function isRestartMarker(marker: number): boolean {
  return marker >= 0xd0 && marker <= 0xd7;
}
