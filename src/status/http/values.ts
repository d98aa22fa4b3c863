/** Payloads and fields as JSON and CSV can show them. */
import { textOf } from '../../base/bytes.ts';
import { base64Of, jsonOfBytes, type JsonValue } from '../../codec/json.ts';

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

/** A cell of RFC 4180. What a spreadsheet would take for a formula is defused with an apostrophe. */
export function csvCell(value: Uint8Array | string): string {
  const text = typeof value === 'string' ? value : (textOf(value) ?? base64Of(value));
  const isNumber = /^[-+]?[\d.]+([eE][-+]?\d+)?$/.test(text);
  const safe = !isNumber && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
