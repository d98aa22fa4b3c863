/**
 * The values of one slot of one series, and what all series with that template learn together (COLUMNS.md §4.3).
 * A stream says once what its values usually look like and how they are predicted; a value that looks otherwise
 * says so itself.
 */
import { type BitCoder, Odds } from './bit-coder.ts';
import { ColumnsError } from './columns-error.ts';
import { NumberModel, SymbolModel } from './number-model.ts';
import { FOLLOW_MS, FOLLOW_S, NumberStream, Predictor, PREVIOUS, type Way } from './predictor.ts';
import { DIGITS_MAX, DOUBLE, ISO_MS, ISO_S, SHAPES, SINGLE, TEXT } from './slot-value.ts';

/** What a stream says of itself before its first value. */
export interface SlotPlan {
  /** The shape of most values; 0 where they are decimals, with whatever digits. */
  readonly usual: number;
  /** Digits behind the point that numbers are scaled by, and that a usual decimal has at least. */
  readonly digits: number;
  readonly digitsLeast: number;
  readonly way: Way;
}

/** Models of one slot of one template. */
export class SlotModel {
  readonly numbers = new NumberModel();
  readonly usual = new Odds(2);
  readonly shapes = new SymbolModel(4);
  readonly textNumbers = new NumberModel();
  /** Built when the first double is met. */
  doubleBytes: readonly SymbolModel[] = [];
  /** First number of the stream before: series that are alike begin alike. */
  start = 0;
  /** Texts met so far, as the batch numbers them; the next new one is one past the greatest. */
  readonly texts: number[] = [];
}

/** Models of plans, one set for a batch. */
export class PlanModel {
  readonly #usual = new SymbolModel(4);
  readonly #digits = new SymbolModel(4);
  readonly #digitsLeast = new SymbolModel(4);
  readonly #way = new SymbolModel(3);

  code(coder: BitCoder, plan: SlotPlan): SlotPlan {
    const usual = this.#usual.code(coder, plan.usual);
    const digits = this.#digits.code(coder, plan.digits);
    const digitsLeast = this.#digitsLeast.code(coder, plan.digitsLeast);
    const way = this.#way.code(coder, plan.way);
    const isKnown = usual === 0 || (usual >= DOUBLE && usual < SHAPES);
    if (!isKnown || digits > DIGITS_MAX || digitsLeast > digits || way > FOLLOW_S) {
      throw new ColumnsError('unknown plan');
    }
    return { usual, digits, digitsLeast, way: way as Way };
  }
}

/** Hands out the numbers of texts that a slot meets for the first time. */
interface TextNumbers {
  next(): number;
}

const doubleView = new DataView(new ArrayBuffer(8));
const ANY_PLAN: SlotPlan = { usual: 0, digits: 0, digitsLeast: 0, way: PREVIOUS };
const TENS = Array.from({ length: DIGITS_MAX + 1 }, (_, digits) => 10 ** digits);

export class SlotStream {
  /** Shape and number of the value that `code` wrote or read last. */
  shape = 0;
  number = 0;
  readonly #model: SlotModel;
  readonly #plan: SlotPlan;
  readonly #numbers: NumberStream;
  readonly #textPlaces: NumberStream;
  readonly #doubleBefore = new Uint8Array(8);
  #count = 0;
  #wasUsual = 1;

  constructor(coder: BitCoder, model: SlotModel, plans: PlanModel, plan: SlotPlan = ANY_PLAN) {
    this.#model = model;
    this.#plan = plans.code(coder, plan);
    const { way } = this.#plan;
    const start = way === FOLLOW_MS || way === FOLLOW_S ? 0 : model.start;
    this.#numbers = new NumberStream(model.numbers, new Predictor(way, start));
    this.#textPlaces = new NumberStream(model.textNumbers, new Predictor(PREVIOUS, 0));
  }

  /** Codes one value; `hlcMs` is the op's. The shape of a decimal is how many digits stand behind its point. */
  code(coder: BitCoder, shape: number, number: number, hlcMs: number, texts: TextNumbers): void {
    const { usual } = this.#plan;
    const isUsual = coder.bit(
      this.#model.usual,
      this.#wasUsual,
      this.#isUsual(shape, number) ? 1 : 0,
    );
    this.#wasUsual = isUsual;
    this.shape = isUsual === 1 ? usual : this.#model.shapes.code(coder, shape);
    if (this.shape === DOUBLE) this.number = this.#codeDouble(coder, number);
    else if (this.shape === TEXT) this.number = this.#codeText(coder, number, texts);
    else if (this.shape === SINGLE || this.shape === ISO_MS || this.shape === ISO_S) {
      this.number = this.#codeNumber(coder, number, hlcMs);
    } else this.#codeDecimal(coder, isUsual === 1, shape, number, hlcMs);
  }

  #isUsual(shape: number, number: number): boolean {
    const { usual, digitsLeast } = this.#plan;
    if (usual >= DOUBLE || shape >= DOUBLE) return shape === usual;
    return shape === digitsLeast || (shape > digitsLeast && number % 10 !== 0);
  }

  /** Decimals of a stream share one scale, so that 20.9, 21 and 21.1 are neighbours. */
  #codeDecimal(
    coder: BitCoder,
    isUsual: boolean,
    shape: number,
    number: number,
    hlcMs: number,
  ): void {
    const { digits, digitsLeast } = this.#plan;
    const missing = digits - shape;
    const scaled =
      missing > 0 && missing <= DIGITS_MAX ? number * (TENS[missing] as number) : number;
    let value = this.#codeNumber(coder, scaled, hlcMs);
    let behind = isUsual ? digits : this.shape;
    if (behind > digits) throw new ColumnsError('more digits than planned');
    if (isUsual) {
      while (behind > digitsLeast && value % 10 === 0) {
        value /= 10;
        behind -= 1;
      }
    } else value /= TENS[digits - behind] as number;
    if (!Number.isSafeInteger(value)) throw new ColumnsError('digits cut off');
    this.shape = behind;
    this.number = value;
  }

  #codeNumber(coder: BitCoder, number: number, hlcMs: number): number {
    const coded = this.#numbers.code(coder, number, hlcMs);
    if (this.#count === 0) this.#model.start = coded;
    this.#count += 1;
    return coded;
  }

  /** Byte by byte, as the difference (XOR) to the double before: sign, exponent and leading digits hardly change. */
  #codeDouble(coder: BitCoder, number: number): number {
    if (this.#model.doubleBytes.length === 0) {
      this.#model.doubleBytes = Array.from({ length: 8 }, () => new SymbolModel(8));
    }
    doubleView.setFloat64(0, number);
    for (let i = 0; i < 8; i++) {
      const before = this.#doubleBefore[i] as number;
      const model = this.#model.doubleBytes[i] as SymbolModel;
      const byte = before ^ model.code(coder, doubleView.getUint8(i) ^ before);
      this.#doubleBefore[i] = byte;
      doubleView.setUint8(i, byte);
    }
    const coded = doubleView.getFloat64(0);
    if (!Number.isFinite(coded)) throw new ColumnsError('no finite number');
    return coded;
  }

  /** A text by its place among those that this slot has met; one past the last place for a new one. */
  #codeText(coder: BitCoder, place: number, texts: TextNumbers): number {
    const met = this.#model.texts;
    const coded = this.#textPlaces.code(coder, place, 0);
    if (coded < 0 || coded > met.length) throw new ColumnsError('unknown text');
    if (coded === met.length) met.push(texts.next());
    return coded;
  }
}
