/**
 * Packs in a thread: the event loop reads the journal and passes its entries on, and devices are answered as if nothing were
 * built. The thread is started with the first batch and ended when none has come for a while: an idle hub has none, and a
 * backlog of many batches pays once for a thread that has to get going.
 */
import type { Cancel, Timers } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { PackedOps } from '../../batch/pack-batch.ts';
import type { StartThread, Thread } from '../../platform/threads.ts';
import { type Packer, PackerGone, type Packing, type PackOrder } from './packer.ts';
import { type FromPackThread, PieceWriter, type ToPackThread } from './thread-messages.ts';

const IDLE_MS = 10_000;
const PIECE_BYTES = 64 << 10;

interface ApartPackerOptions {
  readonly start: StartThread;
  readonly timers: Timers;
}

interface Waiter {
  resolve(packed: PackedOps): void;
  reject(gone: PackerGone): void;
}

export class ApartPacker implements Packer {
  readonly #options: ApartPackerOptions;
  readonly #waiters = new Map<number, Waiter>();
  /** Batches that were begun, and neither finished nor dropped. */
  readonly #open = new Set<number>();
  #thread: Thread | undefined;
  #batches = 0;
  #cancelIdle: Cancel = () => undefined;
  #isClosed = false;

  constructor(options: ApartPackerOptions) {
    this.#options = options;
  }

  begin(order: PackOrder): Packing {
    if (this.#isClosed) throw new PackerGone('it is closed');
    this.#cancelIdle();
    const batch = (this.#batches += 1);
    this.#thread ??= this.#start();
    this.#open.add(batch);
    this.#post({ type: 'begin', batch, order });
    return new ApartPacking({
      post: (piece) => this.#post({ type: 'entries', batch, piece }),
      finish: () => this.#finish(batch),
      drop: () => {
        this.#post({ type: 'drop', batch });
        this.#over(batch);
      },
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelIdle();
    this.#thread?.end();
    this.#gone('it is closed');
  }

  #start(): Thread {
    try {
      return this.#options.start({
        onMessage: (message) => this.#take(message as FromPackThread),
        onGone: (reason) => this.#gone(reason),
      });
    } catch (error) {
      throw new PackerGone(messageOf(error)); // The system has no room for another thread.
    }
  }

  #finish(batch: number): Promise<PackedOps> {
    return new Promise((resolve, reject) => {
      if (!this.#open.has(batch)) return reject(new PackerGone('it is gone'));
      this.#waiters.set(batch, { resolve, reject });
      this.#post({ type: 'finish', batch });
    });
  }

  #post(message: ToPackThread): void {
    if (this.#open.has(message.batch)) this.#thread?.post(message);
  }

  #take(message: FromPackThread): void {
    const waiter = this.#waiters.get(message.batch);
    this.#over(message.batch);
    if (message.type === 'packed') waiter?.resolve(message.packed);
    else waiter?.reject(new PackerGone(message.reason));
  }

  #over(batch: number): void {
    this.#waiters.delete(batch);
    this.#open.delete(batch);
    if (this.#open.size > 0 || this.#isClosed) return;
    this.#cancelIdle();
    this.#cancelIdle = this.#options.timers.after(IDLE_MS, () => {
      this.#thread?.end();
      this.#thread = undefined;
    });
  }

  #gone(reason: string): void {
    this.#thread = undefined;
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    this.#open.clear();
    for (const waiter of waiters) waiter.reject(new PackerGone(reason));
  }
}

interface ApartPackingOptions {
  readonly post: (piece: Uint8Array) => void;
  readonly finish: () => Promise<PackedOps>;
  readonly drop: () => void;
}

class ApartPacking implements Packing {
  readonly step = { entries: 128, bytes: PIECE_BYTES };
  readonly #options: ApartPackingOptions;
  #piece: PieceWriter | undefined;

  constructor(options: ApartPackingOptions) {
    this.#options = options;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#piece?.hasRoomFor(length) === false) this.#send();
    if (this.#piece?.hasRoomFor(length) !== true) {
      this.#piece = new PieceWriter(Math.max(PIECE_BYTES, PieceWriter.room(length)));
    }
    this.#piece.add(bytes, start, end);
  }

  finish(): Promise<PackedOps> {
    this.#send();
    this.#piece = undefined;
    return this.#options.finish();
  }

  drop(): void {
    this.#piece = undefined;
    this.#options.drop();
  }

  #send(): void {
    if (this.#piece === undefined) return;
    this.#options.post(this.#piece.piece());
    this.#piece.clear();
  }
}
