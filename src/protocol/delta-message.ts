/** `sync/<device>/delta`: what a device lacks, in pages (sync/PROTOCOL.md §4). */
import { unreachable } from '../base/assert.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import type { CborLimits } from '../codec/value.ts';
import { CborWriter } from '../codec/writer.ts';
import { readStateItem, type StateItem, writeStateItem } from '../merge/state/state-item.ts';
import { decodeHlc, encodeHlc, type Hlc } from '../model/hlc.ts';
import { readOp, readStamp, type StampedOp, writeStamp } from '../model/op.ts';
import { bytesOfOrigin, type Origin, originOfBytes } from '../model/origin.ts';
import type { VersionVector } from '../model/version-vector.ts';
import { DELTA_BYTES_MAX, PAGE_ITEMS_MAX, REASON_CHARS_MAX, WAIT_S_MAX } from './limits.ts';
import { readVector, writeVector } from './vector.ts';

/** A piece of the compacted state, or an op as it was journaled. */
export type DeltaItem =
  | { readonly type: 'state'; readonly item: StateItem }
  | { readonly type: 'op'; readonly stamped: StampedOp };

/**
 * `partial`: more of the catching up follows. `caught-up`: that was the last of it, `lanes` count now. `live`: ops
 * that came since, in the hub's order; `lanes` count as well.
 */
export type PageStage = 'partial' | 'caught-up' | 'live';

export interface DeltaPage {
  readonly kind: 'page';
  readonly pull: number;
  /** 1, 2, 3 … without gaps. */
  readonly page: number;
  readonly stage: PageStage;
  /** Each encoded as `encodeStateItem` or `encodeOpItem` does. */
  readonly items: readonly Uint8Array[];
  /** Lanes that are further now, and how far. */
  readonly lanes: VersionVector;
  readonly resume?: Uint8Array;
}

export interface Welcome {
  readonly kind: 'welcome';
  readonly pull: number;
  readonly hub: Origin;
  readonly hlc: Hlc;
  /** Rank that the hub gives to what this device makes. */
  readonly authority: number;
}

/** The pull has ended; the device opens another one after `waitS`. */
export interface Lapse {
  readonly kind: 'lapse';
  readonly pull: number;
  readonly reason: string;
  readonly waitS: number;
}

export type DeltaMessage = DeltaPage | Welcome | Lapse;

const PAGE = 0;
const WELCOME = 1;
const LAPSE = 2;
const STAGES: readonly PageStage[] = ['partial', 'caught-up', 'live'];
const OP_ITEM = 0;
const LIMITS: CborLimits = { depthMax: 16, itemsMax: 200_000 };

export function encodeStateItem(item: StateItem): Uint8Array {
  const writer = new CborWriter(128);
  writeStateItem(writer, item);
  return writer.finish();
}

export function encodeOpItem({ bytes, stamp }: Pick<StampedOp, 'bytes' | 'stamp'>): Uint8Array {
  const writer = new CborWriter(bytes.length + 40).array(3).uint(OP_ITEM).raw(bytes);
  writeStamp(writer, stamp);
  return writer.finish();
}

export function encodeDelta(message: DeltaMessage): Uint8Array {
  switch (message.kind) {
    case 'page':
      return encodePage(message);
    case 'welcome': {
      const { pull, hub, hlc, authority } = message;
      const writer = new CborWriter(40).array(5).uint(WELCOME).uint(pull);
      return writer.bytes(bytesOfOrigin(hub)).bytes(encodeHlc(hlc)).uint(authority).finish();
    }
    case 'lapse': {
      const { pull, reason, waitS } = message;
      return new CborWriter(64).array(4).uint(LAPSE).uint(pull).text(reason).uint(waitS).finish();
    }
    default:
      return unreachable(message);
  }
}

function encodePage({ pull, page, stage, items, lanes, resume }: DeltaPage): Uint8Array {
  const size = items.reduce((sum, item) => sum + item.length, 128);
  const writer = new CborWriter(size).array(resume === undefined ? 6 : 7).uint(PAGE);
  writer.uint(pull).uint(page).uint(STAGES.indexOf(stage)).array(items.length);
  for (const item of items) writer.raw(item);
  writeVector(writer, lanes);
  if (resume !== undefined) writer.bytes(resume);
  return writer.finish();
}

export type ReadDelta = Welcome | Lapse | ReadPage;

/** A page with its items read; they alias the message. */
export interface ReadPage extends Omit<DeltaPage, 'items'> {
  readonly items: readonly DeltaItem[];
}

/** Throws `CborError` where the message is malformed. */
export function readDelta(bytes: Uint8Array): ReadDelta {
  if (bytes.length > DELTA_BYTES_MAX) throw new CborError('too long', 0);
  const reader = new CborReader(bytes, 0, LIMITS);
  const count = reader.array();
  const message = readMessage(reader, bytes, count);
  if (!reader.atEnd) throw new CborError('bytes after the end', reader.offset);
  return message;
}

function readMessage(reader: CborReader, bytes: Uint8Array, count: number): ReadDelta {
  const type = reader.uint();
  const pull = reader.uint();
  if (type === PAGE && (count === 6 || count === 7)) {
    const page = reader.uint();
    const stage = STAGES[reader.uint()];
    if (stage === undefined) throw new CborError('unknown stage', reader.offset);
    const length = reader.array();
    if (length > PAGE_ITEMS_MAX) throw new CborError('too many items', reader.offset);
    const items = Array.from({ length }, () => readItem(reader, bytes));
    const lanes = readVector(reader);
    const read = { kind: 'page', pull, page, stage, items, lanes } as const;
    return count === 6 ? read : { ...read, resume: reader.bytes() };
  }
  if (type === WELCOME && count === 5) {
    const hub = originOfBytes(reader.bytes());
    const hlc = decodeHlc(reader.bytes());
    if (hub !== undefined && hlc !== undefined) {
      return { kind: 'welcome', pull, hub, hlc, authority: reader.uint() };
    }
  }
  if (type === LAPSE && count === 4) {
    return {
      kind: 'lapse',
      pull,
      reason: reader.text().slice(0, REASON_CHARS_MAX),
      waitS: Math.min(reader.uint(), WAIT_S_MAX),
    };
  }
  throw new CborError('unknown message', 0);
}

function readItem(reader: CborReader, bytes: Uint8Array): DeltaItem {
  const start = reader.offset;
  if (!nextIsOp(bytes, start)) return { type: 'state', item: readStateItem(reader) };
  reader.expectArray(3);
  reader.uint();
  const opStart = reader.offset;
  const op = readOp(reader);
  const opBytes = bytes.subarray(opStart, reader.offset);
  return { type: 'op', stamped: { bytes: opBytes, op, stamp: readStamp(reader) } };
}

/** An array of 3 that begins with 0: state items begin with 1 or more. */
function nextIsOp(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x83 && bytes[at + 1] === OP_ITEM;
}
