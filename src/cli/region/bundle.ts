/**
 * `heliograph bundle export` and `bundle import`: what waits on a hub goes onto a stick and into the region, or to another
 * hub that carries it on; the region's answers go the same way back. Both ask the running node.
 */
import { HubError, messageOf as textOfError } from '../../base/errors.ts';
import { isoTime } from '../../base/iso-time.ts';
import {
  BundleContent,
  type CarriedMessage,
  joinBundle,
  PART_BYTES_MAX,
  parsePart,
  type PartSource,
  piecesOf,
} from '../../batch/bundle.ts';
import { parseUpstreamTopic, topicOfBatch } from '../../batch/wire/topics.ts';
import { folderOf, type OpenFile, putInPlace, removeHalf } from '../../platform/files/files.ts';
import { type Args, UsageError } from '../args.ts';
import { HubApi } from '../asking/hub-api.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { writeLedger } from './ledger-files.ts';
import { regionApi } from './regional-send.ts';
import { bytesText, countText } from '../text.ts';

type JsonMessage = readonly [topic: string, payload: string];

interface HandedDocument {
  /** False where not all that waits is sealed yet: asked again, the hub goes on. */
  readonly isAll?: boolean;
  readonly left: number;
  readonly hello: JsonMessage;
  readonly batches: readonly { id: string; chunks: number; ops: number; bytes: number }[];
  readonly carried: readonly string[];
  readonly isEncrypted: boolean;
}

interface Refused {
  readonly batch: string;
  readonly reason: string;
}

interface RegionAnswer {
  readonly answers: readonly JsonMessage[];
  readonly refused: readonly Refused[];
  readonly stored: number;
  readonly passedOver: number;
}

interface PageDocument {
  readonly messages: readonly JsonMessage[];
}

const MIB = 1 << 20;
/** Of payloads in one request: with base64 and JSON around, below what a node takes. */
const REQUEST_BYTES = 512 << 10;
const SUFFIX = '.bundle';
/** A node may be busy with a batch of 20,000 ops, and with what came before it. */
const WORK_MS_MAX = 120_000;

export async function exportBundle(args: Args, io: CliIo): Promise<ExitCode> {
  const partBytes = partBytesOf(args);
  const api = HubApi.of(args, io);
  const dir = args.text('to') ?? '.';
  const [name] = args.operands;
  const stem = name ?? `${dir}/heliograph-${isoTime(io.clock.wallMs()).replaceAll(':', '-')}`;
  const hand = async (): Promise<HandedDocument> =>
    (await api.post(
      '/api/v1/bundle',
      { to: stem.slice(stem.lastIndexOf('/') + 1) },
      WORK_MS_MAX,
    )) as HandedDocument;
  let handed = await hand();
  while (handed.isAll === false) handed = await hand();
  const content = new BundleContent();
  content.add(messageOf(handed.hello));
  for (const { id, chunks } of handed.batches) {
    for (let from = 0; from < chunks;) {
      const path = `/api/v1/bundle/messages?batch=${id}&from=${from}`;
      const page = ((await api.json(path)) as PageDocument).messages;
      if (page.length === 0) break; // Its receipt came meanwhile.
      for (const message of page) content.add(messageOf(message));
      from += page.length;
    }
  }
  for (const each of handed.carried) {
    const page = (await api.json(`/api/v1/bundle/messages?carried=${each}`)) as PageDocument;
    for (const message of page.messages) content.add(messageOf(message));
  }
  const files = writeParts(stem, content.parts(partBytes), io);
  const ledger = args.text('ledger');
  const ledgerFiles = ledger === undefined ? undefined : await writeLedger(ledger, api, io);
  const ops = handed.batches.reduce((sum, batch) => sum + batch.ops, 0);
  if (args.has('json')) {
    const { batches, carried, isEncrypted, left } = handed;
    const told = {
      files,
      batches: batches.length,
      ops,
      left,
      carried: carried.length,
      isEncrypted,
      ledgerFiles,
    };
    io.stdout(`${JSON.stringify(told)}\n`);
  } else {
    const what = `${countText(ops, 'op')} in ${countText(handed.batches.length, 'batch', 'batches')}`;
    io.stdout(`${what}: ${files.join(', ')}\nThey stay here until a receipt is imported.\n`);
    if (ledgerFiles !== undefined)
      io.stdout(`${countText(ledgerFiles, 'file')} of the ledger in ${ledger}\n`);
  }
  if (handed.left > 0) {
    const why = 'the spool is full (uplink.spool_mib_max); export again when receipts are back';
    io.stderr(`Left: ${countText(handed.left, 'op')}, ${why}.\n`);
  }
  if (!handed.isEncrypted) {
    io.stderr('Not encrypted: whoever has the files can read them. See uplink.operator_key.\n');
  }
  return EXIT.done;
}

export async function importBundle(args: Args, io: CliIo): Promise<ExitCode> {
  const messages = readBundle(args.operand(0), io);
  return args.has('regional')
    ? importAtRegion(messages, args, io)
    : importAtHub(messages, args, io);
}

async function importAtRegion(
  messages: Iterable<CarriedMessage>,
  args: Args,
  io: CliIo,
): Promise<ExitCode> {
  const api = regionApi(args, io);
  const content = new BundleContent();
  const refused: Refused[] = [];
  let stored = 0;
  let passedOver = 0;
  for (const group of groupsOf(greetingsFirst(messages), true)) {
    const answer = await handIn<RegionAnswer>(api, group, 'stored', 'a hub: without --regional');
    for (const message of answer.answers) content.add(messageOf(message));
    refused.push(...answer.refused);
    stored += answer.stored;
    passedOver += answer.passedOver;
  }
  const stem =
    args.text('receipts') ?? `${args.operand(0).replace(/(-\d+)?\.bundle$/, '')}-receipts`;
  const files = content.isEmpty ? [] : writeParts(stem, content.parts(), io);
  if (args.has('json')) {
    io.stdout(`${JSON.stringify({ stored, refused, passedOver, receipts: files })}\n`);
  } else {
    io.stdout(
      `${countText(stored, 'batch', 'batches')} stored or known; answers: ${files.join(', ')}\n`,
    );
    for (const { batch, reason } of refused) io.stdout(`Refused: batch ${batch}, ${reason}\n`);
    if (passedOver > 0) io.stdout(`${countText(passedOver, 'message')} could not be taken.\n`);
  }
  const isNothing = stored === 0 && passedOver > 0;
  return isNothing || refused.length > 0 ? EXIT.failed : EXIT.done;
}

async function importAtHub(
  messages: Iterable<CarriedMessage>,
  args: Args,
  io: CliIo,
): Promise<ExitCode> {
  const api = HubApi.of(args, io);
  const sum = { receipts: 0, foreign: 0, passedOver: 0 };
  for (const group of groupsOf(messages, false)) {
    const taken = await handIn<typeof sum>(api, group, 'receipts', 'a regional node: --regional');
    sum.receipts += taken.receipts;
    sum.foreign += taken.foreign;
    sum.passedOver += taken.passedOver;
  }
  if (args.has('json')) io.stdout(`${JSON.stringify(sum)}\n`);
  else {
    io.stdout(`${countText(sum.receipts, 'receipt')} taken; `);
    io.stdout(`${countText(sum.foreign, 'message')} of other hubs kept, to be carried on.\n`);
    if (sum.passedOver > 0) {
      io.stdout(
        `Passed over: ${countText(sum.passedOver, 'message')}, nothing to this hub or not signed.\n`,
      );
    }
  }
  return EXIT.done;
}

/** The node's answer, which has the key that one of the kind that was meant gives; `other` says what it is where it has not. */
async function handIn<T>(
  api: Pick<HubApi, 'post'>,
  messages: readonly JsonMessage[],
  key: keyof T & string,
  other: string,
): Promise<T> {
  const answer = await api.post('/api/v1/bundle', { messages }, WORK_MS_MAX);
  if (!Object.hasOwn(answer as object, key)) throw new UsageError(`that is ${other}`);
  return answer as T;
}

/**
 * All parts lie in one folder, beside the one that is named; throws where one is damaged or missing. They are read again for
 * whoever goes through the messages: a stick may hold more than there is memory.
 */
function readBundle(path: string, io: CliIo): Iterable<CarriedMessage> {
  if (!io.files.exists(path)) throw new UsageError(`${path} is not there`);
  const named = parsePart(fileSource(path, io));
  if (named.kind === 'damaged') throw new HubError('bundle.incomplete', `${path}: ${named.reason}`);
  const first = named.part;
  const parts = [first];
  if (first.parts > 1) {
    const dir = folderOf(path);
    for (const name of io.files.list(dir)) {
      const other = `${dir}/${name}`;
      if (!name.endsWith(SUFFIX) || other === path) continue;
      const outcome = parsePart(fileSource(other, io));
      if (outcome.kind === 'damaged') io.stderr(`${other}: ${outcome.reason}\n`);
      // A stick may have those of many months.
      else if (outcome.part.bundle === first.bundle) parts.push(outcome.part);
    }
  }
  const outcome = joinBundle(parts);
  if (outcome.kind === 'bundle') return outcome.messages;
  const what =
    outcome.kind === 'damaged'
      ? outcome.reason
      : `of ${first.parts} parts these are not here: ${outcome.missing.join(', ')}`;
  throw new HubError('bundle.incomplete', `${path}: ${what}`);
}

function fileSource(path: string, { files }: CliIo): PartSource {
  const reading = <T>(read: (file: OpenFile) => T): T => {
    const file = files.open(path, 'read');
    try {
      return read(file);
    } finally {
      file.close();
    }
  };
  return {
    length: reading((file) => file.size()),
    slice: (from, to) => {
      const bytes = new Uint8Array(to - from);
      return bytes.subarray(
        0,
        reading((file) => file.readAt(bytes, from)),
      );
    },
  };
}

function writeParts(stem: string, parts: readonly PartSource[], io: CliIo): string[] {
  const base = stem.endsWith(SUFFIX) ? stem.slice(0, -SUFFIX.length) : stem;
  const paths: string[] = [];
  for (const [index, part] of parts.entries()) {
    const number = parts.length === 1 ? '' : `-${String(index + 1).padStart(4, '0')}`;
    const path = `${base}${number}${SUFFIX}`;
    try {
      writePart(path, part, io);
    } catch (error) {
      // Half a bundle is of no use, and takes the room of the next try.
      for (const each of [...paths, path]) removeHalf(io.files, each);
      const needed = parts.reduce((sum, { length }) => sum + length, 0);
      const reason = `${path}: ${textOfError(error)}; the whole has ${bytesText(needed)}, nothing of it was left there`;
      throw new HubError('files.refused', reason, error);
    }
    paths.push(path);
  }
  return paths;
}

/** As `replace` does, and never all of it in memory at once. */
function writePart(path: string, part: PartSource, { files }: CliIo): void {
  putInPlace(files, path, (beside) => {
    const file = files.open(beside, 'create');
    try {
      let at = 0;
      for (const piece of piecesOf(part)) {
        file.writeAt(piece, at);
        at += piece.length;
      }
      file.datasyncNow();
    } finally {
      file.close();
    }
  });
  files.syncDir(folderOf(path));
}

/** Hubs that carry for others keep no order, and of a hub that has not greeted the region takes nothing. */
function* greetingsFirst(messages: Iterable<CarriedMessage>): Generator<CarriedMessage> {
  const isGreeting = ({ topic }: CarriedMessage): boolean =>
    parseUpstreamTopic(topic)?.kind === 'hello';
  for (const message of messages) if (isGreeting(message)) yield message;
  for (const message of messages) if (!isGreeting(message)) yield message;
}

/** What goes with one request; a region gets each batch with one of its own, since it stores it before it answers. */
function* groupsOf(messages: Iterable<CarriedMessage>, byBatch: boolean): Generator<JsonMessage[]> {
  let group: JsonMessage[] = [];
  let bytes = 0;
  let batch = '';
  for (const { topic, payload } of messages) {
    const next = topicOfBatch(topic);
    const isFull = bytes + payload.length > REQUEST_BYTES;
    if (group.length > 0 && (isFull || (byBatch && next !== batch))) {
      yield group;
      group = [];
      bytes = 0;
    }
    batch = next;
    group.push([topic, Buffer.from(payload).toString('base64')]);
    bytes += payload.length;
  }
  if (group.length > 0) yield group;
}

function messageOf([topic, payload]: JsonMessage): CarriedMessage {
  return { topic, payload: new Uint8Array(Buffer.from(payload, 'base64')) };
}

function partBytesOf(args: Args): number {
  const text = args.text('split');
  if (text === undefined) return PART_BYTES_MAX;
  const bytes = Number(text) * MIB;
  if (bytes >= 1_024 && bytes <= PART_BYTES_MAX) return Math.floor(bytes);
  throw new UsageError('--split is a size in MiB, 0.001 … 256');
}
