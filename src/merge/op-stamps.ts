/**
 * Which stamp an op on a record has: what two hubs compare of ops that both accepted, or had from others, and the entry of
 * the journal by which one of them takes over a smaller one (MERGE.md §4).
 *
 *   op-stamp     = [op-id, authority: 1..4, bstr .size 16]     ; hlc and hub of the stamp
 *   stamps-entry = ["stamps", [+ op-stamp]]                    ; body of a local entry
 */
import { CborError, type CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { encodeLocalEntry, readTagged } from '../model/entry.ts';
import { AUTHORITY, decodeStampMark, encodeStampMark, type StampMark } from '../model/op.ts';
import { type OpId, readOpId, writeOpId } from './op-id.ts';

export interface OpStamp extends StampMark {
  readonly op: OpId;
  readonly authority: number;
}

const TAG = 'stamps';
const LIMITS = { depthMax: 5, itemsMax: 100_000 };

export function writeOpStamps(writer: CborWriter, stamps: readonly OpStamp[]): void {
  writer.array(stamps.length);
  for (const { op, authority, hub, hlc } of stamps) {
    writeOpId(writer.array(3), op);
    writer.uint(authority).bytes(encodeStampMark({ hub, hlc }));
  }
}

/** Throws `CborError` where they are malformed, or more than `countMax`. */
export function readOpStamps(reader: CborReader, countMax: number): OpStamp[] {
  const count = reader.array();
  if (count > countMax) throw new CborError('too many stamps', reader.offset);
  return Array.from({ length: count }, () => readOpStamp(reader));
}

function readOpStamp(reader: CborReader): OpStamp {
  const start = reader.offset;
  reader.expectArray(3);
  const op = readOpId(reader);
  const authority = reader.uint();
  const mark = decodeStampMark(reader.bytes());
  if (mark === undefined || authority < AUTHORITY.device || authority > AUTHORITY.operator) {
    throw new CborError('malformed stamp', start);
  }
  return { op, authority, ...mark };
}

export function encodeStampsEntry(stamps: readonly OpStamp[]): Uint8Array {
  const writer = new CborWriter(64 + 48 * stamps.length).array(2).text(TAG);
  writeOpStamps(writer, stamps);
  return encodeLocalEntry(writer.finish());
}

/** Reads the body of a local entry; empty where it is something else. */
export function stampsIn(body: Uint8Array): readonly OpStamp[] {
  const parts = { tag: TAG, items: 2, limits: LIMITS };
  return readTagged(body, parts, (reader) => readOpStamps(reader, LIMITS.itemsMax)) ?? [];
}
