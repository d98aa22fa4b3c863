/**
 * The folded state as a sequence of items: for snapshots on disk, and for replicas that take over a state
 * instead of its history. Unlike the digest it has everything that a fold goes on from: tombstones, orders
 * and which ops are in it. Encoded, an item is one CBOR array; its first element says what it is.
 *
 *   lane-item      = [1, lane: tstr, up-to: uint, [* from: uint, to: uint]]   ; ranges beyond a gap
 *   hub-item       = [2, hub: bstr .size 8, newest-stamp: hlc]
 *   event-item     = [3, key: tstr, order: bstr .size 26, body: bstr]
 *   tombstone-item = [4, key: tstr, order: bstr .size 26]
 *   field-item     = [5, key: tstr, field: tstr, order: bstr .size 26, value: any]
 *   write-item     = [6, key: tstr, order: bstr .size 26, kind, body: bstr, stamp]  ; an op on a record, or its horizon
 *   stamp          = bstr .size 16      ; hlc and hub of its stamp; missing where an older version did not keep it
 *   counter-item   = [7, key: tstr, field: tstr, total: bstr .size 8, adds: uint]
 *   doc-item       = [8, key: tstr, heads: [* (origin: bstr .size 8, class, seq)], state: bstr]
 */
import { CborError, type CborReader } from '../../codec/reader.ts';
import type { CborWriter } from '../../codec/writer.ts';
import { decodeHlc, encodeHlc, type Hlc } from '../../model/hlc.ts';
import { bytesOfOrigin, type Lane, type Origin, originOfBytes } from '../../model/origin.ts';
import type { SeqRange } from '../../model/seq-ranges.ts';
import type { EventWrite } from '../fold-target.ts';
import { decodeStampMark, encodeStampMark, isRecordKind } from '../../model/op.ts';
import { type DocState, readHeads, writeHeads } from '../doc/doc-state.ts';
import { encodeOrder, readOrder, type WriteOrder } from '../order.ts';
import {
  bytesOfTotal,
  type Counter,
  type FieldWrite,
  type RecordWrite,
  totalOfBytes,
} from '../record.ts';

export type StateItem =
  | {
      readonly type: 'lane';
      readonly lane: Lane;
      readonly upTo: number;
      readonly beyond: readonly SeqRange[];
    }
  | { readonly type: 'hub'; readonly hub: Origin; readonly hlc: Hlc }
  | { readonly type: 'event'; readonly key: string; readonly write: EventWrite }
  | { readonly type: 'tombstone'; readonly key: string; readonly order: WriteOrder }
  | {
      readonly type: 'field';
      readonly key: string;
      readonly field: string;
      readonly write: FieldWrite;
    }
  | { readonly type: 'write'; readonly key: string; readonly write: RecordWrite }
  | {
      readonly type: 'counter';
      readonly key: string;
      readonly field: string;
      readonly counter: Counter;
    }
  | { readonly type: 'doc'; readonly key: string; readonly doc: DocState };

const LANE = 1;
const HUB = 2;
const EVENT = 3;
const TOMBSTONE = 4;
const FIELD = 5;
const WRITE = 6;
const COUNTER = 7;
const DOC = 8;

export function writeStateItem(writer: CborWriter, item: StateItem): void {
  switch (item.type) {
    case 'lane':
      writer
        .array(4)
        .uint(LANE)
        .text(item.lane)
        .uint(item.upTo)
        .array(item.beyond.length * 2);
      for (const { from, to } of item.beyond) writer.uint(from).uint(to);
      return;
    case 'hub':
      writer.array(3).uint(HUB).bytes(bytesOfOrigin(item.hub)).bytes(encodeHlc(item.hlc));
      return;
    case 'event':
      writer.array(4).uint(EVENT).text(item.key);
      writer.bytes(encodeOrder(item.write.order)).bytes(item.write.body);
      return;
    case 'tombstone':
      writer.array(3).uint(TOMBSTONE).text(item.key).bytes(encodeOrder(item.order));
      return;
    case 'field':
      writer.array(5).uint(FIELD).text(item.key).text(item.field);
      writer.bytes(encodeOrder(item.write.order)).raw(item.write.value);
      return;
    case 'write':
      writer
        .array(item.write.stamp === undefined ? 5 : 6)
        .uint(WRITE)
        .text(item.key);
      writer.bytes(encodeOrder(item.write.order)).uint(item.write.kind).bytes(item.write.body);
      if (item.write.stamp !== undefined) writer.bytes(encodeStampMark(item.write.stamp));
      return;
    case 'counter':
      writer.array(5).uint(COUNTER).text(item.key).text(item.field);
      writer.bytes(bytesOfTotal(item.counter.total)).uint(item.counter.adds);
      return;
    case 'doc':
      writer.array(4).uint(DOC).text(item.key);
      writeHeads(writer, item.doc.heads);
      writer.bytes(item.doc.state);
  }
}

/** Reads one item, aliasing the input; throws `CborError` where it is malformed. */
export function readStateItem(reader: CborReader): StateItem {
  const start = reader.offset;
  const count = reader.array();
  const type = reader.uint();
  if (type === LANE && count === 4) return readLane(reader);
  if (type === HUB && count === 3) {
    const hub = originOfBytes(reader.bytes());
    const hlc = decodeHlc(reader.bytes());
    if (hub !== undefined && hlc !== undefined) return { type: 'hub', hub, hlc };
  }
  if (type === EVENT && count === 4) {
    const key = reader.text();
    return { type: 'event', key, write: { order: readOrder(reader), body: reader.bytes() } };
  }
  if (type === TOMBSTONE && count === 3) {
    return { type: 'tombstone', key: reader.text(), order: readOrder(reader) };
  }
  if (type === FIELD && count === 5) {
    const key = reader.text();
    const field = reader.text();
    const write = { order: readOrder(reader), value: reader.skip() };
    return { type: 'field', key, field, write };
  }
  if (type === WRITE && (count === 5 || count === 6)) return readWrite(reader, count === 6);
  if (type === COUNTER && count === 5) return readCounter(reader);
  if (type === DOC && count === 4) {
    const key = reader.text();
    const heads = readHeads(reader);
    return { type: 'doc', key, doc: { heads, state: reader.bytes() } };
  }
  throw new CborError('unknown or malformed item', start);
}

function readLane(reader: CborReader): StateItem {
  const lane = reader.text() as Lane;
  const upTo = reader.uint();
  const numbers = reader.array();
  if (numbers % 2 !== 0) throw new CborError('a range has two ends', reader.offset);
  const beyond: SeqRange[] = [];
  for (let i = 0; i < numbers; i += 2) beyond.push({ from: reader.uint(), to: reader.uint() });
  return { type: 'lane', lane, upTo, beyond };
}

function readWrite(reader: CborReader, hasStamp: boolean): StateItem {
  const start = reader.offset;
  const key = reader.text();
  const order = readOrder(reader);
  const kind = reader.uint();
  if (!isRecordKind(kind)) throw new CborError('not an op on a record', start);
  const write: RecordWrite = { order, kind, body: reader.bytes() };
  if (!hasStamp) return { type: 'write', key, write };
  const stamp = decodeStampMark(reader.bytes());
  if (stamp === undefined) throw new CborError('malformed stamp', start);
  return { type: 'write', key, write: { ...write, stamp } };
}

function readCounter(reader: CborReader): StateItem {
  const start = reader.offset;
  const key = reader.text();
  const field = reader.text();
  const total = reader.bytes();
  if (total.length !== 8) throw new CborError('a total has 8 bytes', start);
  const counter = { total: totalOfBytes(total), adds: reader.uint() };
  return { type: 'counter', key, field, counter };
}
