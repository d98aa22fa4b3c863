/**
 * Connections in memory: two joined ends with a line between them that takes its time (`delayMs`), holds so
 * much and no more (`windowBytes`, like the kernels' buffers on both sides) and can be cut. A reader that pauses
 * lets the line fill up, and the writer on the other side feels it.
 */
import type { Cancel, Timers } from '../../../src/base/clock.ts';
import type { Connection, ConnectionHandlers } from '../../../src/platform/network/network.ts';

export interface LineOptions {
  readonly delayMs: number;
  /** Bytes the line holds; what is written beyond waits in the writer's memory. */
  readonly windowBytes: number;
  /** Largest piece the reader gets at once: 1 cuts every packet everywhere. */
  readonly chunkBytesMax: number;
}

const WIDE_LINE: LineOptions = { delayMs: 0, windowBytes: 128 * 1024, chunkBytesMax: 64 * 1024 };
const OVERWRITTEN = 0xee;

/** Two ends joined by a line; bytes written to one are data of the other. */
export function joinedEnds(
  timers: Timers,
  names: readonly [string, string],
  options: Partial<LineOptions> = {},
): [SimConnection, SimConnection] {
  const line = { ...WIDE_LINE, ...options };
  const near = new SimConnection(timers, names[1], line);
  const far = new SimConnection(timers, names[0], line);
  near.join(far);
  far.join(near);
  return [near, far];
}

export class SimConnection implements Connection {
  readonly remote: string;
  readonly #timers: Timers;
  readonly #line: LineOptions;
  #peer: SimConnection | undefined;
  #handlers: ConnectionHandlers | undefined;
  /** What the peer wrote and our reader has not got. */
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #delivery: Cancel | undefined;
  #paused = false;
  #owesDrain = false;
  #peerEnded = false;
  #closed = false;
  /** No data to the reader any more: we ended, or are closed. */
  #deaf = false;

  constructor(timers: Timers, remote: string, line: LineOptions) {
    this.#timers = timers;
    this.remote = remote;
    this.#line = line;
  }

  join(peer: SimConnection): void {
    this.#peer = peer;
  }

  get bufferedBytes(): number {
    return Math.max(0, (this.#peer?.undeliveredBytes ?? 0) - this.#line.windowBytes);
  }

  get undeliveredBytes(): number {
    return this.#inboxBytes;
  }

  start(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
    if (this.#closed) this.#timers.soon(() => handlers.onClose());
    else this.#schedule();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#deaf || this.#peer === undefined) return true;
    this.#peer.#take(new Uint8Array(bytes)); // A copy; `slice` of a Buffer is none.
    this.#owesDrain ||= this.bufferedBytes > 0;
    return !this.#owesDrain;
  }

  pause(): void {
    this.#paused = true;
    this.#delivery?.();
    this.#delivery = undefined;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  end(): void {
    if (this.#deaf) return;
    this.#deaf = true;
    const peer = this.#peer;
    if (peer === undefined) return;
    peer.#peerEnded = true;
    peer.#schedule();
    this.#schedule();
  }

  destroy(): void {
    if (this.#closed) return;
    const peer = this.#peer;
    this.#close();
    if (peer === undefined) return;
    // What has left our memory is on the line and arrives; the rest is gone.
    peer.#peerEnded = true;
    peer.#cutInbox(this.#line.windowBytes);
    peer.#schedule();
  }

  /** The line breaks: both ends close, whatever was under way is lost. */
  cut(): void {
    const peer = this.#peer;
    this.#close();
    if (peer !== undefined) peer.#close();
  }

  #take(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#inbox.push(bytes);
    this.#inboxBytes += bytes.length;
    this.#schedule();
  }

  #cutInbox(bytesMax: number): void {
    while (this.#inboxBytes > bytesMax) {
      const last = this.#inbox.pop() as Uint8Array;
      const excess = Math.min(last.length, this.#inboxBytes - bytesMax);
      if (excess < last.length) this.#inbox.push(last.subarray(0, last.length - excess));
      this.#inboxBytes -= excess;
    }
  }

  #schedule(): void {
    const idle = this.#handlers === undefined || this.#delivery !== undefined || this.#closed;
    if (idle || (this.#inbox.length === 0 && !this.#peerEnded)) return;
    if (this.#paused && !this.#deaf) return;
    this.#delivery = this.#timers.after(this.#line.delayMs, () => {
      this.#delivery = undefined;
      this.#deliver();
    });
  }

  /** The memory holds something else when the call is over, as that of the machine's sockets does. */
  #lend(piece: Uint8Array): void {
    const lent = new Uint8Array(piece);
    this.#handlers?.onData(lent);
    lent.fill(OVERWRITTEN);
  }

  #deliver(): void {
    while (this.#inbox.length > 0 && !(this.#paused && !this.#deaf) && !this.#closed) {
      const first = this.#inbox[0] as Uint8Array;
      const piece = first.subarray(0, this.#line.chunkBytesMax);
      if (piece.length === first.length) this.#inbox.shift();
      else this.#inbox[0] = first.subarray(piece.length);
      this.#inboxBytes -= piece.length;
      if (!this.#deaf) this.#lend(piece);
    }
    const peer = this.#peer;
    if (peer === undefined) return;
    peer.#onTaken();
    if (this.#inbox.length > 0 || !this.#peerEnded || this.#closed) return;
    this.#close();
    peer.#peerEnded = true;
    if (peer.undeliveredBytes === 0) peer.#close();
    else peer.#schedule();
  }

  /** The reader on the other side took bytes: a writer that was told to wait may go on. */
  #onTaken(): void {
    if (!this.#owesDrain || this.#deaf || this.bufferedBytes > 0) return;
    this.#owesDrain = false;
    this.#handlers?.onDrain();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deaf = true;
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.#delivery?.();
    const handlers = this.#handlers;
    if (handlers !== undefined) this.#timers.soon(() => handlers.onClose());
  }
}
