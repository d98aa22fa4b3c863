/**
 * Which keys a device wants: some by their beginning, some by name. The empty prefix is everything. Kept in one
 * normal form, ascending ranges of key bytes that do not touch each other, so that a walk over the state passes each
 * key once and has one position.
 */
import { compareBytes, concatBytes, isLongerThan, utf8 } from '../base/bytes.ts';
import { CborError, type CborReader } from '../codec/reader.ts';
import type { CborWriter } from '../codec/writer.ts';
import { KEY_BYTES_MAX } from '../model/op.ts';
import { SCOPE_PARTS_MAX } from './limits.ts';

export interface Scope {
  readonly prefixes: readonly string[];
  readonly keys: readonly string[];
}

/** Keys from `from` on, before `to`, by their UTF-8. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export const EVERYTHING: Scope = { prefixes: [''], keys: [] };
/** No byte of UTF-8 is 0xff: it comes after all names with a prefix and before all others. */
const AFTER_PREFIX = Uint8Array.of(0xff);
const AFTER_KEY = Uint8Array.of(0);

export function isInScope({ prefixes, keys }: Scope, key: string): boolean {
  return prefixes.some((prefix) => key.startsWith(prefix)) || keys.includes(key);
}

/** The scope as ascending, disjoint ranges. */
export function rangesOf({ prefixes, keys }: Scope): KeyRange[] {
  const ranges = [
    ...prefixes.map((prefix) => rangeFrom(utf8(prefix), AFTER_PREFIX)),
    ...keys.map((key) => rangeFrom(utf8(key), AFTER_KEY)),
  ].toSorted((a, b) => compareBytes(a.from, b.from));
  const merged: KeyRange[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last === undefined || compareBytes(range.from, last.to) >= 0) merged.push(range);
    else if (compareBytes(range.to, last.to) > 0) {
      merged[merged.length - 1] = { from: last.from, to: range.to };
    }
  }
  return merged;
}

function rangeFrom(from: Uint8Array, end: Uint8Array): KeyRange {
  return { from, to: concatBytes([from, end]) };
}

export function writeScope(writer: CborWriter, { prefixes, keys }: Scope): void {
  writer.array(2);
  for (const texts of [prefixes, keys]) {
    writer.array(texts.length);
    for (const text of texts) writer.text(text);
  }
}

/** Throws `CborError` where it is no scope, or names nothing. */
export function readScope(reader: CborReader): Scope {
  const start = reader.offset;
  reader.expectArray(2);
  const prefixes = readTexts(reader);
  const keys = readTexts(reader);
  const count = prefixes.length + keys.length;
  if (count === 0 || count > SCOPE_PARTS_MAX) {
    throw new CborError('a scope has 1 to 64 parts', start);
  }
  return { prefixes, keys };
}

function readTexts(reader: CborReader): string[] {
  const count = reader.array();
  if (count > SCOPE_PARTS_MAX) throw new CborError('a scope has 1 to 64 parts', reader.offset);
  return Array.from({ length: count }, () => {
    const text = reader.text();
    if (isLongerThan(text, KEY_BYTES_MAX)) throw new CborError('a key is too long', reader.offset);
    return text;
  });
}
