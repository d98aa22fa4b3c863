/**
 * Writes DER (X.690), as much of it as our certificates need (certificate.ts). Nothing is read here: Node's own
 * `X509Certificate` does that, and it checks what it reads.
 */
import { concatBytes, utf8 } from '../../base/bytes.ts';

const SEQUENCE = 0x30;
const SET = 0x31;
const UTF8_STRING = 0x0c;
const BYTE_LIMIT = 0x100;
const LONG_FORM = 0x80;

/** Tag, length, content. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(parts);
  return concatBytes([Uint8Array.of(tag), lengthBytes(content.length), content]);
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return der(SEQUENCE, ...parts);
}

export function set(...parts: readonly Uint8Array[]): Uint8Array {
  return der(SET, ...parts);
}

/** `1.2.840.10045.4.3.2` → OBJECT IDENTIFIER (X.690 §8.19). */
export function objectId(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) bytes.push(...base128(arc));
  return der(0x06, Uint8Array.from(bytes));
}

/** A positive INTEGER from its big-endian bytes. */
export function positiveInteger(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? Uint8Array.of(0) : bytes.subarray(start);
  const isNegative = (digits[0] as number) >= 0x80;
  return der(0x02, ...(isNegative ? [Uint8Array.of(0), digits] : [digits]));
}

export function utf8String(text: string): Uint8Array {
  return der(UTF8_STRING, utf8(text));
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return der(0x04, bytes);
}

/** BIT STRING of whole bytes, or with `unusedBits` at its end. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return der(0x03, Uint8Array.of(unusedBits), bytes);
}

export const DER_TRUE = Uint8Array.of(0x01, 0x01, 0xff);

/** `[number]`, constructed. */
export function explicit(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return der(0xa0 | number, ...parts);
}

/** `[number] IMPLICIT` of a primitive type. */
export function implicit(number: number, content: Uint8Array): Uint8Array {
  return der(0x80 | number, content);
}

function lengthBytes(length: number): Uint8Array {
  if (length < LONG_FORM) return Uint8Array.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / BYTE_LIMIT)) {
    bytes.unshift(rest % BYTE_LIMIT);
  }
  return Uint8Array.of(LONG_FORM | bytes.length, ...bytes);
}

function base128(value: number): number[] {
  const digits = [value % LONG_FORM];
  for (let rest = Math.floor(value / LONG_FORM); rest > 0; rest = Math.floor(rest / LONG_FORM)) {
    digits.unshift((rest % LONG_FORM) | LONG_FORM);
  }
  return digits;
}
