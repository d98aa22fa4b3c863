/**
 * How hub and regional node greet each other, and what the node says is there of a batch (BATCH.md §5). What is not a
 * well-formed message of the kind asked for is undefined, and the caller ignores and counts it.
 */
import type { Verify } from '../../codec/cose.ts';
import { decodeCbor } from '../../codec/reader.ts';
import { cborMap, type CborMap, type CborValue } from '../../codec/value.ts';
import { encodeCbor } from '../../codec/writer.ts';
import { originOfPublicKey } from '../../hashes.ts';
import { CLASSES } from '../../model/class.ts';
import { bytesOfOrigin, type Origin } from '../../model/origin.ts';
import { BATCH_FORMATS, RESUME_FORMAT } from '../../versions.ts';
import { type AskedToWait, readWait, waitFields } from './asked-to-wait.ts';
import { type BatchId, bytesOfBatchId } from '../batch-id.ts';
import { ChunkBitmap } from './chunks.ts';
import { type Compression, COMPRESSIONS, KNOWN_COMPRESSIONS } from '../compression.ts';
import { decodeLacks, encodeLacks, type Heals, readHeals } from './down-messages.ts';
import { type DownWish, encodeWish, readWish } from './down-wish.ts';
import { SPOOLED_MAX } from '../limits.ts';
import type { Signer } from '../manifest.ts';
import { type Encoding, ENCODINGS } from '../payload.ts';
import type { LaneRange } from '../ranges.ts';
import {
  arrayField,
  asBytes,
  asMap,
  asText,
  asUint,
  batchesField,
  batchField,
  bytesField,
  hubField,
  LIMITS,
  listOf,
  malformed,
  openSelfSigned,
  openSigned,
  reading,
  seal,
  textField,
  uintField,
} from './signed.ts';

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
  readonly sealedTo?: Uint8Array | undefined;
  /** Of the site, where one is set. */
  readonly jurisdiction?: string | undefined;
  /** What it has of the lanes that flow down (down-messages.ts), and which classes it takes now; absent: it takes nothing. */
  readonly down?: DownWish | undefined;
  /** X25519 public key that batches down are encrypted to; absent: they are not. */
  readonly sealKey?: Uint8Array | undefined;
  /** What its card has lost in the midst of its lanes, of classes that it takes now. */
  readonly lacks?: readonly LaneRange[] | undefined;
  /** The newest receipted batch of each class that has one. */
  readonly tips?: readonly BatchId[] | undefined;
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
    return {
      hub,
      site: textField(map, 'site'),
      publicKey,
      ...readGreeting(map),
      spooled,
      ...(map.has('sealed-to') ? { sealedTo: bytesField(map, 'sealed-to') } : {}),
      ...(map.has('jurisdiction') ? { jurisdiction: textField(map, 'jurisdiction') } : {}),
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

type Greeting = Omit<Introduction, 'hub' | 'publicKey'>;

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
