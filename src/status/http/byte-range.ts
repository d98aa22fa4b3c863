/** Ranges of bytes in HTTP headers (RFC 9110 §14): what a reader asks for, and what part a sender brings. */

export interface ByteRange {
  /** Where it begins, and where it ends, the end excluded. */
  readonly from: number;
  readonly to: number;
  /** Of the whole. */
  readonly size: number;
}

const DIGITS_MAX = 15;

/** The single range that `Range` asks for, ends included; undefined: all of it. Several ranges are answered with all. */
export function rangeOf(
  header: string | null,
  size: number,
): { readonly from: number; readonly to: number } | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (first.length > DIGITS_MAX || last.length > DIGITS_MAX) return undefined;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const count = Math.min(Number(last), size);
    return count === 0 ? 'unsatisfiable' : { from: size - count, to: size - 1 };
  }
  const from = Number(first);
  const to = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < from) return undefined;
  return from >= size ? 'unsatisfiable' : { from, to };
}

/** What part of the whole a request brings: by `Content-Range`, else all of it; undefined where it cannot be told. */
export function contentRangeOf(headers: Headers): ByteRange | undefined {
  const header = headers.get('content-range');
  const length = headers.get('content-length') ?? '';
  const bytes = /^\d{1,15}$/.test(length) ? Number(length) : header === null ? undefined : 0;
  if (bytes === undefined) return undefined;
  if (header === null) return { from: 0, to: bytes, size: bytes };
  const asked = /^bytes \*\/(\d{1,15})$/.exec(header.trim());
  if (asked !== null) return bytes === 0 ? { from: 0, to: 0, size: Number(asked[1]) } : undefined;
  const [, first, last, whole] =
    /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header.trim()) ?? [];
  if (whole === undefined) return undefined;
  const range = { from: Number(first), to: Number(last) + 1, size: Number(whole) };
  const isSound = range.to - range.from === bytes && bytes > 0 && range.to <= range.size;
  return isSound ? range : undefined;
}
