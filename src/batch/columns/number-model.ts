/**
 * How numbers and symbols become bits (COLUMNS.md §4). A number is coded as its distance from a prediction: how
 * many bits the distance has, its sign, its leading bits under learned odds, the rest plainly, since the low
 * bits of noise are noise. What a model learns is shared by all series that use it.
 */
import { type BitCoder, Odds } from './bit-coder.ts';
import { ColumnsError } from './columns-error.ts';

/** What a series remembers of its last distance: quiet and lively series share a model, but not their odds. */
export interface Memory {
  /** Bits of the last distance. */
  bits: number;
  /** 0 for no distance, 1 above the prediction, 2 below. */
  sign: number;
}

export function newMemory(): Memory {
  return { bits: 0, sign: 0 };
}

/** Bits of a distance that is not written as one: the number itself follows. */
const ESCAPE = 53;
const DISTANCE_MAX = 2 ** 52 - 1;
/** Leading bits below the first that have odds of their own. */
const SHAPED_BITS = 2;
const TWO_26 = 2 ** 26;
const TWO_32 = 2 ** 32;

/** Liveliness of a series by the bits of its last distance. */
const MOODS = 4;
const MOOD_BY_BITS = Uint8Array.from({ length: ESCAPE + 1 }, (_, bits) =>
  bits < 1 ? 0 : bits < 4 ? 1 : bits < 8 ? 2 : 3,
);

const SIZE_ODDS = 1 + 64;
const SIGN_AT = MOODS * SIZE_ODDS;
const LEADING_AT = SIGN_AT + 3;
const ODDS = LEADING_AT + (ESCAPE + 1) * (1 << SHAPED_BITS);

/** Codes safe integers near their predictions. */
export class NumberModel {
  readonly #odds = new Odds(ODDS);

  /** The number that was written or read; throws `ColumnsError` where what was read is no safe integer. */
  code(coder: BitCoder, memory: Memory, prediction: number, value: number): number {
    const distance = value - prediction;
    const size = Math.abs(distance);
    const sizeAt = (MOOD_BY_BITS[memory.bits] as number) * SIZE_ODDS;
    const isNear = coder.bit(this.#odds, sizeAt, distance === 0 ? 1 : 0) === 1;
    if (isNear) {
      memory.bits = 0;
      memory.sign = 0;
      return prediction;
    }
    const bits = coder.tree(this.#odds, sizeAt, 6, size > DISTANCE_MAX ? ESCAPE : bitsOf(size));
    if (bits === 0 || bits > ESCAPE) throw new ColumnsError('distance out of range');
    const sign = coder.bit(this.#odds, SIGN_AT + memory.sign, distance < 0 ? 1 : 0) + 1;
    memory.bits = bits;
    memory.sign = sign;
    if (bits === ESCAPE) return codeWhole(coder, value);
    const coded = this.#size(coder, bits, size);
    const result = sign === 2 ? prediction - coded : prediction + coded;
    if (!Number.isSafeInteger(result)) throw new ColumnsError('number out of range');
    return result;
  }

  /** The bits below the first of a size that has `bits` bits. */
  #size(coder: BitCoder, bits: number, size: number): number {
    const shaped = Math.min(SHAPED_BITS, bits - 1);
    const rest = bits - 1 - shaped;
    const at = LEADING_AT + bits * (1 << SHAPED_BITS);
    if (bits <= 31) {
      const leading = (size >>> rest) & ((1 << shaped) - 1);
      const top = (1 << shaped) | coder.tree(this.#odds, at, shaped, leading);
      return rest === 0 ? top : (top << rest) | coder.plain(rest, size & ((1 << rest) - 1));
    }
    const unit = 2 ** rest;
    const leading = Math.floor(size / unit) & ((1 << shaped) - 1);
    const top = (1 << shaped) + coder.tree(this.#odds, at, shaped, leading);
    const low = size % unit;
    if (rest <= 26) return top * unit + coder.plain(rest, low);
    const high = coder.plain(rest - 26, Math.floor(low / TWO_26));
    return top * unit + high * TWO_26 + coder.plain(26, low % TWO_26);
  }
}

/** A choice of 2^`bits`, each with odds of its own. */
export class SymbolModel {
  readonly #odds: Odds;
  readonly #bits: number;

  constructor(bits: number) {
    this.#bits = bits;
    this.#odds = new Odds(1 << bits);
  }

  code(coder: BitCoder, symbol: number): number {
    return coder.tree(this.#odds, 0, this.#bits, symbol);
  }
}

/** A safe integer as it is: sign, then 53 bits. */
function codeWhole(coder: BitCoder, value: number): number {
  const isNegative = coder.plain(1, value < 0 ? 1 : 0) === 1;
  const size = Math.abs(value);
  const high = coder.plain(27, Math.floor(size / TWO_26));
  const coded = high * TWO_26 + coder.plain(26, size % TWO_26);
  return isNegative ? 0 - coded : coded;
}

function bitsOf(size: number): number {
  if (size < TWO_32) return 32 - Math.clz32(size);
  return 64 - Math.clz32(Math.floor(size / TWO_32));
}
