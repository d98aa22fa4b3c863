/**
 * Entries of the journal (WIRE.cddl): stamped ops, which are leaves of the ledger and travel, and local
 * entries (sessions, retained messages, QoS 2 ids), which never do. The journal itself sees opaque CBOR.
 */
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { readOp, readStamp, type Stamp, type StampedOp, writeStamp } from './op.ts';

export const OP_ENTRY = 0;
export const LOCAL_ENTRY = 1;

export type Entry =
  | { readonly type: 'op'; readonly stamped: StampedOp }
  /** `body` is one CBOR item whose meaning only its writer knows. */
  | { readonly type: 'local'; readonly body: Uint8Array };

const ENTRY_LIMITS = { depthMax: 8, itemsMax: 10_000 };

export function encodeOpEntry(opBytes: Uint8Array, stamp: Stamp): Uint8Array {
  const writer = new CborWriter(opBytes.length + 40);
  writeStamp(writer.array(3).uint(OP_ENTRY).raw(opBytes), stamp);
  return writer.finish();
}

export function encodeLocalEntry(body: Uint8Array): Uint8Array {
  return new CborWriter(body.length + 2).array(2).uint(LOCAL_ENTRY).raw(body).finish();
}

/** Reads one entry; op bytes and bodies alias the input. Throws `CborError` where it is malformed. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new CborReader(bytes, 0, ENTRY_LIMITS);
  const entry = readEntry(reader, bytes);
  if (!reader.atEnd) throw new CborError('bytes after the entry', reader.offset);
  return entry;
}

function readEntry(reader: CborReader, bytes: Uint8Array): Entry {
  const count = reader.array();
  const type = reader.uint();
  if (type === OP_ENTRY && count === 3) {
    const start = reader.offset;
    const op = readOp(reader);
    const opBytes = bytes.subarray(start, reader.offset);
    return { type: 'op', stamped: { bytes: opBytes, op, stamp: readStamp(reader) } };
  }
  if (type === LOCAL_ENTRY && count === 2) return { type: 'local', body: reader.skip() };
  throw new CborError('unknown entry', 0);
}
