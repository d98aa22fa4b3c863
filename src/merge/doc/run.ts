/**
 * What a document is made of (MERGE.md §9): units, each named by (client, clock). Neighbours that continue one another lie
 * in a run. Two updates of the same document give the same unit the same content, unless somebody lies or has dropped
 * what was deleted; then the greater of the two counts, by a total order, so that no order of arrival shows.
 */
import { compareBytes } from '../../base/bytes.ts';

/** Name of a unit. */
export interface UnitId {
  readonly client: number;
  readonly clock: number;
}

/** Where the first unit of a run belongs; each other unit has the one before as its `origin`, and the same `right`. */
export interface Place {
  readonly origin: UnitId | undefined;
  readonly right: UnitId | undefined;
  /** Name of a root, or the unit that holds the type; only where neither origin nor right says it. */
  readonly parent: string | UnitId | undefined;
  /** Key in a map. */
  readonly sub: string | undefined;
}

export const DELETED_REF = 1;
export const JSON_REF = 2;
export const BINARY_REF = 3;
export const STRING_REF = 4;
export const EMBED_REF = 5;
export const FORMAT_REF = 6;
export const TYPE_REF = 7;
export const ANY_REF = 8;
export const DOC_REF = 9;

export type Content =
  | { readonly ref: typeof DELETED_REF }
  /** One UTF-16 unit each. */
  | { readonly ref: typeof STRING_REF; readonly text: string }
  /** One encoded value each. */
  | { readonly ref: typeof JSON_REF | typeof ANY_REF; readonly values: readonly Uint8Array[] }
  /** One unit, encoded. */
  | {
      readonly ref:
        typeof BINARY_REF | typeof EMBED_REF | typeof FORMAT_REF | typeof TYPE_REF | typeof DOC_REF;
      readonly bytes: Uint8Array;
    };

export interface Run {
  readonly clock: number;
  readonly length: number;
  /** Undefined where only the fact is left that something was here (Yjs: GC). */
  readonly place: Place | undefined;
  readonly content: Content;
}

export const DELETED: Content = { ref: DELETED_REF };

export function endOf({ clock, length }: Run): number {
  return clock + length;
}

/** The part of the run from `from` up to before `to`, which lie in it. */
export function sliceRun(client: number, run: Run, from: number, to: number): Run {
  const { clock, length, place, content } = run;
  if (from === clock && to === clock + length) return run;
  const [start, end] = [from - clock, to - clock];
  const placeHere =
    place === undefined || start === 0
      ? place
      : {
          origin: { client, clock: from - 1 },
          right: place.right,
          parent: undefined,
          sub: undefined,
        };
  return {
    clock: from,
    length: to - from,
    place: placeHere,
    content: sliceContent(content, start, end),
  };
}

function sliceContent(content: Content, start: number, end: number): Content {
  if (content.ref === STRING_REF) return { ref: STRING_REF, text: content.text.slice(start, end) };
  if (content.ref === JSON_REF || content.ref === ANY_REF) {
    return { ref: content.ref, values: content.values.slice(start, end) };
  }
  return content;
}

/** The run as it is once it is deleted: its content is gone, its place stays. */
export function deletedRun(run: Run): Run {
  return run.content.ref === DELETED_REF ? run : { ...run, content: DELETED };
}

/**
 * Of two runs over the same units, the greater of each unit; by one run, or by one for the first unit and one for the
 * rest, in which units differ by their content alone.
 */
export function greater(client: number, a: Run, b: Run): Run[] {
  if (a.place === undefined) return [b];
  if (b.place === undefined) return [a];
  const { clock } = a;
  const first = (run: Run): Run => sliceRun(client, run, clock, clock + 1);
  const order =
    comparePlaces(a.place, b.place) || compareContents(first(a).content, first(b).content);
  const winner = order < 0 ? b : a;
  if (a.length === 1) return [winner];
  const rest = (run: Run): Run => sliceRun(client, run, clock + 1, endOf(run));
  return [first(winner), greaterRest(rest(a), rest(b))];
}

function greaterRest(a: Run, b: Run): Run {
  const order = compareIds(a.place?.right, b.place?.right) || a.content.ref - b.content.ref;
  if (order !== 0) return order < 0 ? b : a;
  return { ...a, content: greaterContent(a.content, b.content) };
}

/** Unit by unit; both are of one kind and length. */
function greaterContent(a: Content, b: Content): Content {
  if (a.ref === STRING_REF && b.ref === STRING_REF) {
    if (a.text === b.text) return a;
    const units = Array.from({ length: a.text.length }, (_, i) =>
      Math.max(a.text.charCodeAt(i), b.text.charCodeAt(i)),
    );
    return { ref: STRING_REF, text: units.map((unit) => String.fromCharCode(unit)).join('') };
  }
  if ('values' in a && 'values' in b) {
    const values = a.values.map((value, i) => {
      const other = b.values[i] as Uint8Array;
      return compareBytes(value, other) < 0 ? other : value;
    });
    return { ref: a.ref, values };
  }
  return a;
}

function comparePlaces(a: Place, b: Place): number {
  return (
    compareIds(a.origin, b.origin) ||
    compareIds(a.right, b.right) ||
    compareParents(a.parent, b.parent) ||
    compareTexts(a.sub, b.sub)
  );
}

function compareIds(a: UnitId | undefined, b: UnitId | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return a.client - b.client || a.clock - b.clock;
}

function compareParents(a: Place['parent'], b: Place['parent']): number {
  if (typeof a === 'object' && typeof b === 'object') return compareIds(a, b);
  if (typeof a === 'object' || typeof b === 'object') return typeof a === 'object' ? 1 : -1;
  return compareTexts(a, b);
}

function compareTexts(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  return a === undefined || (b !== undefined && a < b) ? -1 : 1;
}

/** Of single units. */
function compareContents(a: Content, b: Content): number {
  if (a.ref !== b.ref) return a.ref - b.ref;
  if ('bytes' in a && 'bytes' in b) return compareBytes(a.bytes, b.bytes);
  if ('text' in a && 'text' in b) return compareTexts(a.text, b.text);
  if ('values' in a && 'values' in b) {
    return compareBytes(a.values[0] as Uint8Array, b.values[0] as Uint8Array);
  }
  return 0;
}

/** Runs in ascending order, each joined to the one before where it continues it: the one form of the same units. */
export class RunList {
  readonly #client: number;
  readonly runs: Run[] = [];
  /** Values of the last run, where this list made the array. */
  #ownValues: Uint8Array[] | undefined;

  constructor(client: number) {
    this.#client = client;
  }

  push(run: Run): void {
    const last = this.runs.at(-1);
    if (last === undefined || !this.#continues(last, run)) {
      this.runs.push(run);
      this.#ownValues = undefined;
      return;
    }
    const length = last.length + run.length;
    const content = this.#joined(last.content, run.content);
    this.runs[this.runs.length - 1] = { ...last, length, content };
  }

  #continues(last: Run, run: Run): boolean {
    if (endOf(last) !== run.clock) return false;
    if (last.place === undefined || run.place === undefined) return last.place === run.place;
    const { origin, right } = run.place;
    if (origin?.client !== this.#client || origin.clock !== run.clock - 1) return false;
    if (compareIds(last.place.right, right) !== 0) return false;
    return last.content.ref === run.content.ref && !('bytes' in run.content);
  }

  #joined(a: Content, b: Content): Content {
    if (a.ref === STRING_REF && b.ref === STRING_REF) {
      return { ref: STRING_REF, text: a.text + b.text };
    }
    if (!('values' in a) || !('values' in b)) return a;
    // One array that grows, or a run of n values that come one by one would be copied n times.
    this.#ownValues ??= [...a.values];
    for (const value of b.values) this.#ownValues.push(value);
    return { ref: a.ref, values: this.#ownValues };
  }
}
