/**
 * UTF-8 that can also hold half of a surrogate pair (WTF-8, https://simonsapin.github.io/wtf-8/). Yjs counts text in UTF-16
 * units, so where two updates claim the same place, half of a pair may be left standing; a state must keep it as it
 * is, or it would depend on the order of arrival.
 */
import { textOf, utf8 } from '../../base/bytes.ts';

const HIGH_FIRST = 0xd800;
const LOW_FIRST = 0xdc00;
const SURROGATES_END = 0xe000;

function isWellFormed(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < HIGH_FIRST || unit >= SURROGATES_END) continue;
    if (unit >= LOW_FIRST || !isLow(text.charCodeAt(i + 1))) return false;
    i += 1;
  }
  return true;
}

/** With U+FFFD for each half of a pair, as Yjs puts it there itself. */
export function wellFormed(text: string): string {
  if (isWellFormed(text)) return text;
  return Array.from(text, (point) => (isWellFormed(point) ? point : '\ufffd')).join('');
}

export function wtf8(text: string): Uint8Array {
  if (isWellFormed(text)) return utf8(text);
  const bytes: number[] = [];
  for (const point of text) {
    const unit = point.charCodeAt(0);
    if (isWellFormed(point)) bytes.push(...utf8(point));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  }
  return Uint8Array.from(bytes);
}

/** Reads what `wtf8` wrote; undefined where it is something else. */
export function textOfWtf8(bytes: Uint8Array): string | undefined {
  let text = '';
  let start = 0;
  for (let at = 0; at < bytes.length; at++) {
    const second = bytes[at + 1];
    const third = bytes[at + 2];
    if (bytes[at] !== 0xed || second === undefined || third === undefined) continue;
    if (second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) continue;
    const before = textOf(bytes.subarray(start, at));
    if (before === undefined) return undefined;
    text += before + String.fromCharCode(HIGH_FIRST | ((second & 0x1f) << 6) | (third & 0x3f));
    at += 2;
    start = at + 1;
  }
  const rest = textOf(bytes.subarray(start));
  return rest === undefined ? undefined : text + rest;
}

function isLow(unit: number): boolean {
  return unit >= LOW_FIRST && unit < SURROGATES_END;
}
