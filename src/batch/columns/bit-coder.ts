/**
 * Adaptive binary arithmetic coding (COLUMNS.md §3): each bit costs what its odds, learned from the bits before
 * it, say it is worth; a bit that never surprises costs a few thousandths of one.
 *
 * Coder and decoder share one interface, so that a column is described once and cannot be written differently
 * from how it is read: `bit` takes the bit to write and returns it, or ignores it and returns the one it read.
 *
 * Why not bytes for brotli to squeeze: it codes whole bytes with one table per block, which costs the noise of
 * meters a twentieth to a tenth more (COLUMNS.md §6).
 */

/** Learned odds of many bits; each starts even and settles as it is seen. */
export class Odds {
  /** Chance of a one, of 65536. */
  readonly chances: Uint16Array;
  /** How often each was met, up to SEEN_MAX: the more often, the less a bit moves its chance. */
  readonly seen: Uint8Array;

  constructor(count: number) {
    this.chances = new Uint16Array(count).fill(1 << 15);
    this.seen = new Uint8Array(count);
  }
}

export interface BitCoder {
  /** One bit under the odds of number `at`, which learn from it. */
  bit(odds: Odds, at: number, bit: number): number;
  /**
   * Bits of `symbol` from the highest down, each under odds that know those above it: numbers `from` + 1 …
   * `from` + 2^bits - 1.
   */
  tree(odds: Odds, from: number, bits: number, symbol: number): number;
  /** The lowest `count` bits of `value`, 0 … 30 of them, at even odds. */
  plain(count: number, value: number): number;
}

const SEEN_MAX = 160;
const CHANCE_MIN = 24;
const CHANCE_MAX = 65536 - CHANCE_MIN;
/** How far a bit moves its chance, of 4096: 1 / (seen + 1.6). */
const STEPS = Uint16Array.from({ length: SEEN_MAX + 1 }, (_, seen) => 4096 / (seen + 1.6));

function learn(odds: Odds, at: number, bit: number): void {
  const seen = odds.seen[at] as number;
  const chance = odds.chances[at] as number;
  const target = bit === 1 ? CHANCE_MAX : CHANCE_MIN;
  odds.chances[at] = chance + (((target - chance) * (STEPS[seen] as number)) >> 12);
  if (seen < SEEN_MAX) odds.seen[at] = seen + 1;
}

/**
 * Where the interval from `low` to `high` (32 bits, both included) is cut: up to there a one, above a zero. The bounds
 * are 32-bit patterns in signed numbers, which the engine keeps in registers; unsigned ones would be boxed.
 */
function cut(low: number, high: number, chance: number): number {
  const width = (high - low) | 0;
  const whole = Math.imul(width >>> 16, chance);
  return (low + whole + (Math.imul(width & 0xffff, chance) >>> 16)) | 0;
}

/** The same at even odds. */
function halve(low: number, high: number): number {
  return (low + (((high - low) | 0) >>> 1)) | 0;
}

export class BitEncoder implements BitCoder {
  #low = 0;
  #high = -1;
  #bytes = new Uint8Array(4096);
  #length = 0;

  bit(odds: Odds, at: number, bit: number): number {
    let low = this.#low;
    let high = this.#high;
    const middle = cut(low, high, odds.chances[at] as number);
    if (bit === 1) high = middle;
    else low = (middle + 1) | 0;
    while (((low ^ high) & 0xff000000) === 0) {
      this.#push(high >>> 24);
      low <<= 8;
      high = (high << 8) | 0xff;
    }
    this.#low = low;
    this.#high = high;
    learn(odds, at, bit);
    return bit;
  }

  /** As many calls of `bit`, with the bounds at hand instead of in their fields. */
  tree(odds: Odds, from: number, bits: number, symbol: number): number {
    const { chances } = odds;
    let low = this.#low;
    let high = this.#high;
    let node = 1;
    for (let shift = bits - 1; shift >= 0; shift--) {
      const at = from + node;
      const bit = (symbol >>> shift) & 1;
      const middle = cut(low, high, chances[at] as number);
      if (bit === 1) high = middle;
      else low = (middle + 1) | 0;
      while (((low ^ high) & 0xff000000) === 0) {
        this.#push(high >>> 24);
        low <<= 8;
        high = (high << 8) | 0xff;
      }
      learn(odds, at, bit);
      node = node * 2 + bit;
    }
    this.#low = low;
    this.#high = high;
    return symbol;
  }

  plain(count: number, value: number): number {
    let low = this.#low;
    let high = this.#high;
    for (let shift = count - 1; shift >= 0; shift--) {
      const middle = halve(low, high);
      if (((value >>> shift) & 1) === 1) high = middle;
      else low = (middle + 1) | 0;
      while (((low ^ high) & 0xff000000) === 0) {
        this.#push(high >>> 24);
        low <<= 8;
        high = (high << 8) | 0xff;
      }
    }
    this.#low = low;
    this.#high = high;
    return value;
  }

  /** All that was written. One byte more names a point inside the last interval; zeros are taken to follow it. */
  finish(): Uint8Array {
    this.#push(this.#high >>> 24);
    return this.#bytes.subarray(0, this.#length);
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(this.#length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }
}

export class BitDecoder implements BitCoder {
  readonly #bytes: Uint8Array;
  #low = 0;
  #high = -1;
  #point = 0;
  #taken = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    for (let i = 0; i < 4; i++) this.#take();
  }

  /** True while what was read can have been written: a decoder far behind the last byte only invents. */
  get withinBytes(): boolean {
    return this.#taken <= this.#bytes.length + 3;
  }

  /** True where everything that was written has been read, and nothing else. */
  get atEnd(): boolean {
    return this.#taken === this.#bytes.length + 3;
  }

  bit(odds: Odds, at: number, _bit: number): number {
    const bit = this.#narrow(cut(this.#low, this.#high, odds.chances[at] as number));
    learn(odds, at, bit);
    return bit;
  }

  tree(odds: Odds, from: number, bits: number, _symbol: number): number {
    let node = 1;
    for (let left = bits; left > 0; left--) node = node * 2 + this.bit(odds, from + node, 0);
    return node - (1 << bits);
  }

  plain(count: number, _value: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      value = (value << 1) | this.#narrow(halve(this.#low, this.#high));
    }
    return value;
  }

  #narrow(middle: number): number {
    const bit = this.#point >>> 0 <= middle >>> 0 ? 1 : 0;
    if (bit === 1) this.#high = middle;
    else this.#low = (middle + 1) | 0;
    while (((this.#low ^ this.#high) & 0xff000000) === 0) {
      this.#low <<= 8;
      this.#high = (this.#high << 8) | 0xff;
      this.#take();
    }
    return bit;
  }

  #take(): void {
    this.#point = (this.#point << 8) | (this.#bytes[this.#taken] ?? 0);
    this.#taken += 1;
  }
}
