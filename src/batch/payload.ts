/**
 * The ops of a batch as bytes and back, before compression, in either encoding: one after another as they lie in the
 * journal (BATCH.md §2), or as columns (COLUMNS.md). Both give every op and stamp back bit for bit, in order.
 *
 * Work is done in slices of a millisecond or so: a hub acknowledges publishes meanwhile, and a regional node reads
 * chunks. Reading trusts nothing; what is malformed is undefined.
 */
import { concatBytes } from '../base/bytes.ts';
import type { Steps } from '../base/steps.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { readOp, readStamp, type StampedOp, writeStamp } from '../model/op.ts';
import { decodeColumnsInSlices } from './columns/decode-columns.ts';
import { ColumnEncoder } from './columns/encode-columns.ts';
import { BATCH_OPS_MAX, RAW_BYTES_MAX } from './limits.ts';

export type Encoding = 'rows' | 'columns';
/** By the number that travels. */
export const ENCODINGS: readonly Encoding[] = ['rows', 'columns'];

export interface PayloadEncoder {
  /** Takes one op in; keeps nothing that aliases its bytes. */
  add(stamped: StampedOp): void;
  /** All ops as bytes; once. */
  finish(): Steps<Uint8Array>;
}

/** Ops that are read or checked between two pauses. */
export const SLICE_OPS = 256;
/** 8 fields of an op with its clock, 4 of a stamp, and their heads. */
const ITEMS_PER_OP = 20;

export function payloadEncoder(encoding: Encoding): PayloadEncoder {
  return encoding === 'columns' ? new ColumnEncoder() : new RowEncoder();
}

/** The ops of a payload, `BATCH_OPS_MAX` and `RAW_BYTES_MAX` at most; undefined where it is malformed. */
export function* readPayload(
  raw: Uint8Array,
  encoding: Encoding,
): Steps<readonly StampedOp[] | undefined> {
  if (encoding === 'rows') return yield* readRows(raw);
  const limits = { opsMax: BATCH_OPS_MAX, bytesMax: RAW_BYTES_MAX };
  const outcome = yield* decodeColumnsInSlices(raw, limits);
  return outcome.kind === 'ops' ? outcome.ops : undefined;
}

class RowEncoder implements PayloadEncoder {
  readonly #items = new CborWriter(64 << 10);
  #ops = 0;

  add({ bytes, stamp }: StampedOp): void {
    writeStamp(this.#items.array(2).raw(bytes), stamp);
    this.#ops += 1;
  }

  // oxlint-disable-next-line require-yield -- one copy needs no pause
  *finish(): Steps<Uint8Array> {
    return concatBytes([new CborWriter(9).array(this.#ops).peek(), this.#items.peek()]);
  }
}

/** The bytes of the ops alias the payload. */
function* readRows(raw: Uint8Array): Steps<StampedOp[] | undefined> {
  const entries: StampedOp[] = [];
  const reader = new CborReader(raw, 0, { depthMax: 4, itemsMax: ITEMS_PER_OP * BATCH_OPS_MAX });
  try {
    const count = reader.array();
    for (let i = 0; i < count; i++) {
      reader.expectArray(2);
      const start = reader.offset;
      const op = readOp(reader);
      const bytes = raw.subarray(start, reader.offset);
      entries.push({ bytes, op, stamp: readStamp(reader) });
      if (i % SLICE_OPS === SLICE_OPS - 1) yield;
    }
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
  return reader.atEnd ? entries : undefined;
}
