/** Payloads and fields as JSON and CSV can show them. */
import { textOf } from '../base/bytes.ts';
import { CborReader } from '../codec/reader.ts';
import type { CborValue } from '../codec/value.ts';

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** JSON where the payload is JSON, else its text, else its bytes. */
export function jsonOfPayload(payload: Uint8Array): JsonValue {
  const text = textOf(payload);
  if (text === undefined) return jsonOfBytes(payload);
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

/** A field's CBOR as JSON; byte strings become `{ "base64": … }`, as do bytes that are no CBOR. */
export function jsonOfCbor(bytes: Uint8Array): JsonValue {
  try {
    return jsonOfValue(new CborReader(bytes).value());
  } catch {
    return jsonOfBytes(bytes);
  }
}

function jsonOfValue(value: CborValue): JsonValue {
  if (value instanceof Uint8Array) return jsonOfBytes(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (isMap(value)) {
    return Object.fromEntries([...value].map(([key, item]) => [String(key), jsonOfValue(item)]));
  }
  return value.map((item) => jsonOfValue(item));
}

function isMap(value: object): value is ReadonlyMap<string | number, CborValue> {
  return value instanceof Map;
}

function jsonOfBytes(bytes: Uint8Array): JsonValue {
  return { base64: base64Of(bytes) };
}

function base64Of(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** A cell of RFC 4180. What a spreadsheet would take for a formula is defused with an apostrophe. */
export function csvCell(value: Uint8Array | string): string {
  const text = typeof value === 'string' ? value : (textOf(value) ?? base64Of(value));
  const isNumber = /^[-+]?[\d.]+([eE][-+]?\d+)?$/.test(text);
  const safe = !isNumber && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
