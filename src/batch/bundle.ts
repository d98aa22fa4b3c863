/**
 * Carried sync (BUNDLE.md): the messages that would travel over MQTT, in files that travel on a stick or a phone. Whoever
 * carries them needs no key and cannot read what is encrypted; whoever takes them in judges each message as if it had come
 * over a wire. A file that is torn, or one that is missing, is told by its own numbers and hashes.
 */
import { bytesEqual, concatBytes, hexOf } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { sha256Of } from '../hashes.ts';
import { BUNDLE_FORMAT } from '../versions.ts';
import { MESSAGE_BYTES_MAX } from './limits.ts';

/** One message with the topic that it would be published at. */
export interface CarriedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** The bytes of a file, which may be larger than memory. */
export interface PartSource {
  readonly length: number;
  /** Those from `from` up to `to`, or the end. */
  slice(from: number, to: number): Uint8Array;
}

export interface BundlePart {
  /** 32 hex digits: the start of the SHA-256 of the whole content. */
  readonly bundle: string;
  /** 1 … `parts`. */
  readonly part: number;
  readonly parts: number;
  readonly data: PartSource;
}

type PartOutcome =
  | { readonly kind: 'part'; readonly part: BundlePart }
  | { readonly kind: 'damaged'; readonly reason: string };

type BundleOutcome =
  /** Read anew each time they are gone through; throws `bundle.incomplete` where the content is not made of messages. */
  | { readonly kind: 'bundle'; readonly messages: Iterable<CarriedMessage> }
  /** Numbers of the parts that are not here. */
  | { readonly kind: 'incomplete'; readonly missing: readonly number[] }
  | { readonly kind: 'damaged'; readonly reason: string };

const MAGIC = 'heliograph bundle';
const BUNDLE_ID_BYTES = 16;
const FIELDS = 7;
/** Of one file; what is larger is split. */
export const PART_BYTES_MAX = 256 << 20;
const PARTS_MAX = 10_000;
const MESSAGES_MAX = 1_000_000;
const TOPIC_CHARS_MAX = 256;
/** Room for all of a part but its data. */
const HEAD_BYTES_MAX = 128;
/** What is read, or written, at a time. */
const PIECE_BYTES = 2 << 20;
/** Messages are held in blocks of at least so much. */
const BLOCK_BYTES = 1 << 20;
/** Room for any message and its topic. */
const MESSAGE_ROOM_BYTES = MESSAGE_BYTES_MAX + 4 * TOPIC_CHARS_MAX + 16;
const BREAKS_OFF = 'it breaks off, or is no bundle';

/** Gathers the messages of a bundle, and holds them once. */
export class BundleContent {
  readonly #blocks: Uint8Array[] = [];
  readonly #block = new CborWriter(PIECE_BYTES);
  #messages = 0;

  get isEmpty(): boolean {
    return this.#messages === 0;
  }

  add({ topic, payload }: CarriedMessage): void {
    this.#block.array(2).text(topic).bytes(payload);
    this.#messages += 1;
    if (this.#block.length >= BLOCK_BYTES) this.#endBlock();
  }

  /** The files of the bundle, each with at most `partBytesMax` of content. */
  parts(partBytesMax = PART_BYTES_MAX): PartSource[] {
    this.#endBlock();
    const content = joined([new CborWriter(9).array(this.#messages).finish(), ...this.#blocks]);
    const id = sha256Of(piecesOf(content)).subarray(0, BUNDLE_ID_BYTES);
    const parts = Math.max(1, Math.ceil(content.length / partBytesMax));
    return Array.from({ length: parts }, (_, index) => {
      const data = within(content, index * partBytesMax, (index + 1) * partBytesMax);
      const head = new CborWriter(HEAD_BYTES_MAX).array(FIELDS).text(MAGIC).uint(BUNDLE_FORMAT);
      head
        .bytes(id)
        .uint(index + 1)
        .uint(parts);
      head.bytes(sha256Of(piecesOf(data))).bytesHead(data.length);
      return joined([head.finish(), data]);
    });
  }

  #endBlock(): void {
    this.#blocks.push(this.#block.finish());
    this.#block.reset();
  }
}

/** The files of a small bundle. */
export function encodeBundle(
  messages: readonly CarriedMessage[],
  partBytesMax?: number,
): Uint8Array[] {
  const content = new BundleContent();
  for (const message of messages) content.add(message);
  return content.parts(partBytesMax).map((part) => part.slice(0, part.length));
}

/** Reads one file; a stick that was pulled too early leaves one that is damaged. */
export function parsePart(file: PartSource): PartOutcome {
  const damaged = (reason: string): PartOutcome => ({ kind: 'damaged', reason });
  try {
    const head = file.slice(0, HEAD_BYTES_MAX);
    const reader = new CborReader(head, 0, { depthMax: 1, itemsMax: FIELDS + 1 });
    if (reader.array() !== FIELDS || reader.text() !== MAGIC) return damaged('no bundle');
    const format = reader.uint();
    if (format !== BUNDLE_FORMAT) return damaged(`format ${format}, of a newer version`);
    const id = reader.bytes();
    const part = reader.uint();
    const parts = reader.uint();
    const hash = reader.bytes();
    const length = reader.bytesHead();
    const from = reader.offset;
    if (from + length > file.length) return damaged(BREAKS_OFF);
    const isCounted = part >= 1 && part <= parts && parts <= PARTS_MAX;
    const isWhole = from + length === file.length;
    if (!isWhole || id.length !== BUNDLE_ID_BYTES || !isCounted) return damaged('no bundle');
    const data = within(file, from, file.length);
    if (!bytesEqual(hash, sha256Of(piecesOf(data)))) return damaged('its hash is wrong');
    return { kind: 'part', part: { bundle: hexOf(id), part, parts, data } };
  } catch (error) {
    if (error instanceof CborError) return damaged(BREAKS_OFF);
    throw error;
  }
}

/** The messages of a bundle, once all its parts are here, in any order. */
export function joinBundle(parts: readonly BundlePart[]): BundleOutcome {
  const [first] = parts;
  if (first === undefined) return { kind: 'damaged', reason: 'no part is here' };
  const byNumber = new Map(
    parts.filter(({ bundle }) => bundle === first.bundle).map((part) => [part.part, part.data]),
  );
  const numbers = Array.from({ length: first.parts }, (_, index) => index + 1);
  const missing = numbers.filter((number) => !byNumber.has(number));
  if (missing.length > 0) return { kind: 'incomplete', missing };
  const content = joined(numbers.flatMap((number) => byNumber.get(number) ?? []));
  const id = sha256Of(piecesOf(content)).subarray(0, BUNDLE_ID_BYTES);
  if (hexOf(id) !== first.bundle) {
    return { kind: 'damaged', reason: 'its parts are not of one bundle' };
  }
  return { kind: 'bundle', messages: { [Symbol.iterator]: () => messagesIn(content) } };
}

/** All of it, piece by piece. */
export function* piecesOf(source: PartSource): Generator<Uint8Array> {
  for (let at = 0; at < source.length; at += PIECE_BYTES) yield source.slice(at, at + PIECE_BYTES);
}

/** What lies from `from` up to `to`, or the end. */
function within(source: PartSource, from: number, to: number): PartSource {
  const length = Math.min(to, source.length) - from;
  return {
    length,
    slice: (start, end) => source.slice(from + start, from + Math.min(end, length)),
  };
}

/** One behind the other. */
function joined(sources: readonly PartSource[]): PartSource {
  return {
    length: sources.reduce((sum, { length }) => sum + length, 0),
    slice: (from, to) => {
      const pieces: Uint8Array[] = [];
      let start = 0;
      for (const source of sources) {
        const end = start + source.length;
        if (end > from && start < to)
          pieces.push(source.slice(Math.max(0, from - start), Math.min(to, end) - start));
        start = end;
      }
      return concatBytes(pieces);
    },
  };
}

function* messagesIn(content: PartSource): Generator<CarriedMessage> {
  const malformed = (): HubError => new HubError('bundle.incomplete', 'it holds no messages');
  let piece = content.slice(0, PIECE_BYTES);
  let pieceFrom = 0;
  /** Reads at the place `at` of the piece. */
  const readAt = <T>(at: number, read: (reader: CborReader) => T): { read: T; end: number } => {
    const reader = new CborReader(piece, at, { depthMax: 1, itemsMax: 3 });
    try {
      return { read: read(reader), end: reader.offset };
    } catch (error) {
      if (error instanceof CborError) throw malformed();
      throw error;
    }
  };
  const head = readAt(0, (reader) => reader.array());
  if (head.read > MESSAGES_MAX) throw malformed();
  let at = head.end;
  for (let left = head.read; left > 0; left--) {
    if (at + MESSAGE_ROOM_BYTES > piece.length && pieceFrom + piece.length < content.length) {
      pieceFrom += at;
      piece = content.slice(pieceFrom, pieceFrom + PIECE_BYTES);
      at = 0;
    }
    const { read, end } = readAt(at, (reader) => {
      reader.expectArray(2);
      return { topic: reader.text(), payload: reader.bytes() };
    });
    if (read.topic.length > TOPIC_CHARS_MAX) throw malformed();
    at = end;
    yield read;
  }
  if (pieceFrom + at !== content.length) throw malformed();
}
