/**
 * The op, the unit of replication: immutable, a CBOR array in deterministic encoding (WIRE.cddl). Its bytes
 * are kept as they came and never encoded anew, because they are hashed; what is not canonical is refused.
 *
 * The stamp is what the accepting hub adds beside it. Where two hubs accepted the same op before they met,
 * the smaller (stamp hlc, hub) counts everywhere.
 */
import { EMPTY_BYTES, isLongerThan } from '../base/bytes.ts';
import type { ClockQuality } from '../base/clock.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import type { CborLimits } from '../codec/value.ts';
import { CborWriter } from '../codec/writer.ts';
import { isOpClass, type OpClass } from './class.ts';
import { compareHlc, encodeHlc, HLC_BYTES, type Hlc, hlcAt, putHlc } from './hlc.ts';
import { bytesOfOrigin, type Origin, ORIGIN_BYTES, originAt, putOrigin } from './origin.ts';

export const KIND_NAMES = [
  'event',
  'patch',
  'remove',
  'add',
  'doc',
  'asset',
  'undo',
  'control',
] as const;
export type KindName = (typeof KIND_NAMES)[number];
/** 0 event … 7 control: the number that travels. */
export type Kind = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

export const EVENT = 0;
export const PATCH = 1;
export const REMOVE = 2;
export const ADD = 3;
export const DOC = 4;
export const ASSET = 5;
export const UNDO = 6;
export const CONTROL = 7;

const RECORD_KINDS: ReadonlySet<number> = new Set([PATCH, REMOVE, ADD, ASSET, UNDO, CONTROL]);

/** Whether it is the kind of an op on a record. */
export function isRecordKind(kind: number): kind is Kind {
  return RECORD_KINDS.has(kind);
}

/** By the number that travels. */
export const QUALITIES: readonly ClockQuality[] = ['unknown', 'rtc', 'peer', 'ntp'];

/** When the op was born by its maker's clock: lets a wall time be repaired after the fact. */
export interface OpClock {
  readonly quality: ClockQuality;
  /** Random 32-bit number of the maker's boot. */
  readonly bootId: number;
  /** Milliseconds since that boot. */
  readonly monotonicMs: number;
}

export interface Op {
  readonly origin: Origin;
  readonly class: OpClass;
  /** 1, 2, 3 … within the lane (origin, class). */
  readonly seq: number;
  readonly hlc: Hlc;
  readonly clock: OpClock;
  readonly kind: Kind;
  /** Topic of an event, key of a record; 1 … KEY_BYTES_MAX bytes of UTF-8. */
  readonly key: string;
  /** Opaque here: payload of an event, CBOR map of fields of a patch. */
  readonly body: Uint8Array;
}

export interface Stamp {
  readonly hub: Origin;
  readonly hlc: Hlc;
  /** Rank of the role that the maker was accepted with; see AUTHORITY. */
  readonly authority: number;
  readonly rosterEpoch: number;
}

/** What tells the stamps of one op apart. */
export type StampMark = Pick<Stamp, 'hub' | 'hlc'>;
export const STAMP_MARK_BYTES = HLC_BYTES + ORIGIN_BYTES;

/** An op as it lies in the journal and in batches: its own bytes, decoded, and its stamp. */
export interface StampedOp {
  readonly bytes: Uint8Array;
  readonly op: Op;
  readonly stamp: Stamp;
}

/** Rank of each role: the higher one wins a concurrent write. */
export const AUTHORITY = { device: 1, technician: 2, supervisor: 3, operator: 4 } as const;
export type Role = keyof typeof AUTHORITY;

/** Of an op that is not read yet. */
const NO_ORIGIN = '' as Origin;

export const KEY_BYTES_MAX = 1024;
export const BODY_BYTES_MAX = 1 << 20;
/** A door takes no larger op: with the frame of whoever hands it in, or on, it has to fit a packet of 1 MiB. */
export const OP_BYTES_MAX = BODY_BYTES_MAX - 2_048;
/** Whatever its key, and however far its numbers have come, an op with this body is within that. */
export const OWN_BODY_BYTES_MAX = OP_BYTES_MAX - KEY_BYTES_MAX - 64;
const OP_LIMITS: CborLimits = { depthMax: 3, itemsMax: 32 };
const OP_FIELDS = 8;

export function encodeOp(op: Op): Uint8Array {
  const writer = new CborWriter(op.body.length + op.key.length + 64);
  writeOp(writer, op);
  return writer.finish();
}

export function writeOp(writer: CborWriter, op: Op): void {
  writer.array(OP_FIELDS).bytes(bytesOfOrigin(op.origin)).uint(op.class).uint(op.seq);
  writer.bytes(encodeHlc(op.hlc));
  writer.array(3).uint(QUALITIES.indexOf(op.clock.quality));
  writer.uint(op.clock.bootId).uint(op.clock.monotonicMs);
  writer.uint(op.kind).text(op.key).bytes(op.body);
}

/** Reads one op; throws `CborError` where it is malformed, not canonical or beyond a limit. */
export function decodeOp(bytes: Uint8Array): Op {
  const reader = new CborReader(bytes, 0, OP_LIMITS);
  const op = readOp(reader);
  if (!reader.atEnd) throw new CborError('bytes after the op', reader.offset);
  return op;
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };
/** An op to read into. */
interface OpDraft extends Omit<Writable<Op>, 'clock' | 'hlc'> {
  readonly hlc: Writable<Hlc>;
  readonly clock: Writable<OpClock>;
}
interface StampDraft extends Omit<Writable<Stamp>, 'hlc'> {
  readonly hlc: Writable<Hlc>;
}

export function blankOp(): OpDraft {
  const hlc = { ms: 0, counter: 0 };
  const clock: Writable<OpClock> = { quality: 'unknown', bootId: 0, monotonicMs: 0 };
  return { origin: NO_ORIGIN, class: 0, seq: 0, hlc, clock, kind: 0, key: '', body: EMPTY_BYTES };
}

export function blankStamp(): StampDraft {
  return { hub: NO_ORIGIN, hlc: { ms: 0, counter: 0 }, authority: 0, rosterEpoch: 0 };
}

/** Reads the op at the reader's place; its body aliases the input. Who reads very many reads into the same object. */
export function readOp(reader: CborReader, op = blankOp()): Op {
  const start = reader.offset;
  const fail = (reason: string): never => {
    throw new CborError(reason, start);
  };
  reader.expectArray(OP_FIELDS);
  const originFrom = reader.fixed(ORIGIN_BYTES);
  if (originFrom < 0) return fail('origin is not 8 bytes');
  op.origin = originAt(reader.input, originFrom);
  const opClass = reader.uint();
  if (!isOpClass(opClass)) return fail('unknown class');
  op.class = opClass;
  op.seq = reader.uint();
  if (op.seq === 0) fail('sequence numbers begin at 1');
  const hlcFrom = reader.fixed(HLC_BYTES);
  if (hlcFrom < 0) return fail('hlc is not 8 bytes');
  hlcAt(reader.input, hlcFrom, op.hlc);
  reader.expectArray(3);
  op.clock.quality = QUALITIES[reader.uint()] ?? fail('unknown clock quality');
  op.clock.bootId = reader.uint();
  if (op.clock.bootId > 0xffffffff) fail('boot id beyond 32 bits');
  op.clock.monotonicMs = reader.uint();
  const kind = reader.uint();
  if (kind >= KIND_NAMES.length) fail('unknown kind');
  op.kind = kind as Kind;
  op.key = reader.text();
  if (op.key === '' || isLongerThan(op.key, KEY_BYTES_MAX)) fail('key is empty or too long');
  op.body = reader.bytes();
  if (op.body.length > BODY_BYTES_MAX) fail('body too long');
  return op;
}

export function writeStamp(writer: CborWriter, stamp: Stamp): void {
  writer.array(4).bytes(bytesOfOrigin(stamp.hub)).bytes(encodeHlc(stamp.hlc));
  writer.uint(stamp.authority).uint(stamp.rosterEpoch);
}

export function readStamp(reader: CborReader, stamp = blankStamp()): Stamp {
  const start = reader.offset;
  reader.expectArray(4);
  const hubFrom = reader.fixed(ORIGIN_BYTES);
  const hlcFrom = reader.fixed(HLC_BYTES);
  if (hubFrom < 0 || hlcFrom < 0) throw new CborError('malformed stamp', start);
  stamp.hub = originAt(reader.input, hubFrom);
  hlcAt(reader.input, hlcFrom, stamp.hlc);
  stamp.authority = reader.uint();
  if (stamp.authority < AUTHORITY.device || stamp.authority > AUTHORITY.operator) {
    throw new CborError('unknown authority', start);
  }
  stamp.rosterEpoch = reader.uint();
  return stamp;
}

/** Order of stamps: of two for the same op, the smaller counts. */
export function compareStamps(a: StampMark, b: StampMark): number {
  return compareHlc(a.hlc, b.hlc) || (a.hub < b.hub ? -1 : a.hub > b.hub ? 1 : 0);
}

/** HLC and hub, 16 bytes. */
export function encodeStampMark(mark: StampMark): Uint8Array {
  const bytes = new Uint8Array(STAMP_MARK_BYTES);
  putStampMark(bytes, 0, mark);
  return bytes;
}

/** Writes the 16 bytes from `at` on. */
export function putStampMark(bytes: Uint8Array, at: number, { hub, hlc }: StampMark): void {
  putHlc(bytes, at, hlc);
  putOrigin(bytes, at + HLC_BYTES, hub);
}

/** The mark whose 16 bytes begin at `at`. */
export function stampMarkAt(bytes: Uint8Array, at: number): StampMark {
  return { hub: originAt(bytes, at + HLC_BYTES), hlc: hlcAt(bytes, at) };
}

/** Reads what `encodeStampMark` wrote; undefined where it is something else. */
export function decodeStampMark(bytes: Uint8Array): StampMark | undefined {
  return bytes.length === STAMP_MARK_BYTES ? stampMarkAt(bytes, 0) : undefined;
}
