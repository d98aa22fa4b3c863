/**
 * The downlink within sessions: which classes are taken under the power budget of the moment, how much is known to wait
 * at the region, and when it is time to ask. A session stays open while something waits, and ends like any other when the
 * decision takes the classes back: what has come of a batch is kept for the next one.
 */
import { type Clock, turn } from '../../base/clock.ts';
import { OneAtATime } from '../../base/queue.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import type { Chunk } from '../../batch/wire/chunks.ts';
import { threadedCompressor } from '../../batch/compression.ts';
import { DOWN_CLASSES, LACKS_MAX, VECTOR_LANES_MAX } from '../../batch/wire/down-messages.ts';
import type { DownWish } from '../../batch/wire/down-wish.ts';
import type { DownHello } from '../../batch/wire/messages.ts';
import type { HubError } from '../../base/errors.ts';
import type { LaneRange } from '../../batch/ranges.ts';
import type { OpClass } from '../../model/class.ts';
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
  readonly #limits: UplinkLimits;
  #waiting = 0;
  /** Losses that the last hello named. */
  #asked: readonly LaneRange[] = [];
  #lastSessionMs: number;
  /** What the last session took that was for asking alone. */
  #idleBytes = 0;
  /** Batches are opened and journaled one after the other. */
  readonly #work = new OneAtATime();

  private constructor(options: UplinkOptions, port: DownlinkPort, limits: UplinkLimits) {
    const { compressor = threadedCompressor, linkTimers } = options;
    const pause = (): Promise<void> => turn(linkTimers);
    const { syncLog, link } = options;
    const tell = (why: string): void => syncLog.append({ event: 'fault', link: link(), why });
    this.#downlink = new Downlink({ ...options, port, compressor, pause, tell });
    this.#port = port;
    this.#limits = limits;
    this.#clock = options.clock;
    this.#lastSessionMs = options.clock.monotonicMs();
  }

  /** Undefined where nothing comes down. */
  static of(options: UplinkOptions, limits: UplinkLimits): Descent | undefined {
    const { downlink } = options;
    return downlink === undefined ? undefined : new Descent(options, downlink, limits);
  }

  /** For the hello; undefined where this hub knows too many lanes to tell. */
  wish(decision: UplinkDecision): DownWish | undefined {
    const lanes = [...this.#port.vector().keys()].map((lane) => splitLane(lane).class);
    if (lanes.filter((it) => DOWN_CLASSES.includes(it)).length > VECTOR_LANES_MAX) return undefined;
    return this.#downlink.wish(DOWN_CLASSES.filter((it) => takes(decision, it)));
  }

  /** For the hello: what the card has lost, of classes that are taken now. */
  lacks(decision: UplinkDecision): readonly LaneRange[] {
    const lost = this.#port.healing?.lacks() ?? [];
    const taken = lost.filter(({ class: it }) => takes(decision, it));
    this.#asked = taken.slice(0, LACKS_MAX);
    return this.#asked;
  }

  announced({ waiting = 0, heals }: DownHello): void {
    this.#waiting = waiting + (heals?.ops ?? 0);
    if (this.#asked.length > 0) this.#port.healing?.told(this.#asked, heals);
  }

  view(): Pick<SessionView, 'isReceiving' | 'isCheckDue'> {
    const sinceMs = this.#clock.monotonicMs() - this.#lastSessionMs;
    const { checkInMs, checkInBytesPerDay } = this.#limits;
    const affordableMs = (DAY_MS * this.#idleBytes) / checkInBytesPerDay;
    const isDue = checkInMs > 0 && sinceMs >= Math.max(checkInMs, affordableMs);
    const isCheckDue = isDue || this.#port.healing?.isDue === true;
    return { isReceiving: this.#waiting > 0, isCheckDue };
  }

  /** While something that came down is refused. */
  get fault(): HubError | undefined {
    return this.#downlink.refusal;
  }

  /** Takes a piece, and answers where a batch is complete with it. */
  take(
    piece: DownPiece,
    link: Pick<RegionLink, 'sendDownReceipt'> | undefined,
    book: Pick<SessionBook, 'cameDown'>,
  ): Promise<void> {
    return this.#work.do(() => this.#take(piece, link, book));
  }

  async #take(
    [id, chunk, regionKey]: DownPiece,
    link: Pick<RegionLink, 'sendDownReceipt'> | undefined,
    book: Pick<SessionBook, 'cameDown'>,
  ): Promise<void> {
    const outcome = await this.#downlink.take(id, chunk, regionKey);
    if (outcome === undefined) return;
    // Where something of it cannot be taken, what waits behind that is no reason to stay.
    this.#waiting = outcome.isWhole ? Math.max(0, this.#waiting - outcome.ops) : 0;
    if (outcome.ops > 0) book.cameDown(outcome);
    if (outcome.receipt !== undefined) await link?.sendDownReceipt(id, outcome.receipt);
  }

  /** `idleBytes`: what the session took, where nothing went in it but asking. */
  ended(idleBytes: number | undefined): void {
    this.#waiting = 0;
    this.#idleBytes = idleBytes ?? this.#idleBytes;
    this.#lastSessionMs = this.#clock.monotonicMs();
  }
}

function takes({ allowed, riding }: UplinkDecision, opClass: OpClass): boolean {
  return allowed.includes(opClass) || riding.includes(opClass);
}
