/**
 * What stands in a slot of a template: the text of a number, a time, or any text at all (COLUMNS.md §2.3). A text
 * is taken as a number only where the number gives back the very same text; otherwise it stays the text it is.
 */
import type { ByteSink } from './byte-sink.ts';

/** Shapes 0 … 9: a decimal with as many digits behind the point; its number is the text without the point. */
export const DIGITS_MAX = 9;
/** The shortest text of a double (ECMAScript Number::toString), which is what most programs print. */
export const DOUBLE = 10;
/** The same of a double that fits 32 bits, as sensors send it; its number is what `orderOfSingle` makes of it. */
export const SINGLE = 11;
/** Anything else; its number is an index into the texts. */
export const TEXT = 12;
/** `2026-03-01T06:10:00.000Z`, the number counting milliseconds since 1970. */
export const ISO_MS = 13;
/** `2026-03-01T06:10:00Z`, the number counting seconds since 1970. */
export const ISO_S = 14;
export const SHAPES = 15;

/** Decimals have at most this many digits in all, so that they are exact. */
const DECIMAL_LENGTH_MAX = 15;
/** Decimals of nine digits and more, without their point, may be 32-bit floats. */
const SINGLE_LEAST = 100_000_000;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const DAY_MS = 86_400_000;
const YEAR_MAX = 9999;

export const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** Reads slot texts; `shape` and `number` hold what the last call found. */
export class SlotReader {
  shape = TEXT;
  number = 0;

  /** Finds the shape of the text `bytes[from … to)`; for TEXT the caller supplies the number. */
  read(bytes: Uint8Array, from: number, to: number): void {
    if (this.#decimal(bytes, from, to)) return;
    this.shape = TEXT;
    const length = to - from;
    if (length === 0 || length > 25) return;
    if (length === 20 || length === 24) {
      if (this.#isoTime(bytes, from, length)) return;
    }
    const text = String.fromCharCode(...bytes.subarray(from, to));
    const number = Number(text);
    if (!Number.isFinite(number) || String(number) !== text) return;
    const isSingle = Math.fround(number) === number;
    this.shape = isSingle ? SINGLE : DOUBLE;
    this.number = isSingle ? orderOfSingle(number) : number;
  }

  /** One pass over `-?(0|[1-9][0-9]*)(.[0-9]+)?`, without minus zero, which integers cannot keep. */
  #decimal(bytes: Uint8Array, from: number, to: number): boolean {
    const isNegative = bytes[from] === MINUS;
    const start = isNegative ? from + 1 : from;
    if (to - start > DECIMAL_LENGTH_MAX || to === start) return false;
    let size = 0;
    let pointAt = to;
    for (let i = start; i < to; i++) {
      const digit = (bytes[i] as number) - ZERO;
      if (digit >= 0 && digit <= 9) size = size * 10 + digit;
      else if (bytes[i] === POINT && pointAt === to && i > start) pointAt = i;
      else return false;
    }
    if (bytes[start] === ZERO && pointAt > start + 1) return false;
    const digits = pointAt === to ? 0 : to - pointAt - 1;
    if ((pointAt < to && digits === 0) || digits > DIGITS_MAX) return false;
    if (isNegative && size === 0) return false;
    const number = isNegative ? -size : size;
    if (digits > 0 && size >= SINGLE_LEAST && size % 10 !== 0) {
      // More digits than anyone measures: most likely a 32-bit float, printed in full.
      const value = number / (POWERS_OF_TEN[digits] as number);
      if (Math.fround(value) === value && Math.abs(value) >= 1) {
        this.shape = SINGLE;
        this.number = orderOfSingle(value);
        return true;
      }
    }
    this.shape = digits;
    this.number = number;
    return true;
  }

  #isoTime(bytes: Uint8Array, from: number, length: number): boolean {
    const at = (offset: number, count: number): number => digitsAt(bytes, from + offset, count);
    const dayNumber = dayOf(at(0, 4), at(5, 2), at(8, 2));
    const seconds = at(11, 2) * 3600 + at(14, 2) * 60 + at(17, 2);
    const isMs = length === 24;
    const value = isMs
      ? dayNumber * DAY_MS + seconds * 1000 + at(20, 3)
      : dayNumber * (DAY_MS / 1000) + seconds;
    const shape = isMs ? ISO_MS : ISO_S;
    if (!isIsoNumber(shape, value)) return false;
    const written = isoText(shape, value);
    for (let i = 0; i < length; i++) {
      if (bytes[from + i] !== written.charCodeAt(i)) return false;
    }
    this.shape = shape;
    this.number = value;
    return true;
  }
}

/** Digits as a number; NaN where there are others. */
function digitsAt(bytes: Uint8Array, from: number, count: number): number {
  let value = 0;
  for (let i = from; i < from + count; i++) {
    const digit = (bytes[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

const singleView = new DataView(new ArrayBuffer(4));
const SINGLE_SIGN = 0x80000000;
const SINGLE_INFINITY = 0x7f800000;

/** The place of a 32-bit float among all of them: neighbours have numbers that follow each other. */
export function orderOfSingle(value: number): number {
  singleView.setFloat32(0, value);
  const bits = singleView.getUint32(0);
  return bits < SINGLE_SIGN ? bits : SINGLE_SIGN - bits;
}

/** Undefined for what is no place of a finite number. */
export function singleOfOrder(order: number): number | undefined {
  if (Math.abs(order) >= SINGLE_INFINITY) return undefined;
  singleView.setUint32(0, order < 0 ? SINGLE_SIGN - order : order);
  return singleView.getFloat32(0);
}

/** Writes the decimal of `digits` digits behind the point. */
export function writeDecimal(sink: ByteSink, value: number, digits: number): void {
  const size = Math.abs(value);
  if (value < 0) sink.byte(MINUS);
  if (digits === 0) return sink.digits(size, 1);
  const unit = POWERS_OF_TEN[digits] as number;
  const whole = Math.floor(size / unit);
  sink.digits(whole, 1);
  sink.byte(POINT);
  sink.digits(size - whole * unit, digits);
}

/** True for moments of the years 0000 to 9999, which the text can hold. */
export function isIsoNumber(shape: number, value: number): boolean {
  const day = Math.floor(value / (shape === ISO_MS ? DAY_MS : DAY_MS / 1000));
  return day >= dayOf(0, 1, 1) && day <= dayOf(YEAR_MAX, 12, 31);
}

export function isoText(shape: number, value: number): string {
  const ms = shape === ISO_MS ? value : value * 1000;
  const day = Math.floor(ms / DAY_MS);
  const inDay = ms - day * DAY_MS;
  const seconds = Math.floor(inDay / 1000);
  const clock = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) =>
    padded(Math.floor(part), 2),
  );
  const fraction = shape === ISO_MS ? `.${padded(inDay % 1000, 3)}` : '';
  return `${dateText(day)}T${clock.join(':')}${fraction}Z`;
}

function padded(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

/*
 * Days since 1970-01-01 in the proleptic Gregorian calendar, in years that begin in March, so that the leap day
 * comes last (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
 */
const EPOCH_DAY = 719_468;

function dayOf(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - EPOCH_DAY;
}

function dateText(dayNumber: number): string {
  const shifted = dayNumber + EPOCH_DAY;
  const era = Math.floor(shifted / 146_097);
  const day = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (day - Math.floor(day / 1460) + Math.floor(day / 36_524) - Math.floor(day / 146_096)) / 365,
  );
  const dayOfYear =
    day - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const dayOfMonth = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${padded(year, 4)}-${padded(month, 2)}-${padded(dayOfMonth, 2)}`;
}
