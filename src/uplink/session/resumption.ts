/**
 * When a session need not begin with a greeting: the one before was cut a moment ago, over a link that is proven, to a region
 * that reads short chunks and that we have greeted since this process began. Then the hub asks what has arrived of the
 * batches it was sending (BATCH.md §5.1), which costs a tenth.
 *
 * A greeting does more: it asks for what comes down, and tells of what the card has lost. So one is due every few minutes
 * however often the link is cut, whenever something is known to wait, and after a question that had no answer. Where
 * the answer is not of the region that was asked, or it has forgotten this hub, the same session greets.
 */
import type { Clock } from '../../base/clock.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import type { ChunkBitmap, ChunkLayout } from '../../batch/wire/chunks.ts';
import type { DownHello } from '../../batch/wire/messages.ts';
import { RESUMED_MAX } from '../../batch/wire/resume.ts';
import { SPOOLED_MAX } from '../../batch/limits.ts';

/** Before a session: what it goes on with, and whose word counts. */
export interface Resuming {
  readonly batches: readonly BatchId[];
  readonly regionKey: Uint8Array;
}

const GREETING_MS = 10 * 60_000;
/** A broker whose rules let neither the question nor short chunks through looks like a region that does not answer. */
const DISTRUST_MS = 24 * 3_600_000;

export class Resumption {
  readonly #clock: Clock;
  #regionKey: Uint8Array | undefined;
  #greetedMs = 0;
  #wasCut = false;
  /** The session of this moment has asked so, or sent short chunks. */
  #isUsed = false;
  #distrustedUntilMs = 0;
  /** Batches of which chunks were sent. */
  readonly #begun = new Set<BatchId>();
  /** Chunks in all of each batch of which the region has said that a part is there. */
  readonly #totals = new Map<BatchId, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The region that we talk to has answered a greeting. */
  greeted({ resumes, publicKey }: DownHello): void {
    this.#greetedMs = this.#clock.monotonicMs();
    const isTrusted = this.#greetedMs >= this.#distrustedUntilMs;
    this.#regionKey = resumes === true && isTrusted ? publicKey : undefined;
  }

  /** Whether the region reads short chunks. */
  get isKnown(): boolean {
    return this.#regionKey !== undefined;
  }

  sent(batch: BatchId): void {
    if (this.#begun.size > SPOOLED_MAX) this.#begun.clear();
    this.#begun.add(batch);
  }

  /** The region says what is there of a batch. */
  told(batch: BatchId, chunks: ChunkBitmap): void {
    if (this.#totals.size > SPOOLED_MAX) this.#totals.clear();
    if (chunks.count > 0) this.#totals.set(batch, chunks.total);
    else this.#totals.delete(batch);
  }

  /** Whether chunks of the batch may be short: the region knows which one it is. */
  isShort(batch: BatchId, { total }: ChunkLayout): boolean {
    const isShort = this.isKnown && this.#totals.get(batch) === total;
    this.#isUsed ||= isShort;
    return isShort;
  }

  /** What the next session may go on with, of these batches; undefined where it is to greet. */
  of(spooled: readonly BatchId[]): Resuming | undefined {
    const isGreetingDue = this.#clock.monotonicMs() - this.#greetedMs >= GREETING_MS;
    if (this.#regionKey === undefined || !this.#wasCut || isGreetingDue) return undefined;
    const batches = spooled.filter((id) => this.#begun.has(id)).slice(0, RESUMED_MAX);
    if (batches.length === 0) return undefined;
    this.#isUsed = true;
    return { batches, regionKey: this.#regionKey };
  }

  /** A session is over: cut, and with nothing that it still waited for. */
  ended(wasCut: boolean): void {
    this.#wasCut = wasCut;
    this.#isUsed = false;
  }

  /** The region is another, or has lost what it knew of us: it is greeted. */
  disowned(): void {
    this.#greetedMs = -Infinity;
    this.#isUsed = false;
    this.#totals.clear();
  }

  /**
   * The region has not answered: it is greeted, since it may wait for what it has lost. Where that may be because of what we
   * sent, it is greeted for a day, and chunks are long.
   */
  unanswered(): void {
    this.#greetedMs = -Infinity;
    if (!this.#isUsed) return;
    this.#distrustedUntilMs = this.#clock.monotonicMs() + DISTRUST_MS;
    this.#regionKey = undefined;
    this.#totals.clear();
  }
}
