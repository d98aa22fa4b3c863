/**
 * Reads a Yjs update, version 1 (MERGE.md §9), from whoever sends it: what Yjs would not write, what breaks off and what is
 * beyond a limit throws `DocError`. Beyond the bytes it is checked that nothing in it points to what can only come
 * later, which would stop a device that applies it.
 */
import { DocError, Lib0Reader } from './lib0-reader.ts';
import { type ClockRange, normalRanges } from './ranges.ts';
import {
  ANY_REF,
  BINARY_REF,
  type Content,
  DELETED,
  DELETED_REF,
  DOC_REF,
  EMBED_REF,
  FORMAT_REF,
  JSON_REF,
  type Place,
  type Run,
  RunList,
  STRING_REF,
  TYPE_REF,
  type UnitId,
} from './run.ts';

/** What an update says of one client. */
export interface ClientChange {
  /** Ascending and joined; there may be gaps. */
  readonly runs: readonly Run[];
  readonly deleted: readonly ClockRange[];
}

export type ByClient = ReadonlyMap<number, ClientChange>;

export interface DocChange {
  readonly clients: ByClient;
  /** What it took to say it. */
  readonly bytes: number;
}

/** Of an update; a document may have more. */
const STRUCTS_MAX = 65_536;
const DELETES_MAX = 65_536;

const REF_BITS = 0x1f;
const HAS_ORIGIN = 0x80;
const HAS_RIGHT = 0x40;
const HAS_SUB = 0x20;
const GC_REF = 0;
const SKIP_REF = 10;
/** YArray, YMap, YText, YXmlElement, YXmlFragment, YXmlHook, YXmlText; the 4th and 6th have a name. */
const TYPES = 7;
const NAMED_TYPES: ReadonlySet<number> = new Set([3, 5]);

/** `isOurs`: a state that this code has encoded, for which no limit but its length holds. */
export function readUpdate(bytes: Uint8Array, isOurs = false): DocChange {
  const reader = new Lib0Reader(bytes, isOurs);
  const max = (limit: number): number => (isOurs ? Number.MAX_SAFE_INTEGER : limit);
  const runsByClient = readStructs(reader, max(STRUCTS_MAX));
  const deletedByClient = readDeletes(reader, max(DELETES_MAX));
  if (!reader.atEnd) throw new DocError('bytes after the update');
  const clients = new Map<number, ClientChange>();
  for (const client of new Set([...runsByClient.keys(), ...deletedByClient.keys()])) {
    const runs = runsByClient.get(client) ?? [];
    const deleted = [...(deletedByClient.get(client) ?? [])];
    for (const { clock, length, content } of runs) {
      if (content.ref === DELETED_REF) deleted.push({ from: clock, to: clock + length });
    }
    if (runs.length > 0 || deleted.length > 0) {
      clients.set(client, { runs, deleted: normalRanges(deleted) });
    }
  }
  return { clients, bytes: bytes.length };
}

function readStructs(reader: Lib0Reader, structsMax: number): Map<number, Run[]> {
  const runsByClient = new Map<number, Run[]>();
  let structsLeft = structsMax;
  for (let clients = reader.uint(); clients > 0; clients--) {
    const count = reader.uint();
    structsLeft -= count;
    if (structsLeft < 0) throw new DocError(`more than ${structsMax} structs`);
    const client = reader.uint();
    if (runsByClient.has(client)) throw new DocError('a client stands in it twice');
    runsByClient.set(client, readRuns(reader, client, count));
  }
  return runsByClient;
}

function readRuns(reader: Lib0Reader, client: number, count: number): Run[] {
  const list = new RunList(client);
  let clock = reader.uint();
  for (let i = 0; i < count; i++) {
    const info = reader.byte();
    let length: number;
    if (info === SKIP_REF) length = reader.uint();
    else if (info === GC_REF) {
      length = reader.uint();
      if (length > 0) list.push({ clock, length, place: undefined, content: DELETED });
    } else {
      const place = readPlace(reader, info, { client, clock });
      const { content, length: units } = readContent(reader, info & REF_BITS);
      length = units;
      if (length > 0) list.push({ clock, length, place, content });
    }
    if (length === 0) throw new DocError('a struct without length');
    clock += length;
    if (clock > Number.MAX_SAFE_INTEGER) throw new DocError('a clock beyond 53 bits');
  }
  return list.runs;
}

function readPlace(reader: Lib0Reader, info: number, own: UnitId): Place {
  const readId = (): UnitId => {
    const id = { client: reader.uint(), clock: reader.uint() };
    if (id.client === own.client && id.clock >= own.clock) {
      throw new DocError('a struct that hangs on what comes after it');
    }
    return id;
  };
  const origin = (info & HAS_ORIGIN) === 0 ? undefined : readId();
  const right = (info & HAS_RIGHT) === 0 ? undefined : readId();
  // With a neighbour the parent is the neighbour's; whether the flag of the key is set then is chance.
  if (origin !== undefined || right !== undefined) {
    return { origin, right, parent: undefined, sub: undefined };
  }
  const isRoot = reader.uint();
  if (isRoot > 1) throw new DocError('an unknown parent');
  const parent = isRoot === 1 ? reader.text() : readId();
  const sub = (info & HAS_SUB) === 0 ? undefined : reader.text();
  return { origin, right, parent, sub };
}

function readContent(reader: Lib0Reader, ref: number): { content: Content; length: number } {
  switch (ref) {
    case DELETED_REF:
      return { content: DELETED, length: reader.uint() };
    case STRING_REF: {
      const text = reader.text();
      return { content: { ref, text }, length: text.length };
    }
    case JSON_REF:
      return readValues(reader, ref, () => reader.skipJsonOrUndefined());
    case ANY_REF:
      return readValues(reader, ref, () => reader.skipAny());
    case BINARY_REF:
      return single(ref, reader, () => reader.bytes());
    case EMBED_REF:
      return single(ref, reader, () => reader.skipJson());
    case FORMAT_REF:
      return single(ref, reader, () => {
        reader.text();
        reader.skipJson();
      });
    case TYPE_REF:
      return single(ref, reader, () => {
        const type = reader.uint();
        if (type >= TYPES) throw new DocError('an unknown type');
        if (NAMED_TYPES.has(type)) reader.text();
      });
    case DOC_REF:
      return single(ref, reader, () => {
        reader.text();
        reader.skipAny();
      });
    default:
      throw new DocError('an unknown struct');
  }
}

function readValues(
  reader: Lib0Reader,
  ref: typeof JSON_REF | typeof ANY_REF,
  skip: () => void,
): { content: Content; length: number } {
  const count = reader.uint();
  const values: Uint8Array[] = [];
  for (let i = 0; i < count; i++) values.push(reader.sliceOf(skip));
  return { content: { ref, values }, length: count };
}

function single(
  ref: Extract<Content, { bytes: Uint8Array }>['ref'],
  reader: Lib0Reader,
  skip: () => unknown,
): { content: Content; length: number } {
  return { content: { ref, bytes: reader.sliceOf(skip) }, length: 1 };
}

function readDeletes(reader: Lib0Reader, deletesMax: number): Map<number, ClockRange[]> {
  const rangesByClient = new Map<number, ClockRange[]>();
  let deletesLeft = deletesMax;
  for (let clients = reader.uint(); clients > 0; clients--) {
    const client = reader.uint();
    if (rangesByClient.has(client)) throw new DocError('a client stands in it twice');
    const count = reader.uint();
    deletesLeft -= count;
    if (deletesLeft < 0) throw new DocError(`more than ${deletesMax} deletes`);
    const ranges: ClockRange[] = [];
    for (let i = 0; i < count; i++) {
      const from = reader.uint();
      const length = reader.uint();
      const to = from + length;
      if (length === 0 || to > Number.MAX_SAFE_INTEGER) throw new DocError('a malformed delete');
      ranges.push({ from, to });
    }
    rangesByClient.set(client, ranges);
  }
  return rangesByClient;
}
