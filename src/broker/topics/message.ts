/**
 * Topics and messages as sessions keep them. A topic is one shared object, however many messages name it.
 *
 * A payload that must outlive its packet is kept as a string of latin-1 characters, one for each byte: such a
 * string is as quick to make and to write as a copy of the bytes, takes exactly its size on the collected heap,
 * and a lone message that waits for weeks pins no pooled buffer around it. Large ones are buffers of their
 * own, which all subscribers share.
 */
import { assert } from '../../base/assert.ts';
import { textOf } from '../../base/bytes.ts';
import { isTopicName } from '../../model/topic.ts';
import type { Lsn, Qos } from '../contract.ts';

export interface Topic {
  readonly name: string;
  /** Length prefix and UTF-8, as packets carry it. */
  readonly encoded: Buffer;
}

/** Of all topics in the table, where it is full of long ones: each is held three times over. */
const MEAN_LENGTH_MAX = 256;

/** From this size on a payload is kept as a buffer. */
const LARGE_PAYLOAD_BYTES = 16 * 1024;

/** Bytes may lie in a larger piece of memory, and stay as they are. */
type Payload = string | Uint8Array;

export interface Message {
  readonly topic: Topic;
  readonly payload: Payload;
  readonly qos: Qos;
  /** The publisher asked to retain it. */
  readonly retain: boolean;
  /** Where it lies in the journal; 0 where it does not. */
  readonly lsn: Lsn;
}

/** What a message costs a queue beside its payload: objects, slots. */
const MESSAGE_OVERHEAD_BYTES = 128;

export function messageBytes(message: Message): number {
  return message.payload.length + MESSAGE_OVERHEAD_BYTES;
}

/** A copy of `buffer[start … end)` that may be kept. */
export function keepPayload(buffer: Buffer, start: number, end: number): Payload {
  if (end - start < LARGE_PAYLOAD_BYTES) return buffer.toString('latin1', start, end);
  const copy = Buffer.allocUnsafeSlow(end - start);
  buffer.copy(copy, 0, start, end);
  return copy;
}

export function bytesOfPayload(payload: Payload): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
}

/** Makes topics of the bytes in packets; those in use are found again, so that each is checked and decoded once. */
export class TopicTable {
  readonly #topicsMax: number;
  readonly #topicByBytes = new Map<string, Topic>();
  #length = 0;

  constructor(topicsMax: number) {
    this.#topicsMax = topicsMax;
  }

  /** The topic whose UTF-8 bytes are `latin1`, one character each; undefined where it is no topic name. */
  ofBytes(latin1: string): Topic | undefined {
    const known = this.#topicByBytes.get(latin1);
    if (known !== undefined) return known;
    const bytes = Buffer.from(latin1, 'latin1');
    const name = textOf(bytes);
    if (name === undefined || !isTopicName(name)) return undefined;
    // Forgetting all of them costs each one more check; nothing refers to the table.
    const lengthMax = this.#topicsMax * MEAN_LENGTH_MAX;
    if (this.#topicByBytes.size >= this.#topicsMax || this.#length + latin1.length > lengthMax) {
      this.#topicByBytes.clear();
      this.#length = 0;
    }
    this.#length += latin1.length;
    const topic = { name, encoded: withLength(bytes) };
    this.#topicByBytes.set(latin1, topic);
    return topic;
  }

  /** The topic of a name that is known to be valid. */
  named(name: string): Topic {
    const topic = this.ofBytes(Buffer.from(name, 'utf8').toString('latin1'));
    assert(topic !== undefined, `not a topic name: ${name}`);
    return topic;
  }
}

function withLength(bytes: Buffer): Buffer {
  const encoded = Buffer.allocUnsafeSlow(2 + bytes.length);
  encoded.writeUInt16BE(bytes.length, 0);
  encoded.set(bytes, 2);
  return encoded;
}
