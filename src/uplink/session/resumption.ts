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

/** How much goes with a chunk: everything, a short head, or that on a brief topic. */
export type ChunkHead = 'full' | 'short' | 'brief';

/** Before a session: what it goes on with, and whose word counts. */
export interface Resuming {
  readonly batches: readonly BatchId[];
  readonly regionKey: Uint8Array;
}

const GREETING_MS = 10 * 60_000;
/** A broker whose rules let neither the question nor short chunks through looks like a region that does not answer. */
const DISTRUST_MS = 24 * 3_600_000;
/** Cuts in turn with which nothing arrives: a broker may end who publishes where he may not. */
const BRIEF_ENDS_MAX = 3;

export class Resumption {
  readonly #clock: Clock;
  #regionKey: Uint8Array | undefined;
  #greetedMs = 0;
  #wasCut = false;
  /** The session of this moment has asked so, or sent short chunks. */
  #isUsed = false;
  #distrustedUntilMs = 0;
  #briefDistrustedUntilMs = 0;
  #isBrief = false;
  /** A brief topic was used in the session of this moment. */
  #isBriefUsed = false;
  /** Sessions that were cut with one in use, since anything has arrived. */
  #briefEnds = 0;
  /** Batches of which chunks were sent. */
  readonly #begun = new Set<BatchId>();
  /** Of each batch of which a part is there, the region's last word. */
  readonly #parts = new Map<BatchId, { readonly total: number; readonly count: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The region that we talk to has answered a greeting. */
  greeted({ resumes, brief, publicKey }: DownHello): void {
    this.#greetedMs = this.#clock.monotonicMs();
    const isTrusted = this.#greetedMs >= this.#distrustedUntilMs;
    this.#regionKey = resumes === true && isTrusted ? publicKey : undefined;
    this.#isBrief = brief === true && this.#greetedMs >= this.#briefDistrustedUntilMs;
  }

  /** Whether the region reads short chunks. */
  get isKnown(): boolean {
    return this.#regionKey !== undefined;
  }

  /** In what a chunk goes whose head may be short. */
  get shortest(): ChunkHead {
    if (!this.isKnown) return 'full';
    return this.#isBrief ? 'brief' : 'short';
  }

  /** A chunk of the batch is about to go: in what. Its head is short where the region knows which batch it is. */
  sending(batch: BatchId, { total }: ChunkLayout): ChunkHead {
    if (this.#begun.size > SPOOLED_MAX) this.#begun.clear();
    this.#begun.add(batch);
    if (this.#parts.get(batch)?.total !== total) return 'full';
    const head = this.shortest;
    this.#isUsed ||= head !== 'full';
    this.#isBriefUsed ||= head === 'brief';
    return head;
  }

  /** The region says what is there of a batch. */
  told(batch: BatchId, { total, count }: ChunkBitmap): void {
    const before = this.#parts.get(batch);
    if (before?.total === total && count > before.count) this.#briefEnds = 0;
    if (this.#parts.size > SPOOLED_MAX) this.#parts.clear();
    if (count > 0) this.#parts.set(batch, { total, count });
    else this.#parts.delete(batch);
  }

  /** All of a batch has arrived. */
  stored(batch: BatchId): void {
    this.#parts.delete(batch);
    this.#briefEnds = 0;
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
    if (this.#isBriefUsed && wasCut) this.#briefEnds += 1;
    this.#isBriefUsed = false;
    if (this.#briefEnds > BRIEF_ENDS_MAX) this.#distrustBrief();
  }

  /** The region is another, or has lost what it knew of us: it is greeted. */
  disowned(): void {
    this.#greetedMs = -Infinity;
    this.#isUsed = false;
    this.#parts.clear();
  }

  /**
   * The region has not answered: it is greeted, since it may wait for what it has lost. Where that may be because of what we
   * sent, it is greeted for a day, and chunks are long.
   */
  unanswered(): void {
    this.#greetedMs = -Infinity;
    if (!this.#isUsed) return;
    if (this.#isBriefUsed) return this.#distrustBrief();
    this.#distrustedUntilMs = this.#clock.monotonicMs() + DISTRUST_MS;
    this.#regionKey = undefined;
    this.#parts.clear();
  }

  /** For a day the longer topic is used: the broker lets nobody publish to the other, or ends who does. */
  #distrustBrief(): void {
    this.#briefDistrustedUntilMs = this.#clock.monotonicMs() + DISTRUST_MS;
    this.#isBrief = false;
    this.#briefEnds = 0;
  }
}
