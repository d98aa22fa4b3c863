/**
 * What hub and regional node say to each other besides chunks (BATCH.md §5, §6): greeting, what is there of a
 * batch, receipt. Each is a COSE_Sign1 by its sender; its content type says which it is. Parsing never throws:
 * what is not a well-formed message of the kind asked for is undefined, and the caller ignores and counts it.
 */
import { bytesEqual } from '../../base/bytes.ts';
import type { ClockQuality } from '../../base/clock.ts';
import { parseCose, signCose, type Verify, verifyCose } from '../../codec/cose.ts';
import { CborError, CborReader, decodeCbor } from '../../codec/reader.ts';
import { cborMap, type CborMap, type CborValue } from '../../codec/value.ts';
import { CborWriter, encodeCbor } from '../../codec/writer.ts';
import { HASH_BYTES } from '../../ledger/merkle.ts';
import type { TreeHead } from '../../ledger/note.ts';
import { CLASSES, isOpClass, type OpClass } from '../../model/class.ts';
import { QUALITIES } from '../../model/op.ts';
import { bytesOfOrigin, type Origin, originOfBytes } from '../../model/origin.ts';
import {
  BATCH_FORMAT,
  BATCH_FORMAT_WITNESSED,
  BATCH_FORMATS,
  RESUME_FORMAT,
} from '../../versions.ts';
import { type AskedToWait, readWait, waitFields } from './asked-to-wait.ts';
import { type BatchId, batchIdOfBytes, bytesOfBatchId, originOfPublicKey } from '../batch-id.ts';
import { ChunkBitmap } from './chunks.ts';
import { type Compression, COMPRESSIONS, KNOWN_COMPRESSIONS } from '../compression.ts';
import { decodeLacks, encodeLacks, type Heals, readHeals } from './down-messages.ts';
import { type DownWish, encodeWish, readWish } from './down-wish.ts';
import { MESSAGE_BYTES_MAX, SPOOLED_MAX } from '../limits.ts';
import type { Signer } from '../manifest.ts';
import { type Encoding, ENCODINGS } from '../payload.ts';
import { type LaneRange, readRanges, writeRanges } from '../ranges.ts';

export const NONCE_BYTES = 8;
/** What this version reads, as either side says it in its greeting. */
export const READABLE = {
  formats: BATCH_FORMATS,
  compressions: KNOWN_COMPRESSIONS,
  encodings: ENCODINGS,
} as const;
const HELLO_TYPE = 'application/vnd.heliograph.hello+cbor';
const DOWN_HELLO_TYPE = 'application/vnd.heliograph.down-hello+cbor';
const HAVE_TYPE = 'application/vnd.heliograph.have+cbor';
const RECEIPT_TYPE = 'application/vnd.heliograph.receipt+cbor';
const LIMITS = { depthMax: 4, itemsMax: 110_000 };
const REASON_CHARS_MAX = 200;

/** What both sides of a session say of themselves. */
interface Introduction {
  /** The hub whose session it is. */
  readonly hub: Origin;
  /** Of the sender. */
  readonly publicKey: Uint8Array;
  /** New in each session: the answer repeats it. */
  readonly nonce: Uint8Array;
  /** Program version of the sender. */
  readonly software: string;
  /** Batch formats, compressions and encodings that the sender can read. */
  readonly formats: readonly number[];
  readonly compressions: readonly Compression[];
  readonly encodings: readonly Encoding[];
}

/** From the hub, retained, at the start of each session. */
export interface Hello extends Introduction {
  readonly site: string;
  /** Sealed batches that still wait for a receipt, in the order they will be sent. */
  readonly spooled: readonly BatchId[];
  /** Id of the key that batches are encrypted to; absent: they are not. */
  readonly sealedTo?: Uint8Array;
  /** Of the site, where one is set. */
  readonly jurisdiction?: string;
  /** What it has of the lanes that flow down (down-messages.ts), and which classes it takes now; absent: it takes nothing. */
  readonly down?: DownWish;
  /** X25519 public key that batches down are encrypted to; absent: they are not. */
  readonly sealKey?: Uint8Array;
  /** What its card has lost in the midst of its lanes, of classes that it takes now. */
  readonly lacks?: readonly LaneRange[];
  /** The newest receipted batch of each class that has one. */
  readonly tips?: readonly BatchId[];
}

/** The regional node's answer: who it is, and that it heard this very hello. */
export interface DownHello extends Introduction {
  /** Ids of the keys whose batches the node can open; absent: none. */
  readonly opens?: readonly Uint8Array[];
  /** What it may store; undefined: everything. */
  readonly jurisdictions?: readonly string[];
  /** Ops that wait for this hub; absent where nothing flows down. */
  readonly waiting?: number;
  /** Of `tips`, those that it has lost. */
  readonly forgot?: readonly BatchId[];
  /** The answer to `lacks`. */
  readonly heals?: Heals;
  readonly wait?: AskedToWait | undefined;
  /** It reads short chunks, and sessions may go on where they were cut (resume.ts). */
  readonly resumes?: boolean;
  /** It hears short chunks on brief topics, too. */
  readonly brief?: boolean;
}

/** Which chunks of a batch the regional node has. */
export interface Have {
  readonly hub: Origin;
  readonly batch: BatchId;
  readonly chunks: ChunkBitmap;
  readonly wait?: AskedToWait | undefined;
}

/** The regional node's word that a batch is stored, or that it cannot be. */
export interface Receipt {
  readonly hub: Origin;
  readonly batch: BatchId;
  readonly outcome: 'stored' | 'refused';
  /** Why it was refused. */
  readonly reason: string | undefined;
  readonly class: OpClass;
  readonly ranges: readonly LaneRange[];
  readonly ops: number;
  readonly root: Uint8Array;
  /** The batch that the manifest names as the one before, where the regional node does not know it. */
  readonly awaits: BatchId | undefined;
  readonly atMs: number;
  readonly quality: ClockQuality;
  /** All that the region knows of the hub's tree of this class, cosigned; where the manifest told the tree and they agree. */
  readonly witnessed?: WitnessedHead;
}

export interface WitnessedHead extends TreeHead {
  /** Time and signature over the checkpoint of this head (ledger/note.ts). */
  readonly cosignature: Uint8Array;
}

export function encodeHello(hello: Omit<Hello, 'hub' | 'publicKey'>, signer: Signer): Uint8Array {
  const fields = greeting(hello, signer);
  const spooled = hello.spooled.map((id) => bytesOfBatchId(id));
  const { site, sealedTo, jurisdiction, sealKey } = hello;
  const down = hello.down === undefined ? undefined : encodeWish(hello.down);
  const lacks = hello.lacks === undefined ? undefined : encodeLacks(hello.lacks);
  const demands = { 'sealed-to': sealedTo, jurisdiction, down, 'seal-key': sealKey, lacks };
  const tips = hello.tips?.map((id) => bytesOfBatchId(id));
  const map = cborMap({ ...fields, site, spooled, ...demands, tips });
  return seal(HELLO_TYPE, encodeCbor(map), signer);
}

/** A hello is its own proof: the key in it made the signature, and its hash is the hub's id. */
export function parseHello(bytes: Uint8Array, verify: Verify): Hello | undefined {
  return reading(() => {
    const map = openSelfSigned(bytes, HELLO_TYPE, verify);
    const publicKey = bytesField(map, 'key');
    const spooled = batchesField(map, 'spooled', SPOOLED_MAX);
    const hub = originOfPublicKey(publicKey);
    const sealedTo = map.has('sealed-to') ? bytesField(map, 'sealed-to') : undefined;
    const jurisdiction = map.has('jurisdiction') ? textField(map, 'jurisdiction') : undefined;
    return {
      hub,
      site: textField(map, 'site'),
      publicKey,
      ...readGreeting(map),
      spooled,
      ...(sealedTo === undefined ? {} : { sealedTo }),
      ...(jurisdiction === undefined ? {} : { jurisdiction }),
      ...(map.has('down') ? { down: readWish(map.get('down')) } : {}),
      ...(map.has('seal-key') ? { sealKey: bytesField(map, 'seal-key') } : {}),
      ...(map.has('tips') ? { tips: batchesField(map, 'tips', CLASSES.length) } : {}),
      ...(map.has('lacks') ? { lacks: decodeLacks(bytesField(map, 'lacks')) ?? malformed() } : {}),
    };
  });
}

export function encodeDownHello(hello: Omit<DownHello, 'publicKey'>, signer: Signer): Uint8Array {
  const { hub, opens, jurisdictions, waiting, wait } = hello;
  const heals = hello.heals && [hello.heals.ops, hello.heals.wholeFromLsn];
  const held = waitFields(wait);
  const forgot = hello.forgot?.map((id) => bytesOfBatchId(id));
  const resumes = hello.resumes === true ? RESUME_FORMAT : undefined;
  const stated = {
    hub: bytesOfOrigin(hub),
    opens,
    jurisdictions,
    waiting,
    heals,
    resumes,
    brief: hello.brief === true ? 1 : undefined,
    forgot,
    ...held,
  };
  const fields = { ...greeting(hello, signer), ...stated };
  return seal(DOWN_HELLO_TYPE, encodeCbor(cborMap(fields)), signer);
}

/** Proves only that the sender holds the key it names; whether it is the expected one, the hub decides. */
export function parseDownHello(bytes: Uint8Array, verify: Verify): DownHello | undefined {
  return reading(() => {
    const map = openSelfSigned(bytes, DOWN_HELLO_TYPE, verify);
    const publicKey = bytesField(map, 'key');
    const opens = listOf(map, 'opens')?.map((id) => asBytes(id));
    const jurisdictions = listOf(map, 'jurisdictions')?.map((code) => asText(code));
    return {
      hub: hubField(map),
      publicKey,
      ...readGreeting(map),
      ...(opens === undefined ? {} : { opens }),
      ...(jurisdictions === undefined ? {} : { jurisdictions }),
      ...(map.has('waiting') ? { waiting: uintField(map, 'waiting') } : {}),
      ...(map.has('forgot') ? { forgot: batchesField(map, 'forgot', CLASSES.length) } : {}),
      ...(map.has('heals') ? { heals: readHeals(map.get('heals')) } : {}),
      ...(map.get('resumes') === RESUME_FORMAT ? { resumes: true } : {}),
      ...(map.get('brief') === 1 ? { brief: true } : {}),
      ...(readWait(map) ?? malformed()),
    };
  });
}

export function encodeHave(have: Have, signer: Signer): Uint8Array {
  const fields = cborMap({
    hub: bytesOfOrigin(have.hub),
    batch: bytesOfBatchId(have.batch),
    total: have.chunks.total,
    chunks: have.chunks.toBytes(),
    ...waitFields(have.wait),
  });
  return seal(HAVE_TYPE, encodeCbor(fields), signer);
}

export function parseHave(
  bytes: Uint8Array,
  regionKey: Uint8Array,
  verify: Verify,
): Have | undefined {
  return reading(() => {
    const map = asMap(decodeCbor(openSigned(bytes, HAVE_TYPE, regionKey, verify), LIMITS));
    const chunks = ChunkBitmap.fromBytes(uintField(map, 'total'), bytesField(map, 'chunks'));
    if (chunks === undefined) return malformed();
    const told = { hub: hubField(map), batch: batchField(map, 'batch'), chunks };
    return { ...told, ...(readWait(map) ?? malformed()) };
  });
}

const RECEIPT_FIELDS = 11;
/** Of the format with the region's word on the tree. */
const RECEIPT_FIELDS_WITNESSED = 12;

export function encodeReceipt(receipt: Receipt, signer: Signer): Uint8Array {
  const { witnessed } = receipt;
  const writer = new CborWriter(512);
  if (witnessed === undefined) writer.array(RECEIPT_FIELDS).uint(BATCH_FORMAT);
  else writer.array(RECEIPT_FIELDS_WITNESSED).uint(BATCH_FORMAT_WITNESSED);
  writer.bytes(bytesOfOrigin(receipt.hub)).bytes(bytesOfBatchId(receipt.batch));
  writer.uint(receipt.outcome === 'stored' ? 0 : 1).text(receipt.reason ?? '');
  writer.uint(receipt.class);
  writeRanges(writer, receipt.ranges);
  writer.uint(receipt.ops).bytes(receipt.root);
  if (receipt.awaits === undefined) writer.null();
  else writer.bytes(bytesOfBatchId(receipt.awaits));
  writer.array(2).uint(receipt.atMs).uint(QUALITIES.indexOf(receipt.quality));
  if (witnessed !== undefined) {
    writer.array(3).uint(witnessed.size).bytes(witnessed.root).bytes(witnessed.cosignature);
  }
  return seal(RECEIPT_TYPE, writer.finish(), signer);
}

export function parseReceipt(
  bytes: Uint8Array,
  regionKey: Uint8Array,
  verify: Verify,
): Receipt | undefined {
  return reading(() => {
    const reader = new CborReader(openSigned(bytes, RECEIPT_TYPE, regionKey, verify), 0, LIMITS);
    const fields = reader.array();
    const format = reader.uint();
    const isWitnessed = format === BATCH_FORMAT_WITNESSED;
    if (format !== BATCH_FORMAT && !isWitnessed) return malformed();
    if (fields !== (isWitnessed ? RECEIPT_FIELDS_WITNESSED : RECEIPT_FIELDS)) return malformed();
    const hub = originOfBytes(reader.bytes()) ?? malformed();
    const batch = batchIdOfBytes(reader.bytes()) ?? malformed();
    const outcome = reader.uint();
    if (outcome > 1) return malformed();
    const reason = reader.text();
    const opClass = reader.uint();
    if (!isOpClass(opClass) || reason.length > REASON_CHARS_MAX) return malformed();
    const ranges = readRanges(reader);
    const ops = reader.uint();
    const root = reader.bytes();
    const awaits = reader.orNull(() => batchIdOfBytes(reader.bytes()) ?? malformed());
    reader.expectArray(2);
    const atMs = reader.uint();
    const quality = QUALITIES[reader.uint()] ?? malformed();
    const witnessed = isWitnessed ? { witnessed: readWitnessed(reader) } : {};
    if (!reader.atEnd) return malformed();
    const named = {
      hub,
      batch,
      outcome: outcome === 0 ? ('stored' as const) : ('refused' as const),
    };
    const covered = { class: opClass, ranges, ops, root, awaits };
    const told = { ...named, reason: reason === '' ? undefined : reason, ...covered };
    return { ...told, atMs, quality, ...witnessed };
  });
}

function readWitnessed(reader: CborReader): WitnessedHead {
  reader.expectArray(3);
  const size = reader.uint();
  const root = reader.bytes();
  const cosignature = reader.bytes();
  return root.length === HASH_BYTES ? { size, root, cosignature } : malformed();
}

interface Greeting {
  readonly nonce: Uint8Array;
  readonly software: string;
  readonly formats: readonly number[];
  readonly compressions: readonly Compression[];
  readonly encodings: readonly Encoding[];
}

function greeting(hello: Greeting, signer: Signer): Record<string, CborValue> {
  const { nonce, software, formats } = hello;
  const compressions = hello.compressions.map((each) => COMPRESSIONS.indexOf(each));
  const encodings = hello.encodings.map((each) => ENCODINGS.indexOf(each));
  return { key: signer.publicKey, nonce, software, formats, compressions, encodings };
}

function readGreeting(map: CborMap): Greeting {
  const nonce = bytesField(map, 'nonce');
  if (nonce.length !== NONCE_BYTES) return malformed();
  const formats = arrayField(map, 'formats').map((format) => asUint(format));
  const compressions = knownOf(COMPRESSIONS, arrayField(map, 'compressions'));
  const encodings = knownOf(ENCODINGS, arrayField(map, 'encodings'));
  return { nonce, software: textField(map, 'software'), formats, compressions, encodings };
}

/** What the numbers stand for; those that we do not know are the sender's business. */
function knownOf<T>(known: readonly T[], numbers: readonly CborValue[]): T[] {
  return numbers.flatMap((number) => known[asUint(number)] ?? []);
}

function seal(contentType: string, payload: Uint8Array, signer: Signer): Uint8Array {
  const keyId = bytesOfOrigin(originOfPublicKey(signer.publicKey));
  return signCose(payload, { contentType, keyId }, (message) => signer.sign(message));
}

function openSigned(
  bytes: Uint8Array,
  contentType: string,
  publicKey: Uint8Array,
  verify: Verify,
): Uint8Array {
  if (bytes.length > MESSAGE_BYTES_MAX) return malformed();
  const message = parseCose(bytes);
  if (message.contentType !== contentType) return malformed();
  return verifyCose(message, publicKey, verify) ? message.payload : malformed();
}

function openSelfSigned(bytes: Uint8Array, contentType: string, verify: Verify): CborMap {
  if (bytes.length > MESSAGE_BYTES_MAX) return malformed();
  const message = parseCose(bytes);
  const map = asMap(decodeCbor(message.payload, LIMITS));
  const publicKey = bytesField(map, 'key');
  if (!bytesEqual(message.keyId, bytesOfOrigin(originOfPublicKey(publicKey)))) return malformed();
  openSigned(bytes, contentType, publicKey, verify);
  return map;
}

/** Runs a parser; undefined where it met something malformed. */
function reading<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

function malformed(): never {
  throw new CborError('malformed message', 0);
}

function asMap(value: CborValue | undefined): CborMap {
  return value instanceof Map ? value : malformed();
}

function asBytes(value: CborValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : malformed();
}

function asUint(value: CborValue | undefined): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : malformed();
}

function bytesField(map: CborMap, name: string): Uint8Array {
  return asBytes(map.get(name));
}

function uintField(map: CborMap, name: string): number {
  return asUint(map.get(name));
}

function asText(value: CborValue | undefined): string {
  return typeof value === 'string' ? value : malformed();
}

function textField(map: CborMap, name: string): string {
  return asText(map.get(name));
}

/** A list that earlier versions do not send. */
function listOf(map: CborMap, name: string): readonly CborValue[] | undefined {
  return map.has(name) ? arrayField(map, name) : undefined;
}

function arrayField(map: CborMap, name: string): readonly CborValue[] {
  const value = map.get(name);
  return Array.isArray(value) ? (value as readonly CborValue[]) : malformed();
}

function hubField(map: CborMap): Origin {
  return originOfBytes(bytesField(map, 'hub')) ?? malformed();
}

function batchesField(map: CborMap, name: string, countMax: number): BatchId[] {
  const ids = arrayField(map, name).map((id) => batchIdOfBytes(asBytes(id)) ?? malformed());
  return ids.length > countMax ? malformed() : ids;
}

function batchField(map: CborMap, name: string): BatchId {
  return batchIdOfBytes(bytesField(map, name)) ?? malformed();
}
