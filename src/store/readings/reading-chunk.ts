/**
 * Readings of one key, packed for one row: what came in one transaction, in order of time.
 *
 *   chunk   = * reading
 *   reading = delta-ms length payload      ; milliseconds since the reading before (the first: since `first_ms`
 *                                          ; of the row) and bytes of the payload, each as unsigned LEB128
 *
 * A chunk of one reading is its bare payload.
 *
 * A row per reading costs SQLite ten times what the reading itself does. A chunk lies within one day (UTC) and
 * within an hour, and has at most 16 KiB unless a single payload is larger, so that a query decodes little that
 * it does not want. Chunks are deflated but in a burst: there the processor counts, else the card.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';

import { HubError } from '../../base/errors.ts';

const CHUNK_BYTES_MAX = 16 * 1024;
export const CHUNK_SPAN_MS_MAX = 3_600_000;
export const DAY_MS = 86_400_000;
/** Heads of a reading: two numbers of at most 7 bytes. */
const HEAD_BYTES_MAX = 14;
const DEFLATE_LEVEL = 3;
/** Below this a chunk fits its page anyway. */
const DEFLATE_BYTES_MIN = 512;

/** One reading: the payload and nothing else. */
const SINGLE = 0;
const PLAIN = 1;
const DEFLATED = 2;

export interface Reading {
  readonly atMs: number;
  readonly payload: Uint8Array;
}

/** A chunk as a row has it. */
export interface ChunkRow {
  readonly firstMs: number;
  readonly spanMs: number;
  readonly codec: number;
  readonly body: Uint8Array;
}

/** Builds one chunk after another in a buffer of its own. */
export class ChunkWriter {
  #buffer = new Uint8Array(CHUNK_BYTES_MAX + HEAD_BYTES_MAX);
  #length = 0;
  #count = 0;
  /** Where the newest payload lies. */
  #payloadAt = 0;
  #firstMs = 0;
  #lastMs = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** True where the reading, which is not older than the one before, may join the chunk. */
  hasRoom(atMs: number, payloadBytes: number): boolean {
    if (this.#length === 0) return true;
    return (
      this.#length + payloadBytes + HEAD_BYTES_MAX <= CHUNK_BYTES_MAX &&
      atMs - this.#firstMs <= CHUNK_SPAN_MS_MAX &&
      Math.floor(atMs / DAY_MS) === Math.floor(this.#firstMs / DAY_MS)
    );
  }

  /** Adds the reading whose payload lies in `bytes`. */
  add(atMs: number, bytes: Uint8Array, from: number, to: number): void {
    const needed = this.#length + (to - from) + HEAD_BYTES_MAX;
    if (needed > this.#buffer.length) this.#grow(needed);
    if (this.#length === 0) this.#firstMs = this.#lastMs = atMs;
    this.#number(atMs - this.#lastMs);
    this.#number(to - from);
    this.#count += 1;
    this.#payloadAt = this.#length;
    this.#buffer.set(bytes.subarray(from, to), this.#length);
    this.#length += to - from;
    this.#lastMs = atMs;
  }

  /** The chunk, its body valid until the next `add`; the writer is empty again. */
  take(compact: boolean): ChunkRow {
    const firstMs = this.#firstMs;
    const spanMs = this.#lastMs - firstMs;
    const plain = this.#buffer.subarray(0, this.#length);
    const isSingle = this.#count === 1;
    this.#length = this.#count = 0;
    if (compact && plain.length >= DEFLATE_BYTES_MIN) {
      const body = deflateRawSync(plain, { level: DEFLATE_LEVEL });
      if (body.length < plain.length) return { firstMs, spanMs, codec: DEFLATED, body };
    }
    if (!isSingle) return { firstMs, spanMs, codec: PLAIN, body: plain };
    return { firstMs, spanMs, codec: SINGLE, body: plain.subarray(this.#payloadAt) };
  }

  #number(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(bytes);
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}

/** The readings of a chunk in order of time; throws `HubError` `store.damaged` where it is none. */
export function readChunk({ firstMs, codec, body }: ChunkRow): Reading[] {
  if (codec === SINGLE) return [{ atMs: firstMs, payload: body }];
  const bytes = codec === DEFLATED ? inflated(body) : body;
  const readings: Reading[] = [];
  let at = 0;
  let atMs = firstMs;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 0x80) {
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw damaged();
  };
  while (at < bytes.length) {
    atMs += number();
    const length = number();
    if (length > bytes.length - at) throw damaged();
    readings.push({ atMs, payload: bytes.subarray(at, at + length) });
    at += length;
  }
  return readings;
}

function inflated(body: Uint8Array): Uint8Array {
  try {
    const { buffer, byteOffset, length } = inflateRawSync(body);
    return new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    throw damaged(error);
  }
}

function damaged(cause?: unknown): HubError {
  return new HubError('store.damaged', 'state database: a chunk of readings is malformed', cause);
}
