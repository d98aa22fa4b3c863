/**
 * What a columns payload says in plain CBOR, each thing once, before the coded part refers to it by number
 * (COLUMNS.md §2). Reading checks every bound, so that the coded part can trust the tables.
 */
import { isLongerThan } from '../../base/bytes.ts';
import type { ClockQuality } from '../../base/clock.ts';
import { CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { isOpClass, type OpClass } from '../../model/class.ts';
import { AUTHORITY, KEY_BYTES_MAX, type Kind, KIND_NAMES, QUALITIES } from '../../model/op.ts';
import { bytesOfOrigin, type Origin, originOfBytes } from '../../model/origin.ts';
import { ColumnsError } from './columns-error.ts';
import { piecesOf, SLOTS_MAX } from './template.ts';

/** First item of a payload; another number is another layout. */
export const COLUMNS_FORMAT = 1;
/** Slots of all templates together: each takes memory for what it learns. */
export const SLOTS_TOTAL_MAX = 2048;

/** Ops that have these in common stand together. */
export interface Series {
  /** Index into the origins. */
  readonly origin: number;
  readonly class: OpClass;
  readonly kind: Kind;
  readonly key: string;
}

/** A stamp without its time. */
export interface StampParts {
  /** Index into the origins. */
  readonly hub: number;
  readonly authority: number;
  readonly rosterEpoch: number;
}

/** An op's clock without its time. */
export interface ClockParts {
  readonly quality: ClockQuality;
  readonly bootId: number;
}

export interface Tables {
  readonly origins: readonly Origin[];
  readonly stamps: readonly StampParts[];
  readonly clocks: readonly ClockParts[];
  readonly series: readonly Series[];
  /** Ops of each series. */
  readonly counts: readonly number[];
  readonly templates: readonly Uint8Array[];
  readonly texts: readonly Uint8Array[];
  /** Bodies that are not cut, one after another. */
  readonly raw: Uint8Array;
  readonly coded: Uint8Array;
}

const ITEMS = 9;

export function writeTables(tables: Tables): Uint8Array {
  const writer = new CborWriter(tables.raw.length + tables.coded.length + 1024);
  writer.array(ITEMS).uint(COLUMNS_FORMAT);
  writer.array(tables.origins.length);
  for (const origin of tables.origins) writer.bytes(bytesOfOrigin(origin));
  writer.array(tables.stamps.length);
  for (const stamp of tables.stamps) {
    writer.array(3).uint(stamp.hub).uint(stamp.authority).uint(stamp.rosterEpoch);
  }
  writer.array(tables.clocks.length);
  for (const clock of tables.clocks) {
    writer.array(2).uint(QUALITIES.indexOf(clock.quality)).uint(clock.bootId);
  }
  writer.array(tables.series.length);
  for (const [index, series] of tables.series.entries()) {
    writer.array(5).uint(series.origin).uint(series.class).uint(series.kind).text(series.key);
    writer.uint(tables.counts[index] as number);
  }
  writeByteStrings(writer, tables.templates);
  writeByteStrings(writer, tables.texts);
  return writer.bytes(tables.raw).bytes(tables.coded).finish();
}

function writeByteStrings(writer: CborWriter, strings: readonly Uint8Array[]): void {
  writer.array(strings.length);
  for (const bytes of strings) writer.bytes(bytes);
}

/** Throws `CborError` or `ColumnsError` for what was never written; `opsMax` is the most that the series may hold. */
export function readTables(bytes: Uint8Array, opsMax: number): Tables {
  // Every item takes a byte at least, so the count of items has a limit already.
  const reader = new CborReader(bytes, 0, { depthMax: 2, itemsMax: bytes.length });
  reader.expectArray(ITEMS);
  if (reader.uint() !== COLUMNS_FORMAT) throw new ColumnsError('unknown format');
  const origins = readList(reader, () => need(originOfBytes(reader.bytes()), 'origin'));
  const originIndex = (): number => need(indexBelow(origins.length, reader.uint()), 'origin');
  const stamps = readList(reader, () => {
    reader.expectArray(3);
    const hub = originIndex();
    const authority = reader.uint();
    if (authority < AUTHORITY.device || authority > AUTHORITY.operator) {
      throw new ColumnsError('unknown authority');
    }
    return { hub, authority, rosterEpoch: reader.uint() };
  });
  const clocks = readList(reader, () => {
    reader.expectArray(2);
    const quality = need(QUALITIES[reader.uint()], 'clock quality');
    return { quality, bootId: need(indexBelow(2 ** 32, reader.uint()), 'boot id') };
  });
  const counts: number[] = [];
  let ops = 0;
  const series = readList(reader, () => {
    reader.expectArray(5);
    const origin = originIndex();
    const parts = readSeriesParts(reader);
    const count = reader.uint();
    ops += count;
    if (count === 0 || ops > opsMax) throw new ColumnsError('too many ops');
    counts.push(count);
    return { origin, ...parts };
  });
  const templates = readList(reader, () => reader.bytes());
  checkSlots(templates);
  const texts = readList(reader, () => reader.bytes());
  const [raw, coded] = [reader.bytes(), reader.bytes()];
  if (!reader.atEnd) throw new ColumnsError('bytes after the end');
  return { origins, stamps, clocks, series, counts, templates, texts, raw, coded };
}

function readSeriesParts(reader: CborReader): Omit<Series, 'origin'> {
  const opClass = reader.uint();
  const kind = reader.uint();
  const key = reader.text();
  if (!isOpClass(opClass)) throw new ColumnsError('unknown class');
  if (kind >= KIND_NAMES.length) throw new ColumnsError('unknown kind');
  if (key === '' || isLongerThan(key, KEY_BYTES_MAX)) throw new ColumnsError('malformed key');
  return { class: opClass, kind: kind as Kind, key };
}

function checkSlots(templates: readonly Uint8Array[]): void {
  let total = 0;
  for (const template of templates) {
    const slots = piecesOf(template).length - 1;
    total += slots;
    if (slots > SLOTS_MAX || total > SLOTS_TOTAL_MAX) throw new ColumnsError('too many slots');
  }
}

function readList<T>(reader: CborReader, read: () => T): T[] {
  const count = reader.array();
  const list: T[] = [];
  for (let i = 0; i < count; i++) list.push(read());
  return list;
}

function indexBelow(limit: number, index: number): number | undefined {
  return index < limit ? index : undefined;
}

function need<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new ColumnsError(`malformed ${what}`);
  return value;
}
