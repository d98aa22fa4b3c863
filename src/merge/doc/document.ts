/**
 * A document as the hub holds it (MERGE.md §9): the union of the updates that came, in one form that depends on nothing
 * else. It is read and written as Yjs does, without Yjs and without knowing what the document means: no types, no
 * order of letters, only units, which a set of updates gives or does not give, and which of them are deleted.
 *
 * Merging touches the neighbourhood of what comes, so that a letter costs the same in a long document as in a short one.
 */
import { type ClockRange, firstEndingAt, unionOf } from './ranges.ts';
import { DocError } from './lib0-reader.ts';
import { type ClientChange, type DocChange, readUpdate } from './read-update.ts';
import { deletedRun, endOf, greater, type Run, RunList, sliceRun } from './run.ts';
import { writeUpdate, type WriteOptions } from './write-update.ts';

interface Client {
  runs: Run[];
  deleted: ClockRange[];
}

/** What a person may want to know of a document without opening it. */
interface DocSummary {
  /** Names of its roots, as far as they show. */
  readonly roots: readonly string[];
  /** Yjs clients that wrote in it. */
  readonly clients: number;
  /** Letters, values and the like that ever were. */
  readonly units: number;
  readonly deleted: number;
  /** Whether parts are still to come, on which others hang. */
  readonly hasGaps: boolean;
}

/** Why the bytes are no update, or undefined where they are one. */
export function unfitUpdate(bytes: Uint8Array): string | undefined {
  const change = changeIn(bytes);
  return typeof change === 'string' ? change : undefined;
}

/** What an update brings, or why it brings nothing. */
export function changeIn(bytes: Uint8Array): DocChange | string {
  try {
    const change = readUpdate(bytes);
    return change.clients.size === 0 ? 'it says nothing' : change;
  } catch (error) {
    if (error instanceof DocError) return error.message;
    throw error;
  }
}

export class Document {
  readonly #clients = new Map<number, Client>();

  /** Reads what `encode` wrote; throws `DocError` where it is something else. */
  static decode(state: Uint8Array): Document {
    const document = new Document();
    document.merge(readUpdate(state, true));
    return document;
  }

  get isEmpty(): boolean {
    return this.#clients.size === 0;
  }

  /** Takes an update in; in any order, as often as it comes. */
  merge({ clients }: DocChange): void {
    for (const [client, part] of clients) {
      let known = this.#clients.get(client);
      if (known === undefined) {
        known = { runs: [], deleted: [] };
        this.#clients.set(client, known);
      }
      mergeClient(client, known, part);
    }
  }

  /** By how many bytes the state would be longer with the update, negative where it would be shorter. */
  growthBy({ clients }: DocChange): number {
    let growth = 0;
    for (const [client, part] of clients) {
      const known = this.#clients.get(client) ?? { runs: [], deleted: [] };
      const after = { runs: [...known.runs], deleted: [...known.deleted] };
      mergeClient(client, after, part);
      growth += bytesOf(client, after) - bytesOf(client, known);
    }
    return growth;
  }

  /** The state: equal bytes for equal sets of updates. */
  encode(): Uint8Array {
    return writeUpdate(this.#clients);
  }

  /** An update for Yjs: all, or what is beyond what the reader has. */
  update(known?: WriteOptions['known']): Uint8Array {
    return writeUpdate(this.#clients, { known, forYjs: true });
  }

  summary(): DocSummary {
    const roots = new Set<string>();
    let units = 0;
    let deleted = 0;
    let hasGaps = false;
    for (const { runs, deleted: ranges } of this.#clients.values()) {
      let clock = 0;
      for (const run of runs) {
        if (run.clock !== clock) hasGaps = true;
        clock = endOf(run);
        units += run.length;
        if (typeof run.place?.parent === 'string') roots.add(run.place.parent);
      }
      for (const { from, to } of ranges) deleted += to - from;
      if ((ranges.at(-1)?.to ?? 0) > clock) hasGaps = true;
    }
    const clients = this.#clients.size;
    return { roots: [...roots].toSorted(), clients, units, deleted, hasGaps };
  }
}

function bytesOf(client: number, part: Client): number {
  return writeUpdate(new Map([[client, part]])).length;
}

function mergeClient(client: number, known: Client, { runs, deleted }: ClientChange): void {
  if (deleted.length > 0) {
    const from = (deleted[0] as ClockRange).from;
    const to = (deleted.at(-1) as ClockRange).to;
    const first = firstEndingAt(known.deleted, from, (range) => range.to);
    let last = first;
    while (last < known.deleted.length && (known.deleted[last] as ClockRange).from <= to) last += 1;
    replace(known.deleted, first, last, unionOf(known.deleted.slice(first, last), deleted));
  }
  const starts = [runs[0]?.clock, deleted[0]?.from].filter((clock) => clock !== undefined);
  const ends = [runs.at(-1), deleted.at(-1)].map((part) =>
    part === undefined ? 0 : 'to' in part ? part.to : endOf(part),
  );
  const [from, to] = [Math.min(...starts), Math.max(...ends)];
  const first = firstEndingAt(known.runs, from, endOf);
  let last = first;
  while (last < known.runs.length && (known.runs[last] as Run).clock <= to) last += 1;
  const here = known.runs.slice(first, last);
  const start = Math.min(from, here[0]?.clock ?? from);
  const gone = known.deleted.slice(firstEndingAt(known.deleted, start, (range) => range.to));
  const list = new RunList(client);
  const both = [deletedIn(client, here, gone), deletedIn(client, runs, gone)] as const;
  for (const run of merged(client, ...both)) list.push(run);
  replace(known.runs, first, last, list.runs);
}

/** `splice`, which takes only so many arguments. */
function replace<T>(items: T[], from: number, to: number, by: readonly T[]): void {
  if (by.length < 1000) {
    items.splice(from, to - from, ...by);
    return;
  }
  const rest = items.slice(to);
  items.length = from;
  for (const item of by) items.push(item);
  for (const item of rest) items.push(item);
}

/** The runs, cut where a deleted range begins or ends, and without what was deleted. */
function* deletedIn(
  client: number,
  runs: readonly Run[],
  ranges: readonly ClockRange[],
): Generator<Run> {
  let index = 0;
  for (const run of runs) {
    const end = endOf(run);
    for (let at = run.clock; at < end;) {
      while (index < ranges.length && (ranges[index] as ClockRange).to <= at) index += 1;
      const range = ranges[index];
      const isDeleted = range !== undefined && range.from <= at;
      const next = isDeleted ? range.to : (range?.from ?? end);
      const piece = sliceRun(client, run, at, Math.min(next, end));
      yield isDeleted ? deletedRun(piece) : piece;
      at = Math.min(next, end);
    }
  }
}

/** Both, ascending; where they overlap, the greater of each unit. */
function* merged(client: number, a: Iterable<Run>, b: Iterable<Run>): Generator<Run> {
  const [left, right] = [cursor(client, a), cursor(client, b)];
  for (;;) {
    const [l, r] = [left.peek(), right.peek()];
    if (l === undefined || r === undefined) {
      const rest = l === undefined ? right : left;
      for (let run = rest.peek(); run !== undefined; run = rest.peek()) {
        yield run;
        rest.passTo(endOf(run));
      }
      return;
    }
    if (l.clock !== r.clock) {
      const [side, run, other] = l.clock < r.clock ? [left, l, r] : [right, r, l];
      const to = Math.min(endOf(run), other.clock);
      yield sliceRun(client, run, run.clock, to);
      side.passTo(to);
      continue;
    }
    const to = Math.min(endOf(l), endOf(r));
    const here = (run: Run): Run => sliceRun(client, run, run.clock, to);
    yield* greater(client, here(l), here(r));
    left.passTo(to);
    right.passTo(to);
  }
}

interface Cursor {
  /** The run at hand, without what has been passed. */
  peek(): Run | undefined;
  passTo(clock: number): void;
}

function cursor(client: number, runs: Iterable<Run>): Cursor {
  const iterator = runs[Symbol.iterator]();
  let run: Run | undefined = iterator.next().value as Run | undefined;
  return {
    peek: () => run,
    passTo: (clock) => {
      if (run === undefined) return;
      if (clock < endOf(run)) run = sliceRun(client, run, clock, endOf(run));
      else run = iterator.next().value as Run | undefined;
    },
  };
}
