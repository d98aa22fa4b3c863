/**
 * What one connection is about to be sent: frames of one turn of the event loop are gathered and leave in one
 * write. Buffers come from a pool and go back to it where the kernel took the bytes at once, which is the rule.
 */
import type { Connection } from '../../platform/network/network.ts';
import type { Counters } from '../counters.ts';
import type { Message } from '../topics/message.ts';
import { ACK_BYTES, LARGE_FRAME_BYTES, lengthBytes, writeLength } from './frames.ts';

/** Sizes of pooled buffers: a few acks, a busy subscriber, a drain. */
const BUFFER_BYTES: readonly number[] = [1024, 8 * 1024, 64 * 1024];
const LARGEST_BYTES = 64 * 1024;
/** Buffers of each size that are kept for the next turn. */
const POOLED_MAX = 64;

/** The buffers of all writers. */
export class BufferPool {
  readonly #free: Buffer[][] = BUFFER_BYTES.map(() => []);

  /** A buffer of at least `bytes`, which must not exceed the largest size. */
  take(bytes: number): Buffer {
    const size = BUFFER_BYTES.findIndex((candidate) => candidate >= bytes);
    return this.#free[size]?.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES[size] as number);
  }

  give(buffer: Buffer): void {
    const free = this.#free[BUFFER_BYTES.indexOf(buffer.length)];
    if (free !== undefined && free.length < POOLED_MAX) free.push(buffer);
  }
}

/** Writers with something to send; whoever owns the turn flushes them at its end. */
export class TurnFlush {
  readonly #atEndOfTurn: (flush: () => void) => void;
  #waiting: FrameWriter[] = [];
  #isScheduled = false;

  /** `atEndOfTurn` calls back once, after the events that wait now. */
  constructor(atEndOfTurn: (flush: () => void) => void) {
    this.#atEndOfTurn = atEndOfTurn;
  }

  add(writer: FrameWriter): void {
    this.#waiting.push(writer);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#atEndOfTurn(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  /** Sends everything now. */
  flush(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const writer of waiting) writer.flush();
  }
}

/** What all writers share. */
export interface WriterSurroundings {
  readonly pool: BufferPool;
  readonly turn: TurnFlush;
  readonly counters: Counters;
}

export class FrameWriter {
  readonly #connection: Connection;
  readonly #pool: BufferPool;
  readonly #turn: TurnFlush;
  readonly #counters: Counters;
  #buffer: Buffer | undefined;
  #used = 0;
  /** Size that the last turn needed: the next one begins with it. */
  #usualBytes = 0;
  #isListed = false;
  #isBlocked = false;
  #isClosed = false;

  constructor(connection: Connection, around: WriterSurroundings) {
    this.#connection = connection;
    this.#pool = around.pool;
    this.#turn = around.turn;
    this.#counters = around.counters;
  }

  /** False while the client takes less than it is sent: what can wait should wait for `onDrain`. */
  get canSend(): boolean {
    return !this.#isBlocked && !this.#isClosed;
  }

  /** Bytes that the client has not taken yet. */
  get waitingBytes(): number {
    return this.#used + this.#connection.bufferedBytes;
  }

  onDrain(): void {
    this.#isBlocked = false;
  }

  /** Gathers a copy of `source[start … end)`; large frames must lie in memory of their own and stay. */
  frame(source: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (bytes >= LARGE_FRAME_BYTES) {
      this.#writeThrough(source.subarray(start, end));
      return;
    }
    const at = this.#reserve(bytes);
    source.copy(this.#buffer as Buffer, at, start, end);
  }

  /** Gathers a PUBLISH with the given first byte; `packetId` 0 for none. */
  publish(message: Message, first: number, packetId: number): void {
    const { payload } = message;
    const { encoded } = message.topic;
    const headBytes = encoded.length + (packetId === 0 ? 0 : 2);
    const bodyBytes = headBytes + payload.length;
    const isGathered = typeof payload === 'string' || payload.length < LARGE_FRAME_BYTES;
    const gatheredBytes = 1 + lengthBytes(bodyBytes) + (isGathered ? bodyBytes : headBytes);
    let at = this.#reserve(gatheredBytes);
    const buffer = this.#buffer as Buffer;
    buffer[at] = first;
    at = writeLength(buffer, at + 1, bodyBytes);
    at += encoded.copy(buffer, at);
    if (packetId !== 0) {
      buffer[at++] = packetId >> 8;
      buffer[at++] = packetId & 0xff;
    }
    if (typeof payload === 'string') buffer.write(payload, at, 'latin1');
    else if (isGathered) buffer.set(payload, at);
    else this.#writeThrough(payload);
  }

  /** Gathers one of the four packets that are only an identifier. */
  ack(first: number, packetId: number): void {
    const at = this.#reserve(ACK_BYTES);
    const buffer = this.#buffer as Buffer;
    buffer[at] = first;
    buffer[at + 1] = 2;
    buffer[at + 2] = packetId >> 8;
    buffer[at + 3] = packetId & 0xff;
  }

  /** Sends what was gathered. */
  flush(): void {
    this.#isListed = false;
    const buffer = this.#buffer;
    const used = this.#used;
    if (buffer === undefined || used === 0) return;
    this.#buffer = undefined;
    this.#used = 0;
    this.#usualBytes = used;
    this.#write(buffer.subarray(0, used));
    if (this.#connection.bufferedBytes === 0) this.#pool.give(buffer);
  }

  /** Forgets what was gathered; nothing more is sent. */
  close(): void {
    this.#isClosed = true;
    if (this.#buffer !== undefined) this.#pool.give(this.#buffer);
    this.#buffer = undefined;
    this.#used = 0;
  }

  /** Makes room for `bytes` behind what was gathered; returns where. */
  #reserve(bytes: number): number {
    const at = this.#used;
    const buffer = this.#buffer;
    if (buffer !== undefined && at + bytes <= buffer.length) {
      this.#used = at + bytes;
      return at;
    }
    if (buffer === undefined || at + bytes > LARGEST_BYTES) {
      this.flush();
      const wanted = Math.max(bytes, Math.min(this.#usualBytes, LARGEST_BYTES));
      this.#buffer =
        wanted > LARGEST_BYTES ? Buffer.allocUnsafeSlow(wanted) : this.#pool.take(wanted);
      this.#used = bytes;
      this.#list();
      return 0;
    }
    const grown = this.#pool.take(at + bytes);
    buffer.copy(grown, 0, 0, at);
    this.#pool.give(buffer);
    this.#buffer = grown;
    this.#used = at + bytes;
    return at;
  }

  #list(): void {
    if (this.#isListed) return;
    this.#isListed = true;
    this.#turn.add(this);
  }

  #writeThrough(bytes: Uint8Array): void {
    this.flush();
    this.#write(bytes);
  }

  #write(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#counters.bytesOut += bytes.length;
    if (!this.#connection.write(bytes)) this.#isBlocked = true;
  }
}
