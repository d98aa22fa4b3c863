/**
 * What stands in a record, as its one row keeps it, and each field as it lies in memory. A field's order and value are one
 * text there, a character for each byte: of eighty thousand fields in the records at hand, objects would cost the collector
 * three times as much, and texts compare as orders do.
 *
 *   bytes  field     (integers are unsigned, big-endian)
 *       1  flags: 1 where there is a tombstone, 2 where a field or counter lives
 *      26  order of the tombstone (merge/order.ts), where there is one
 *       4  how many fields; of each
 *          2 length of the name, the name (UTF-8), 4 length of what follows, 26 order, the value
 *       4  how many counters; of each
 *          2 length of the name, the name (UTF-8), 8 total (two's complement), 6 how many increments
 */
import { compareBytes, EMPTY_BYTES, utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { ORDER_BYTES, orderAt, putOrder, type WriteOrder } from '../../merge/order.ts';
import type { Counter, FieldWrite } from '../../merge/record.ts';
import { encodeHlc } from '../../model/hlc.ts';

/** Order and value of a field. */
export type PackedField = string;

export interface StandingRecord {
  readonly tombstone: WriteOrder | undefined;
  readonly fields: ReadonlyMap<string, PackedField>;
  readonly counters: ReadonlyMap<string, Counter>;
}

export interface UnpackedRecord extends StandingRecord {
  readonly fields: Map<string, PackedField>;
  readonly counters: Map<string, Counter>;
}

const HAS_TOMBSTONE = 1;
const LIVES_FLAG = 2;
/** Whether a record has living fields or counters, for SQL. */
export const IS_ALIVE = "substr(state, 1, 1) >= x'02'";
const NAME_LENGTH_BYTES = 2;
const LENGTH_BYTES = 4;
const TOTAL_BYTES = 8;
const ADDS_BYTES = 6;
const SCRATCH_BYTES = 1 << 13;

/** Where fields and records are put together; nothing stays in it. */
let scratch = Buffer.alloc(SCRATCH_BYTES);

export function packField({ order, value }: FieldWrite): PackedField {
  const length = ORDER_BYTES + value.length;
  const bytes = scratchOf(length);
  putOrder(bytes, 0, order);
  bytes.set(value, ORDER_BYTES);
  return bytes.toString('latin1', 0, length);
}

export function orderOfField(packed: PackedField): WriteOrder {
  for (let i = 0; i < ORDER_BYTES; i++) scratch[i] = packed.charCodeAt(i);
  return orderAt(scratch, 0);
}

/** The same for two fields that one op has written. */
export function orderNameOf(packed: PackedField): string {
  return packed.slice(0, ORDER_BYTES);
}

export function valueBytesOf(packed: PackedField): number {
  return packed.length - ORDER_BYTES;
}

export function unpackField(packed: PackedField): FieldWrite {
  const { buffer, byteOffset, length } = Buffer.from(packed, 'latin1');
  const value = new Uint8Array(buffer, byteOffset + ORDER_BYTES, length - ORDER_BYTES);
  return { order: orderOfField(packed), value };
}

/** The 8 bytes of its time. */
export function hlcOfField(packed: PackedField): Uint8Array {
  return encodeHlc(orderOfField(packed).hlc);
}

/** All fields, in ascending byte order of their names. */
export function* unpackFields(
  fields: ReadonlyMap<string, PackedField>,
): Generator<readonly [string, FieldWrite]> {
  for (const [name, packed] of inByteOrder(fields)) yield [name, unpackField(packed)];
}

/** The same values, in ascending byte order of their names. */
export function inByteOrder<T>(values: ReadonlyMap<string, T>): Map<string, T> {
  const named = [...values].map(([name, value]) => ({ name, bytes: utf8(name), value }));
  named.sort((a, b) => compareBytes(a.bytes, b.bytes));
  return new Map(named.map(({ name, value }) => [name, value]));
}

/** The row of the record; empty where there is nothing to keep. */
export function packRecord({ tombstone, fields, counters }: StandingRecord): Uint8Array {
  const lives = fields.size > 0 || counters.size > 0;
  if (!lives && tombstone === undefined) return EMPTY_BYTES;
  let length = 1 + ORDER_BYTES + 2 * LENGTH_BYTES;
  for (const [name, packed] of fields) {
    length += NAME_LENGTH_BYTES + 3 * name.length + LENGTH_BYTES + packed.length;
  }
  for (const name of counters.keys()) {
    length += NAME_LENGTH_BYTES + 3 * name.length + TOTAL_BYTES + ADDS_BYTES;
  }
  const bytes = scratchOf(length);
  bytes[0] = (tombstone === undefined ? 0 : HAS_TOMBSTONE) | (lives ? LIVES_FLAG : 0);
  let at = 1;
  if (tombstone !== undefined) {
    putOrder(bytes, at, tombstone);
    at += ORDER_BYTES;
  }
  at = bytes.writeUInt32BE(fields.size, at);
  for (const [name, packed] of fields) {
    at = putName(bytes, at, name);
    at = bytes.writeUInt32BE(packed.length, at);
    at += bytes.write(packed, at, 'latin1');
  }
  at = bytes.writeUInt32BE(counters.size, at);
  for (const [name, { total, adds }] of counters) {
    at = putName(bytes, at, name);
    at = bytes.writeBigInt64BE(total, at);
    at = bytes.writeUIntBE(adds, at, ADDS_BYTES);
  }
  const row = Buffer.allocUnsafe(at);
  row.set(bytes.subarray(0, at));
  return row;
}

/** Reads what `packRecord` wrote; throws `HubError` `store.damaged` where it is something else. */
export function unpackRecord(row: unknown): UnpackedRecord {
  if (!(row instanceof Uint8Array)) throw malformed();
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.length);
  try {
    return readRecord(bytes);
  } catch (error) {
    if (error instanceof RangeError) throw malformed();
    throw error;
  }
}

function readRecord(bytes: Buffer): UnpackedRecord {
  const hasTombstone = (bytes.readUInt8(0) & HAS_TOMBSTONE) !== 0;
  const tombstone = hasTombstone ? orderAt(bytes, 1) : undefined;
  let at = hasTombstone ? 1 + ORDER_BYTES : 1;
  const readName = (): string => {
    const from = at + NAME_LENGTH_BYTES;
    at = from + bytes.readUInt16BE(at);
    return bytes.toString('utf8', from, at);
  };
  const fields = new Map<string, PackedField>();
  let left = bytes.readUInt32BE(at);
  at += LENGTH_BYTES;
  for (; left > 0; left--) {
    const name = readName();
    const from = at + LENGTH_BYTES;
    at = from + bytes.readUInt32BE(at);
    if (at > bytes.length || at - from < ORDER_BYTES) throw malformed();
    fields.set(name, bytes.toString('latin1', from, at));
  }
  const counters = new Map<string, Counter>();
  left = bytes.readUInt32BE(at);
  at += LENGTH_BYTES;
  for (; left > 0; left--) {
    const name = readName();
    const adds = bytes.readUIntBE(at + TOTAL_BYTES, ADDS_BYTES);
    counters.set(name, { total: bytes.readBigInt64BE(at), adds });
    at += TOTAL_BYTES + ADDS_BYTES;
  }
  if (at !== bytes.length) throw malformed();
  return { tombstone, fields, counters };
}

function putName(bytes: Buffer, at: number, name: string): number {
  const length = bytes.write(name, at + NAME_LENGTH_BYTES, 'utf8');
  bytes.writeUInt16BE(length, at);
  return at + NAME_LENGTH_BYTES + length;
}

function scratchOf(length: number): Buffer {
  if (length > scratch.length) {
    // What is large is seldom: it does not stay.
    if (length > SCRATCH_BYTES * 8) return Buffer.alloc(length);
    scratch = Buffer.alloc(SCRATCH_BYTES * 8);
  }
  return scratch;
}

function malformed(): HubError {
  return new HubError('store.damaged', 'state database: a record is malformed');
}
