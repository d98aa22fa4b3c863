/**
 * Cuts the byte stream of a client into MQTT frames, whatever pieces it comes in. Frames that lie whole in a
 * piece are handed on without copying; only one that straddles two pieces is put together, in memory that
 * grows with what has really arrived, so that announcing a large packet costs the broker nothing.
 *
 * The taker of frames steers: it may ask for a pause after a frame, or for the same frame again later.
 */

const EMPTY = Buffer.alloc(0);
/** Memory kept for the next straddling frame. */
const KEPT_BYTES_MAX = 16 * 1024;
const LENGTH_BYTES_MAX = 4;

/**
 * What the taker makes of a frame: `next` please; `pause`: it is taken, but no more until `resume`; `again`: it is
 * not taken, offer it at `resume`; `stop`: the connection is over.
 */
export type FrameVerdict = 'next' | 'pause' | 'again' | 'stop';

export interface FrameTaker {
  /** A frame whose first byte is `first` and whose body is `buffer[start … end)`, valid during the call. */
  onFrame(first: number, buffer: Buffer, start: number, end: number): FrameVerdict;
}

/** Why a stream cannot be MQTT, or not for us: [MQTT-2.2.3] allows four length bytes; ours is a lower limit. */
type FrameFault = 'malformed-length' | 'packet-too-large';

export class Framer {
  /** Longest body that is taken; may be raised between frames. */
  bodyBytesMax: number;
  readonly #taker: FrameTaker;
  #state: 'cutting' | 'paused' | 'stopped' = 'cutting';
  #fault: FrameFault | undefined;
  /** Bytes that are not cut yet: the head of a straddling frame, or all that came during a pause. */
  #pending = EMPTY;
  #pendingBytes = 0;
  /** Length that `#pending` must reach before cutting it can get any further. */
  #wantedBytes = 0;

  constructor(taker: FrameTaker, bodyBytesMax: number) {
    this.#taker = taker;
    this.bodyBytesMax = bodyBytesMax;
  }

  /** True where no byte waits to be cut. */
  get isEmpty(): boolean {
    return this.#pendingBytes === 0;
  }

  /** Cuts what has come; the fault ends the stream. */
  feed(chunk: Buffer): FrameFault | undefined {
    if (this.#state === 'stopped') return this.#fault;
    if (this.#state === 'paused') {
      this.#keep(chunk, 0);
      return undefined;
    }
    let at = 0;
    while (this.#pendingBytes > 0) {
      const missing = this.#wantedBytes - this.#pendingBytes;
      const taken = Math.min(missing, chunk.length - at);
      this.#keep(chunk.subarray(at, at + taken), 0);
      at += taken;
      if (taken < missing) return undefined;
      this.#cutPending();
      if (this.#state !== 'cutting') break;
    }
    if (this.#state === 'cutting') at = this.#cut(chunk, at, chunk.length);
    if (this.#isOpen() && at < chunk.length) this.#keep(chunk, at);
    return this.#fault;
  }

  /** Goes on after `pause` or `again`. */
  resume(): FrameFault | undefined {
    if (this.#state !== 'paused') return this.#fault;
    this.#state = 'cutting';
    this.#cutPending();
    return this.#fault;
  }

  /** The connection is over: nothing more is cut, memory is given back. */
  stop(): void {
    this.#state = 'stopped';
    this.#pending = EMPTY;
    this.#pendingBytes = 0;
  }

  #isOpen(): boolean {
    return this.#state !== 'stopped';
  }

  #cutPending(): void {
    const used = this.#cut(this.#pending, 0, this.#pendingBytes);
    if (!this.#isOpen()) return;
    this.#pending.copyWithin(0, used, this.#pendingBytes);
    this.#pendingBytes -= used;
    if (this.#pendingBytes === 0 && this.#pending.length > KEPT_BYTES_MAX) this.#pending = EMPTY;
  }

  /** Hands on all whole frames in `buffer[at … end)`; returns where the first that was not taken begins. */
  #cut(buffer: Buffer, from: number, end: number): number {
    let at = from;
    while (at < end) {
      let bodyStart = at + 1;
      let length = 0;
      let factor = 1;
      let byte: number | undefined = 0x80;
      while (byte >= 0x80) {
        if (bodyStart - at > LENGTH_BYTES_MAX) return this.#fail('malformed-length');
        if (bodyStart >= end) return this.#want(at, bodyStart + 1 - at);
        byte = buffer[bodyStart++] as number;
        length += (byte & 0x7f) * factor;
        factor *= 128;
      }
      if (length > this.bodyBytesMax) return this.#fail('packet-too-large');
      const bodyEnd = bodyStart + length;
      if (bodyEnd > end) return this.#want(at, bodyEnd - at);
      const verdict = this.#taker.onFrame(buffer[at] as number, buffer, bodyStart, bodyEnd);
      if (verdict === 'next') {
        at = bodyEnd;
        continue;
      }
      if (verdict === 'stop') this.stop();
      else this.#state = 'paused';
      return verdict === 'again' ? at : bodyEnd;
    }
    return at;
  }

  #want(at: number, frameBytes: number): number {
    this.#wantedBytes = frameBytes;
    return at;
  }

  #fail(fault: FrameFault): number {
    this.#fault = fault;
    this.stop();
    return 0;
  }

  #keep(chunk: Buffer, from: number): void {
    const bytes = this.#pendingBytes + chunk.length - from;
    if (bytes > this.#pending.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.#pending.length, 64));
      this.#pending.copy(grown, 0, 0, this.#pendingBytes);
      this.#pending = grown;
    }
    chunk.copy(this.#pending, this.#pendingBytes, from);
    this.#pendingBytes = bytes;
  }
}
