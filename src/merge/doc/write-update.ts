/** Writes a document as a Yjs update, version 1: the one encoding of the same units. */
import { utf8 } from '../../base/bytes.ts';
import type { ByClient, ClientChange } from './read-update.ts';
import { DELETED_REF, endOf, type Run, sliceRun, STRING_REF, type UnitId } from './run.ts';
import { wellFormed, wtf8 } from './wtf8.ts';

const HAS_ORIGIN = 0x80;
const HAS_RIGHT = 0x40;
const HAS_SUB = 0x20;
const GC_REF = 0;
const SKIP_REF = 10;

export interface WriteOptions {
  /** What the reader has already: of each client, all units before the clock. */
  readonly known?: ReadonlyMap<number, number> | undefined;
  /** Whether Yjs shall read it, which takes no half of a surrogate pair. */
  readonly forYjs?: boolean;
}

/** Clients and ranges come in descending order of the client, as Yjs has them. */
export function writeUpdate(byClient: ByClient, options: WriteOptions = {}): Uint8Array {
  const { known, forYjs = false } = options;
  const writer = new Lib0Writer(forYjs);
  const clients = [...byClient].toSorted(([a], [b]) => b - a);
  const blocks = clients
    .map(([client, { runs }]) => ({ client, runs: runsFrom(client, runs, known?.get(client)) }))
    .filter(({ runs }) => runs.length > 0);
  writer.uint(blocks.length);
  for (const { client, runs } of blocks) writeRuns(writer, client, runs);
  const deletes = clients.filter(([, { deleted }]) => deleted.length > 0);
  writer.uint(deletes.length);
  for (const [client, { deleted }] of deletes) {
    writer.uint(client).uint(deleted.length);
    for (const { from, to } of deleted) writer.uint(from).uint(to - from);
  }
  return writer.finish();
}

function runsFrom(client: number, runs: ClientChange['runs'], known = 0): readonly Run[] {
  if (known === 0) return runs;
  return runs
    .filter((run) => endOf(run) > known)
    .map((run) => (run.clock >= known ? run : sliceRun(client, run, known, endOf(run))));
}

function writeRuns(writer: Lib0Writer, client: number, runs: readonly Run[]): void {
  const [first] = runs;
  let clock = first?.clock ?? 0;
  let structs = runs.length;
  for (const run of runs) {
    if (run.clock > clock) structs += 1;
    clock = endOf(run);
  }
  clock = first?.clock ?? 0;
  writer.uint(structs).uint(client).uint(clock);
  for (const run of runs) {
    if (run.clock > clock) writer.byte(SKIP_REF).uint(run.clock - clock);
    writeRun(writer, run);
    clock = endOf(run);
  }
}

function writeRun(writer: Lib0Writer, { place, content, length }: Run): void {
  if (place === undefined) {
    writer.byte(GC_REF).uint(length);
    return;
  }
  const { origin, right, parent, sub } = place;
  writer.byte(
    content.ref |
      (origin === undefined ? 0 : HAS_ORIGIN) |
      (right === undefined ? 0 : HAS_RIGHT) |
      (sub === undefined ? 0 : HAS_SUB),
  );
  if (origin !== undefined) writer.id(origin);
  if (right !== undefined) writer.id(right);
  if (typeof parent === 'string') writer.uint(1).text(parent);
  else if (parent !== undefined) writer.uint(0).id(parent);
  if (sub !== undefined) writer.text(sub);
  if (content.ref === DELETED_REF) writer.uint(length);
  else if (content.ref === STRING_REF) writer.text(content.text);
  else if ('bytes' in content) writer.raw(content.bytes);
  else {
    writer.uint(content.values.length);
    for (const value of content.values) writer.raw(value);
  }
}

/** Bytes that grow. */
class Lib0Writer {
  readonly #forYjs: boolean;
  #bytes = new Uint8Array(256);
  #length = 0;

  constructor(forYjs: boolean) {
    this.#forYjs = forYjs;
  }

  byte(value: number): this {
    this.#makeRoom(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  uint(value: number): this {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 0x80);
    return this.byte(rest);
  }

  id({ client, clock }: UnitId): this {
    return this.uint(client).uint(clock);
  }

  text(text: string): this {
    const bytes = this.#forYjs ? utf8(wellFormed(text)) : wtf8(text);
    return this.uint(bytes.length).raw(bytes);
  }

  raw(bytes: Uint8Array): this {
    this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #makeRoom(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
