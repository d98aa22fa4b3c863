/**
 * Entries of the journal (WIRE.cddl): stamped ops, which are leaves of the ledger and travel; copies of ops that the region
 * has already, because they came from there; and local entries (sessions, retained messages, progress), which never
 * travel. The journal itself sees opaque CBOR.
 *
 * The op of an MQTT publish may carry its delivery: what the broker must know again after a crash and an op has
 * no place for. It lies in the same entry, so that both are there or neither.
 */
import { EMPTY_BYTES } from '../base/bytes.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import type { CborLimits } from '../codec/value.ts';
import { CborWriter } from '../codec/writer.ts';
import {
  blankOp,
  blankStamp,
  readOp,
  readStamp,
  type Stamp,
  type StampedOp,
  writeStamp,
} from './op.ts';

export const OP_ENTRY = 0;
export const LOCAL_ENTRY = 1;
export const COPY_ENTRY = 2;

/** How an op was published, where that is not simply QoS 1 without RETAIN. */
interface Delivery {
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly clientId: string;
  /** 0 for a will. */
  readonly packetId: number;
}

export type Entry =
  | {
      readonly type: 'op';
      readonly stamped: StampedOp;
      readonly delivery?: Delivery;
      /** Folded like any op, and neither a leaf here nor on its way upstream: the region has it. */
      readonly isCopy?: true;
    }
  /** `body` is one CBOR item whose meaning only its writer knows. */
  | { readonly type: 'local'; readonly body: Uint8Array };

const ARRAY_HEAD = 0x80;
const TEXT_HEAD = 0x60;
const RETAIN_FLAG = 4;
const PACKET_ID_MAX = 65_535;
const ENTRY_LIMITS = { depthMax: 8, itemsMax: 10_000 };

export function encodeOpEntry(
  opBytes: Uint8Array,
  stamp: Stamp,
  delivery?: Uint8Array,
): Uint8Array {
  const writer = new CborWriter(opBytes.length + 48);
  writer.array(delivery === undefined ? 3 : 4).uint(OP_ENTRY);
  writeStamp(writer.raw(opBytes), stamp);
  if (delivery !== undefined) writer.raw(delivery);
  return writer.finish();
}

/** Of an op that the region has handed down, under the stamp that it has there. */
export function encodeCopyEntry(opBytes: Uint8Array, stamp: Stamp): Uint8Array {
  const writer = new CborWriter(opBytes.length + 40);
  writeStamp(writer.array(3).uint(COPY_ENTRY).raw(opBytes), stamp);
  return writer.finish();
}

/** The fourth item of an op entry. */
export function encodeDelivery({ qos, retain, clientId, packetId }: Delivery): Uint8Array {
  const writer = new CborWriter(clientId.length + 16);
  return writer
    .array(3)
    .uint(qos | (retain ? RETAIN_FLAG : 0))
    .text(clientId)
    .uint(packetId)
    .finish();
}

/**
 * In the entry of an event, that it is not what its origin says: of this hub and no message, or of another origin and one.
 * QoS 1, not retained, nobody's packet id: no publish has it.
 */
export const DELIVERY_OF_NOBODY = encodeDelivery({
  qos: 1,
  retain: false,
  clientId: '',
  packetId: 0,
});

export function isOfNobody({ qos, retain, clientId, packetId }: Delivery): boolean {
  return qos === 1 && !retain && clientId === '' && packetId === 0;
}

export function encodeLocalEntry(body: Uint8Array): Uint8Array {
  return new CborWriter(body.length + 2).array(2).uint(LOCAL_ENTRY).raw(body).finish();
}

/**
 * Reads the body of a local entry that is an array of so many items with this word (of at most 23 ASCII characters) as its
 * first; undefined where it is another one, which costs next to nothing, or malformed. `read` goes on behind the word.
 */
export function readTagged<T>(
  body: Uint8Array,
  { tag, items, limits }: { tag: string; items: number; limits?: CborLimits },
  read: (reader: CborReader) => T,
): T | undefined {
  if (!beginsWithTag(body, tag, items)) return undefined;
  try {
    const reader = new CborReader(body, 0, limits);
    reader.expectArray(items);
    reader.text();
    return read(reader);
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

function beginsWithTag(body: Uint8Array, tag: string, items: number): boolean {
  if (body[0] !== ARRAY_HEAD + items || body[1] !== TEXT_HEAD + tag.length) return false;
  for (let i = 0; i < tag.length; i++) if (body[2 + i] !== tag.charCodeAt(i)) return false;
  return true;
}

/** Reads one entry; op bytes and bodies alias the input. Throws `CborError` where it is malformed. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new CborReader(bytes, 0, ENTRY_LIMITS);
  const entry = readEntry(reader, bytes);
  if (!reader.atEnd) throw new CborError('bytes after the entry', reader.offset);
  return entry;
}

/**
 * Reads the ops of the own journal one after the other, always into the same objects: batches are built of millions of them.
 */
export class OpEntryReader {
  readonly #reader = new CborReader(EMPTY_BYTES, 0, ENTRY_LIMITS);
  readonly #op = blankOp();
  readonly #stamp = blankStamp();

  /**
   * Good until the next call, but for the bytes, which alias the entry. Undefined for local entries and copies. Throws
   * `CborError` where the entry is malformed.
   */
  read(entry: Uint8Array): StampedOp | undefined {
    const reader = this.#reader;
    reader.restart(entry);
    const count = reader.array();
    if (reader.uint() !== OP_ENTRY || count !== 3) return opOf(decodeEntry(entry));
    const start = reader.offset;
    const op = readOp(reader, this.#op);
    const bytes = entry.subarray(start, reader.offset);
    const stamp = readStamp(reader, this.#stamp);
    if (!reader.atEnd) throw new CborError('bytes after the entry', reader.offset);
    return { bytes, op, stamp };
  }
}

function opOf(entry: Entry): StampedOp | undefined {
  return entry.type === 'op' && entry.isCopy !== true ? entry.stamped : undefined;
}

function readEntry(reader: CborReader, bytes: Uint8Array): Entry {
  const count = reader.array();
  const type = reader.uint();
  if (type === OP_ENTRY && (count === 3 || count === 4)) {
    const start = reader.offset;
    const op = readOp(reader);
    const opBytes = bytes.subarray(start, reader.offset);
    const stamped = { bytes: opBytes, op, stamp: readStamp(reader) };
    return count === 3
      ? { type: 'op', stamped }
      : { type: 'op', stamped, delivery: readDelivery(reader) };
  }
  if (type === COPY_ENTRY && count === 3) {
    const start = reader.offset;
    const op = readOp(reader);
    const opBytes = bytes.subarray(start, reader.offset);
    return { type: 'op', stamped: { bytes: opBytes, op, stamp: readStamp(reader) }, isCopy: true };
  }
  if (type === LOCAL_ENTRY && count === 2) return { type: 'local', body: reader.skip() };
  throw new CborError('unknown entry', 0);
}

function readDelivery(reader: CborReader): Delivery {
  const start = reader.offset;
  reader.expectArray(3);
  const flags = reader.uint();
  const qos = flags & 3;
  const clientId = reader.text();
  const packetId = reader.uint();
  const isValid = (qos === 1 || qos === 2) && flags <= 7 && packetId <= PACKET_ID_MAX;
  if (!isValid) throw new CborError('not a delivery', start);
  return { qos, retain: (flags & RETAIN_FLAG) !== 0, clientId, packetId };
}
