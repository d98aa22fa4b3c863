/** Numbers of JSON payloads, and what a series of them comes to. */
import { textOf } from '../../base/bytes.ts';

interface FieldSummary {
  min: number;
  max: number;
  mean: number;
  last: number;
  /** Readings that had the field. */
  count: number;
}

/** Field (`temp`, `battery.volts`; `value` for a bare number) → summary. */
export type Summary = Record<string, FieldSummary>;

/** Fields of one payload that count; further ones are left out. */
const FIELDS_MAX = 64;
const DEPTH_MAX = 3;

/** The numbers in a payload; none where it is not JSON. */
export function numbersIn(payload: Uint8Array): Map<string, number> {
  const numbers = new Map<string, number>();
  if (!mayBeJson(payload[0])) return numbers;
  const text = textOf(payload);
  if (text === undefined) return numbers;
  try {
    collect(JSON.parse(text), '', 0, numbers);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return numbers;
}

/** True for what an object, a number or white space begins with. */
function mayBeJson(first: number | undefined): boolean {
  if (first === undefined) return false;
  return first === 0x7b || first === 0x2d || first <= 0x20 || (first >= 0x30 && first <= 0x39);
}

function collect(value: unknown, path: string, depth: number, into: Map<string, number>): void {
  if (into.size >= FIELDS_MAX) return;
  if (typeof value === 'number') {
    // JSON can say more than a double can hold (1e999); of that nothing could be summed up.
    if (Number.isFinite(value)) into.set(path === '' ? 'value' : path, value);
  } else if (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    depth < DEPTH_MAX
  ) {
    for (const [name, inner] of Object.entries(value)) {
      collect(inner, path === '' ? name : `${path}.${name}`, depth + 1, into);
    }
  }
}

/** Adds a payload's numbers, taken to be later than all before. */
export function addToSummary(summary: Summary, numbers: ReadonlyMap<string, number>): void {
  for (const [field, value] of numbers) {
    const known = Object.hasOwn(summary, field) ? summary[field] : undefined;
    if (known === undefined) {
      summary[field] = { min: value, max: value, mean: value, last: value, count: 1 };
      continue;
    }
    known.count += 1;
    known.min = Math.min(known.min, value);
    known.max = Math.max(known.max, value);
    known.mean += (value - known.mean) / known.count;
    known.last = value;
  }
}
