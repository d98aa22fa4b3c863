/**
 * What is said about the way down (BATCH.md §11): which ops a hub has and what it takes now, as a part of its hello, and
 * the receipt it signs for a batch of the region.
 */
import type { Verify } from '../../codec/cose.ts';
import { CborReader } from '../../codec/reader.ts';
import type { CborValue } from '../../codec/value.ts';
import { CborWriter } from '../../codec/writer.ts';
import { COMMAND, isOpClass, type OpClass, RECORD } from '../../model/class.ts';
import {
  bytesOfOrigin,
  type Lane,
  laneOf,
  type Origin,
  ORIGIN_BYTES,
  originOfBytes,
  splitLane,
} from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import { type BatchId, batchIdOfBytes, bytesOfBatchId } from '../batch-id.ts';
import type { Signer } from '../manifest.ts';
import { type LaneRange, readRanges, writeRanges } from '../ranges.ts';
import { asList, asUint, openSigned, reading, seal } from './signed.ts';

/** What flows down: orders and records of the site. Telemetry never does. */
export const DOWN_CLASSES: readonly OpClass[] = [COMMAND, RECORD];
/** Lanes that a hello tells of; a hub with more of them gets nothing down. */
export const VECTOR_LANES_MAX = 4_096;

/** Ranges of lost ops that a hello names. */
export const LACKS_MAX = 256;

const DOWN_RECEIPT_TYPE = 'application/vnd.heliograph.down-receipt+cbor';
const DOWN_RECEIPT_FORMAT = 1;
const LANE_BYTES = ORIGIN_BYTES + 1 + 8;
const CLASS_AT = ORIGIN_BYTES;
const SEQ_AT = ORIGIN_BYTES + 1;
const TWO_32 = 2 ** 32;
const REASON_CHARS_MAX = 200;
const MESSAGE_BYTES_MAX = 4_096;

/** The hub's word that a batch from the region is in its journal, or why not. */
export interface DownReceipt {
  readonly hub: Origin;
  readonly batch: BatchId;
  readonly outcome: 'taken' | 'refused';
  /** Empty where it is taken. */
  readonly reason: string;
  readonly atMs: number;
}

/** What the region has of the ops that a hub has lost. */
export interface Heals {
  /** So many of them, which come down now. */
  readonly ops: number;
  /** All batches of the hub behind this LSN of its journal are kept: of what lies there, nothing else exists. */
  readonly wholeFromLsn: number;
}

/** `[ops, whole-from]`; throws `CborError` on anything else. */
export function readHeals(value: CborValue | undefined): Heals {
  const [ops, wholeFromLsn] = asList(value);
  return { ops: asUint(ops), wholeFromLsn: asUint(wholeFromLsn) };
}

/** Lost ops as one CBOR item; in the canonical form of ranges. */
export function encodeLacks(lacks: readonly LaneRange[]): Uint8Array {
  const writer = new CborWriter(32 * lacks.length + 8);
  writeRanges(writer, lacks);
  return writer.finish();
}

/** Undefined where it is malformed or too much. */
export function decodeLacks(bytes: Uint8Array): readonly LaneRange[] | undefined {
  return reading(() => {
    const reader = new CborReader(bytes, 0, { depthMax: 2, itemsMax: 5 * LACKS_MAX + 1 });
    const lacks = readRanges(reader);
    return reader.atEnd && lacks.length <= LACKS_MAX ? lacks : undefined;
  });
}

/** The lanes of classes that flow down, 17 bytes each: origin, class, seq. Undefined where there are too many. */
export function encodeVector(vector: VersionVector): Uint8Array | undefined {
  const lanes = [...vector].filter(([lane]) => DOWN_CLASSES.includes(splitLane(lane).class));
  if (lanes.length > VECTOR_LANES_MAX) return undefined;
  const bytes = new Uint8Array(lanes.length * LANE_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, [lane, seq]] of lanes.toSorted(byLane).entries()) {
    const at = index * LANE_BYTES;
    const { origin, class: opClass } = splitLane(lane);
    bytes.set(bytesOfOrigin(origin), at);
    view.setUint8(at + CLASS_AT, opClass);
    view.setUint32(at + SEQ_AT, Math.floor(seq / TWO_32));
    view.setUint32(at + SEQ_AT + 4, seq % TWO_32);
  }
  return bytes;
}

function byLane([a]: readonly [Lane, number], [b]: readonly [Lane, number]): number {
  return a < b ? -1 : 1;
}

/** Undefined where the bytes are no vector. */
export function decodeVector(bytes: Uint8Array): VersionVector | undefined {
  if (bytes.length % LANE_BYTES !== 0 || bytes.length > VECTOR_LANES_MAX * LANE_BYTES) {
    return undefined;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const vector = new Map<Lane, number>();
  for (let at = 0; at < bytes.length; at += LANE_BYTES) {
    const origin = originOfBytes(bytes.subarray(at, at + ORIGIN_BYTES)) as Origin;
    const opClass = view.getUint8(at + CLASS_AT);
    const seq = view.getUint32(at + SEQ_AT) * TWO_32 + view.getUint32(at + SEQ_AT + 4);
    if (!isOpClass(opClass) || !Number.isSafeInteger(seq)) return undefined;
    vector.set(laneOf(origin, opClass), seq);
  }
  return vector;
}

export function encodeDownReceipt(receipt: DownReceipt, signer: Signer): Uint8Array {
  const writer = new CborWriter(96).array(6).uint(DOWN_RECEIPT_FORMAT);
  writer.bytes(bytesOfOrigin(receipt.hub)).bytes(bytesOfBatchId(receipt.batch));
  writer
    .uint(receipt.outcome === 'taken' ? 0 : 1)
    .text(receipt.reason)
    .uint(receipt.atMs);
  return seal(DOWN_RECEIPT_TYPE, writer.finish(), signer);
}

/** Undefined where it is malformed or not signed with the hub's key. */
export function parseDownReceipt(
  bytes: Uint8Array,
  hubKey: Uint8Array,
  verify: Verify,
): DownReceipt | undefined {
  if (bytes.length > MESSAGE_BYTES_MAX) return undefined;
  return reading(() => {
    const payload = openSigned(bytes, DOWN_RECEIPT_TYPE, hubKey, verify);
    return readDownReceipt(new CborReader(payload, 0, { depthMax: 1, itemsMax: 8 }));
  });
}

function readDownReceipt(reader: CborReader): DownReceipt | undefined {
  reader.expectArray(6);
  if (reader.uint() !== DOWN_RECEIPT_FORMAT) return undefined;
  const hub = originOfBytes(reader.bytes());
  const batch = batchIdOfBytes(reader.bytes());
  const outcome = reader.uint();
  const reason = reader.text();
  const atMs = reader.uint();
  const isWhole = reader.atEnd && outcome <= 1 && reason.length <= REASON_CHARS_MAX;
  if (hub === undefined || batch === undefined || !isWhole) return undefined;
  return { hub, batch, outcome: outcome === 0 ? 'taken' : 'refused', reason, atMs };
}
