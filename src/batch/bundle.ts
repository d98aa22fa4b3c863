/**
 * Carried sync (BUNDLE.md): the messages that would travel over MQTT, in files that travel on a stick or a phone. Whoever
 * carries them needs no key and cannot read what is encrypted; whoever takes them in judges each message as if it had come
 * over a wire. A file that is torn, or one that is missing, is told by its own numbers and hashes.
 */
import { bytesEqual, concatBytes, hexOf } from '../base/bytes.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { sha256 } from '../hashes.ts';
import { BUNDLE_FORMAT } from '../versions.ts';

/** One message with the topic that it would be published at. */
export interface CarriedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export interface BundlePart {
  /** 32 hex digits: the start of the SHA-256 of the whole content. */
  readonly bundle: string;
  /** 1 … `parts`. */
  readonly part: number;
  readonly parts: number;
  readonly data: Uint8Array;
}

type PartOutcome =
  | { readonly kind: 'part'; readonly part: BundlePart }
  | { readonly kind: 'damaged'; readonly reason: string };

type BundleOutcome =
  | { readonly kind: 'bundle'; readonly messages: readonly CarriedMessage[] }
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

/** The files of a bundle, each with at most `partBytesMax` of content. */
export function encodeBundle(
  messages: readonly CarriedMessage[],
  partBytesMax = PART_BYTES_MAX,
): Uint8Array[] {
  const writer = new CborWriter(1 << 16).array(messages.length);
  for (const { topic, payload } of messages) writer.array(2).text(topic).bytes(payload);
  const content = writer.finish();
  const id = sha256(content).subarray(0, BUNDLE_ID_BYTES);
  const parts = Math.max(1, Math.ceil(content.length / partBytesMax));
  return Array.from({ length: parts }, (_, index) => {
    const data = content.subarray(index * partBytesMax, (index + 1) * partBytesMax);
    const head = new CborWriter(data.length + 128).array(FIELDS).text(MAGIC).uint(BUNDLE_FORMAT);
    head
      .bytes(id)
      .uint(index + 1)
      .uint(parts);
    return head.bytes(sha256(data)).bytes(data).finish();
  });
}

/** Reads one file; a stick that was pulled too early leaves one that is damaged. */
export function parsePart(bytes: Uint8Array): PartOutcome {
  const damaged = (reason: string): PartOutcome => ({ kind: 'damaged', reason });
  try {
    const reader = new CborReader(bytes, 0, { depthMax: 1, itemsMax: FIELDS + 1 });
    if (reader.array() !== FIELDS || reader.text() !== MAGIC) return damaged('no bundle');
    const format = reader.uint();
    if (format !== BUNDLE_FORMAT) return damaged(`format ${format}, of a newer version`);
    const id = reader.bytes();
    const part = reader.uint();
    const parts = reader.uint();
    const hash = reader.bytes();
    const data = reader.bytes();
    const isCounted = part >= 1 && part <= parts && parts <= PARTS_MAX;
    if (!reader.atEnd || id.length !== BUNDLE_ID_BYTES || !isCounted) return damaged('no bundle');
    if (!bytesEqual(hash, sha256(data))) return damaged('its hash is wrong');
    return { kind: 'part', part: { bundle: hexOf(id), part, parts, data } };
  } catch (error) {
    if (error instanceof CborError) return damaged('it breaks off, or is no bundle');
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
  const content = concatBytes(numbers.map((number) => byNumber.get(number) ?? new Uint8Array()));
  if (hexOf(sha256(content).subarray(0, BUNDLE_ID_BYTES)) !== first.bundle) {
    return { kind: 'damaged', reason: 'its parts are not of one bundle' };
  }
  return messagesIn(content);
}

function messagesIn(content: Uint8Array): BundleOutcome {
  try {
    const reader = new CborReader(content, 0, { depthMax: 2, itemsMax: 3 * MESSAGES_MAX + 1 });
    const messages = Array.from({ length: reader.array() }, () => {
      reader.expectArray(2);
      return { topic: reader.text(), payload: reader.bytes() };
    });
    if (!reader.atEnd || messages.some(({ topic }) => topic.length > TOPIC_CHARS_MAX)) {
      return { kind: 'damaged', reason: 'it holds no messages' };
    }
    return { kind: 'bundle', messages };
  } catch (error) {
    if (error instanceof CborError) return { kind: 'damaged', reason: 'it holds no messages' };
    throw error;
  }
}
