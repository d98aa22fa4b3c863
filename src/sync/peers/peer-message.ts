/** What two hubs say to each other (PEERS.md §2). Whatever comes is read with limits; what is not ours is refused. */
import { unreachable } from '../../base/assert.ts';
import { CborError, CborReader } from '../../codec/reader.ts';
import type { CborLimits } from '../../codec/value.ts';
import { CborWriter } from '../../codec/writer.ts';
import { type OpStamp, readOpStamps, writeOpStamps } from '../../merge/op-stamps.ts';
import { isOpClass } from '../../model/class.ts';
import { readOp, readStamp, type StampedOp, writeStamp } from '../../model/op.ts';
import {
  bytesOfOrigin,
  laneOf,
  type Origin,
  originOfBytes,
  splitLane,
} from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import { REASON_CHARS_MAX, WAIT_S_MAX } from '../../protocol/limits.ts';
import { readVector, writeVector } from '../../protocol/vector.ts';
import type { PeerRange } from './contract.ts';

/** An op as it lies in a hub's journal. */
export interface PeerOp {
  readonly stamped: StampedOp;
  /** Seq of the op before it in its lane, where that is not the next lower one: what lay between is lost for good. */
  readonly previous?: number;
}

export type PeerMessage =
  /** "This is what I hold: send me what I lack." */
  | {
      readonly kind: 'open';
      readonly hub: Origin;
      readonly site: string;
      readonly vector: VersionVector;
      /** What it lacks below the vector. */
      readonly holes: readonly PeerRange[];
      readonly rosterEpoch: number;
    }
  /** `hasMore`: false where the sender has no more to send now. Without any op it says just that. */
  | {
      readonly kind: 'page';
      readonly number: number;
      readonly ops: readonly PeerOp[];
      readonly hasMore: boolean;
    }
  | { readonly kind: 'taken'; readonly number: number }
  /** The exchange is over; the other side comes again after `waitS`. */
  | {
      readonly kind: 'lapse';
      readonly reason: string;
      readonly waitS: number;
      /** Two boxes have the key of one hub. */
      readonly isCopied: boolean;
    }
  /** The sender's roster, signed. */
  | { readonly kind: 'roster'; readonly bytes: Uint8Array }
  /** "This is what the stamps of these ranges come to." */
  | {
      readonly kind: 'compare';
      readonly number: number;
      readonly ranges: readonly (PeerRange & { readonly digest: Uint8Array })[];
    }
  /** Which of them come to something else: by their place where they are large, else by the stamps in them. */
  | {
      readonly kind: 'differ';
      readonly number: number;
      readonly large: readonly number[];
      readonly stamps: readonly OpStamp[];
    }
  | { readonly kind: 'stamps'; readonly stamps: readonly OpStamp[] }
  /** "Of what you lack I have nothing but what it came to." */
  | { readonly kind: 'offer'; readonly manifest: Uint8Array; readonly bytes: number }
  | { readonly kind: 'ask'; readonly offset: number }
  | { readonly kind: 'part'; readonly offset: number; readonly bytes: Uint8Array };

export const PEER_PROTOCOL = 1;
export const PEER_PAGE_OPS_MAX = 500;
export const PEER_PAGE_BYTES_MAX = 131_072;
export const PEER_HOLES_MAX = 256;
/** With its topic within one packet of 1 MiB; the largest op that a door takes has room in it. */
export const PEER_MESSAGE_BYTES_MAX = 1_048_000;
/** Ranges that are compared at once. */
export const RANGES_MAX = 32;
/** A range has at most so many ops, and it is looked through at once. */
export const RANGE_OPS_MAX = 1_024;
/** Of a range of so many ops that differs, the stamps are told. */
export const SMALL_RANGE_OPS = 64;
export const STAMPS_MAX = RANGES_MAX * SMALL_RANGE_OPS;
const OPEN = 0;
const PAGE = 1;
const TAKEN = 2;
const LAPSE = 3;
const ROSTER = 4;
const COMPARE = 5;
const DIFFER = 6;
const STAMPS = 7;
const OFFER = 8;
const ASK = 9;
const PART = 10;
/** Why an exchange is over, for programs; others may follow. */
const COPIED_CODE = 1;
const DIGEST_BYTES = 8;
const LIMITS: CborLimits = { depthMax: 6, itemsMax: 100_000 };

export function encodePeerMessage(message: PeerMessage): Uint8Array {
  const writer = new CborWriter(256);
  switch (message.kind) {
    case 'open':
      writer.array(7).uint(OPEN).uint(PEER_PROTOCOL).bytes(bytesOfOrigin(message.hub));
      writeVector(writer.text(message.site), message.vector);
      writer.uint(message.rosterEpoch).array(message.holes.length);
      for (const hole of message.holes) writeRange(writer.array(4), hole);
      break;
    case 'page':
      writer.array(4).uint(PAGE).uint(message.number).array(message.ops.length);
      for (const op of message.ops) writer.raw(encodePeerOp(op));
      writer.bool(message.hasMore);
      break;
    case 'taken':
      writer.array(2).uint(TAKEN).uint(message.number);
      break;
    case 'lapse':
      writer.array(message.isCopied ? 4 : 3).uint(LAPSE);
      writer.text(message.reason.slice(0, REASON_CHARS_MAX)).uint(message.waitS);
      if (message.isCopied) writer.uint(COPIED_CODE);
      break;
    case 'roster':
      writer.array(2).uint(ROSTER).bytes(message.bytes);
      break;
    case 'compare':
      writer.array(3).uint(COMPARE).uint(message.number).array(message.ranges.length);
      for (const range of message.ranges) writeRange(writer.array(5), range).bytes(range.digest);
      break;
    case 'differ':
      writer.array(4).uint(DIFFER).uint(message.number).array(message.large.length);
      for (const place of message.large) writer.uint(place);
      writeOpStamps(writer, message.stamps);
      break;
    case 'stamps':
      writeOpStamps(writer.array(2).uint(STAMPS), message.stamps);
      break;
    case 'offer':
      writer.array(3).uint(OFFER).bytes(message.manifest).uint(message.bytes);
      break;
    case 'ask':
      writer.array(2).uint(ASK).uint(message.offset);
      break;
    case 'part':
      writer.array(3).uint(PART).uint(message.offset).bytes(message.bytes);
      break;
    default:
      unreachable(message);
  }
  return writer.finish();
}

export function encodePeerOp({ stamped, previous }: PeerOp): Uint8Array {
  const writer = new CborWriter(stamped.bytes.length + 40);
  writer.array(previous === undefined ? 2 : 3).raw(stamped.bytes);
  writeStamp(writer, stamped.stamp);
  if (previous !== undefined) writer.uint(previous);
  return writer.finish();
}

/** Whether it is an `open`, by its first bytes: an array of seven that begins with its kind. */
export function isOpen(bytes: Uint8Array): boolean {
  return bytes[0] === 0x87 && bytes[1] === OPEN;
}

/** Throws `CborError`; ops alias the input. */
export function readPeerMessage(bytes: Uint8Array): PeerMessage {
  if (bytes.length > PEER_MESSAGE_BYTES_MAX) throw new CborError('message too long', 0);
  const reader = new CborReader(bytes, 0, LIMITS);
  const count = reader.array();
  const message = readParts(reader, bytes, reader.uint(), count);
  if (!reader.atEnd) throw new CborError('bytes after the message', reader.offset);
  return message;
}

function readParts(
  reader: CborReader,
  bytes: Uint8Array,
  kind: number,
  count: number,
): PeerMessage {
  if (kind === OPEN && count === 7) return readOpen(reader);
  if (kind === PAGE && count === 4) {
    const number = reader.uint();
    const opsCount = reader.array();
    if (opsCount > PEER_PAGE_OPS_MAX) throw new CborError('too many ops', reader.offset);
    const ops = Array.from({ length: opsCount }, () => readPeerOp(reader, bytes));
    return { kind: 'page', number, ops, hasMore: reader.bool() };
  }
  if (kind === TAKEN && count === 2) return { kind: 'taken', number: reader.uint() };
  if (kind === LAPSE && (count === 3 || count === 4)) {
    const reason = reader.text().slice(0, REASON_CHARS_MAX);
    const waitS = Math.min(reader.uint(), WAIT_S_MAX);
    return { kind: 'lapse', reason, waitS, isCopied: count === 4 && reader.uint() === COPIED_CODE };
  }
  if (kind === ROSTER && count === 2) return { kind: 'roster', bytes: reader.bytes() };
  if (kind === COMPARE && count === 3) return readCompare(reader);
  if (kind === DIFFER && count === 4) {
    const [number, places] = [reader.uint(), reader.array()];
    if (places > RANGES_MAX) throw new CborError('too many ranges', reader.offset);
    const large = Array.from({ length: places }, () => reader.uint());
    return { kind: 'differ', number, large, stamps: readOpStamps(reader, STAMPS_MAX) };
  }
  if (kind === STAMPS && count === 2) {
    return { kind: 'stamps', stamps: readOpStamps(reader, STAMPS_MAX) };
  }
  return readStatePart(reader, kind, count);
}

function readStatePart(reader: CborReader, kind: number, count: number): PeerMessage {
  if (kind === OFFER && count === 3) {
    return { kind: 'offer', manifest: reader.bytes(), bytes: reader.uint() };
  }
  if (kind === ASK && count === 2) return { kind: 'ask', offset: reader.uint() };
  if (kind === PART && count === 3) {
    return { kind: 'part', offset: reader.uint(), bytes: reader.bytes() };
  }
  throw new CborError('unknown message', 0);
}

function readOpen(reader: CborReader): PeerMessage {
  const version = reader.uint();
  if (version !== PEER_PROTOCOL) throw new CborError(`protocol version ${version}`, reader.offset);
  const hub = originOfBytes(reader.bytes());
  if (hub === undefined) throw new CborError('hub is not 8 bytes', reader.offset);
  const site = reader.text();
  const [vector, rosterEpoch, holesCount] = [readVector(reader), reader.uint(), reader.array()];
  if (holesCount > PEER_HOLES_MAX) throw new CborError('too many holes', reader.offset);
  const holes = Array.from({ length: holesCount }, () => {
    reader.expectArray(4);
    return readRange(reader);
  });
  return { kind: 'open', hub, site, vector, holes, rosterEpoch };
}

function readCompare(reader: CborReader): PeerMessage {
  const [number, count] = [reader.uint(), reader.array()];
  if (count > RANGES_MAX) throw new CborError('too many ranges', reader.offset);
  const ranges = Array.from({ length: count }, () => {
    reader.expectArray(5);
    const range = readRange(reader);
    const digest = reader.bytes();
    const isFit = digest.length === DIGEST_BYTES && range.to - range.from < RANGE_OPS_MAX;
    if (!isFit) throw new CborError('malformed range', reader.offset);
    return { ...range, digest };
  });
  return { kind: 'compare', number, ranges };
}

function writeRange(writer: CborWriter, { lane, from, to }: PeerRange): CborWriter {
  const { origin, class: opClass } = splitLane(lane);
  return writer.bytes(bytesOfOrigin(origin)).uint(opClass).uint(from).uint(to);
}

function readRange(reader: CborReader): PeerRange {
  const start = reader.offset;
  const origin = originOfBytes(reader.bytes());
  const opClass = reader.uint();
  const [from, to] = [reader.uint(), reader.uint()];
  if (origin === undefined || !isOpClass(opClass) || from > to) {
    throw new CborError('malformed range', start);
  }
  return { lane: laneOf(origin, opClass), from, to };
}

function readPeerOp(reader: CborReader, bytes: Uint8Array): PeerOp {
  const count = reader.array();
  const start = reader.offset;
  const op = readOp(reader);
  const opBytes = bytes.subarray(start, reader.offset);
  const stamped = { bytes: opBytes, op, stamp: readStamp(reader) };
  if (count === 2) return { stamped };
  if (count !== 3) throw new CborError('malformed op', start);
  const previous = reader.uint();
  if (previous >= op.seq) throw new CborError('an op before itself', start);
  return { stamped, previous };
}
