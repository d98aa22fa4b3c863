/**
 * The downlink within sessions: which classes are taken under the power budget of the moment, how much is known to wait
 * at the region, and when it is time to ask. A session stays open while something waits, and ends like any other when the
 * decision takes the classes back: what has come of a batch is kept for the next one.
 */
import { type Clock, turn } from '../../base/clock.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import type { Chunk } from '../../batch/wire/chunks.ts';
import { threadedCompressor } from '../../batch/compression.ts';
import { DOWN_CLASSES, LACKS_MAX, VECTOR_LANES_MAX } from '../../batch/wire/down-messages.ts';
import type { DownWish } from '../../batch/wire/down-wish.ts';
import type { DownHello } from '../../batch/wire/messages.ts';
import type { LaneRange } from '../../batch/ranges.ts';
import { splitLane } from '../../model/origin.ts';
import { Downlink, type DownlinkPort } from './downlink.ts';
import type { UplinkLimits, UplinkOptions } from '../options.ts';
import type { UplinkDecision } from '../ports.ts';
import type { RegionLink } from './region-link.ts';
import type { SessionBook } from './session-book.ts';
import type { SessionView } from './session.ts';

export type DownPiece = [id: BatchId, chunk: Chunk, regionKey: Uint8Array];

const DAY_MS = 86_400_000;

export class Descent {
  readonly #downlink: Downlink;
  readonly #port: DownlinkPort;
  readonly #clock: Clock;
  #waiting = 0;
  /** Losses that the last hello named. */
  #asked: readonly LaneRange[] = [];
  #lastSessionMs: number;
  /** What the last session took that was for asking alone. */
  #idleBytes = 0;
  /** Batches are opened and journaled one after the other. */
  #work: Promise<unknown> = Promise.resolve();

  private constructor(options: UplinkOptions, port: DownlinkPort) {
    const { compressor = threadedCompressor, linkTimers } = options;
    const pause = (): Promise<void> => turn(linkTimers);
    this.#downlink = new Downlink({ ...options, port, compressor, pause });
    this.#port = port;
    this.#clock = options.clock;
    this.#lastSessionMs = options.clock.monotonicMs();
  }

  /** Undefined where nothing comes down. */
  static of(options: UplinkOptions): Descent | undefined {
    const { downlink } = options;
    return downlink === undefined ? undefined : new Descent(options, downlink);
  }

  /** For the hello; undefined where this hub knows too many lanes to tell. */
  wish({ allowed, riding }: UplinkDecision): DownWish | undefined {
    const lanes = [...this.#port.vector().keys()].map((lane) => splitLane(lane).class);
    if (lanes.filter((it) => DOWN_CLASSES.includes(it)).length > VECTOR_LANES_MAX) return undefined;
    return this.#downlink.wish(
      DOWN_CLASSES.filter((it) => allowed.includes(it) || riding.includes(it)),
    );
  }

  /** For the hello: what the card has lost, of classes that are taken now. */
  lacks({ allowed, riding }: UplinkDecision): readonly LaneRange[] {
    const lost = this.#port.healing?.lacks() ?? [];
    const taken = lost.filter(({ class: it }) => allowed.includes(it) || riding.includes(it));
    this.#asked = taken.slice(0, LACKS_MAX);
    return this.#asked;
  }

  announced({ waiting = 0, heals }: DownHello): void {
    this.#waiting = waiting + (heals?.ops ?? 0);
    if (this.#asked.length > 0) this.#port.healing?.told(this.#asked, heals);
  }

  view(limits: UplinkLimits): Pick<SessionView, 'isReceiving' | 'isCheckDue'> {
    const sinceMs = this.#clock.monotonicMs() - this.#lastSessionMs;
    const affordableMs = (DAY_MS * this.#idleBytes) / limits.checkInBytesPerDay;
    const isDue = limits.checkInMs > 0 && sinceMs >= Math.max(limits.checkInMs, affordableMs);
    const isCheckDue = isDue || this.#port.healing?.isDue === true;
    return { isReceiving: this.#waiting > 0, isCheckDue };
  }

  /** Takes a piece, and answers where a batch is complete with it. */
  take(
    [id, chunk, regionKey]: DownPiece,
    link: Pick<RegionLink, 'sendDownReceipt'> | undefined,
    book: Pick<SessionBook, 'cameDown'>,
  ): Promise<void> {
    const taking = this.#inOrder([id, chunk, regionKey], link, book);
    this.#work = taking.catch(() => undefined);
    return taking;
  }

  async #inOrder(
    [id, chunk, regionKey]: DownPiece,
    link: Pick<RegionLink, 'sendDownReceipt'> | undefined,
    book: Pick<SessionBook, 'cameDown'>,
  ): Promise<void> {
    await this.#work;
    const outcome = await this.#downlink.take(id, chunk, regionKey);
    if (outcome === undefined) return;
    this.#waiting = Math.max(0, this.#waiting - outcome.ops);
    if (outcome.ops === 0)
      this.#waiting = 0; // Nothing of it can be taken: no reason to stay.
    else book.cameDown(outcome);
    if (outcome.receipt !== undefined) await link?.sendDownReceipt(id, outcome.receipt);
  }

  /** `idleBytes`: what the session took, where nothing went in it but asking. */
  ended(idleBytes: number | undefined): void {
    this.#waiting = 0;
    this.#idleBytes = idleBytes ?? this.#idleBytes;
    this.#lastSessionMs = this.#clock.monotonicMs();
  }
}
