/**
 * Entries of a device's log, one CBOR item each (KEPT.md). The first says whose log it is and how far its lanes have
 * come; the others follow what happened.
 */
import { CborError, CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { isOpClass, type OpClass } from '../../model/class.ts';
import { decodeHlc, encodeHlc, type Hlc } from '../../model/hlc.ts';
import { type Op, readOp } from '../../model/op.ts';
import { bytesOfOrigin, type Origin, originOfBytes } from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import { readVector, writeVector } from '../../protocol/vector.ts';

export type LogEntry =
  /** `lanes`: last seq given in each; `receipted`: up to which the hub has all. */
  | {
      readonly type: 'head';
      readonly origin: Origin;
      readonly hlc: Hlc;
      readonly lanes: VersionVector;
      readonly receipted: VersionVector;
    }
  /** An op was made; one of the same lane and seq takes its place. */
  | { readonly type: 'op'; readonly op: Op; readonly bytes: Uint8Array }
  /** The hub has all of the class up to `seq`. */
  | { readonly type: 'receipt'; readonly class: OpClass; readonly seq: number };

const LOG_FORMAT = 1;
const HEAD = 0;
const OP = 1;
const RECEIPT = 2;

export function encodeLogEntry(entry: LogEntry): Uint8Array {
  const writer = new CborWriter(128);
  switch (entry.type) {
    case 'head':
      writer.array(6).uint(HEAD).uint(LOG_FORMAT).bytes(bytesOfOrigin(entry.origin));
      writer.bytes(encodeHlc(entry.hlc));
      writeVector(writer, entry.lanes);
      writeVector(writer, entry.receipted);
      break;
    case 'op':
      writer.array(2).uint(OP).raw(entry.bytes);
      break;
    case 'receipt':
      writer.array(3).uint(RECEIPT).uint(entry.class).uint(entry.seq);
  }
  return writer.finish();
}

/** Throws `CborError` where it is no entry of this version. */
export function readLogEntry(bytes: Uint8Array): LogEntry {
  const reader = new CborReader(bytes);
  const entry = readAny(reader, bytes);
  if (!reader.atEnd) throw new CborError('bytes after the entry', reader.offset);
  return entry;
}

function readAny(reader: CborReader, bytes: Uint8Array): LogEntry {
  const count = reader.array();
  const type = reader.uint();
  if (type === HEAD && count === 6 && reader.uint() === LOG_FORMAT) {
    const origin = originOfBytes(reader.bytes());
    const hlc = decodeHlc(reader.bytes());
    if (origin !== undefined && hlc !== undefined) {
      return {
        type: 'head',
        origin,
        hlc,
        lanes: readVector(reader),
        receipted: readVector(reader),
      };
    }
  }
  if (type === OP && count === 2) {
    const start = reader.offset;
    const op = readOp(reader);
    return { type: 'op', op, bytes: bytes.slice(start, reader.offset) };
  }
  if (type === RECEIPT && count === 3) {
    const opClass = reader.uint();
    if (isOpClass(opClass)) return { type: 'receipt', class: opClass, seq: reader.uint() };
  }
  throw new CborError('not an entry of this version', 0);
}
