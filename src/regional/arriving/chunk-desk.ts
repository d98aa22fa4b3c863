/**
 * Reads chunks, and answers hubs whose link keeps being cut (BATCH.md §4, §5.1): they send short chunks of batches that have
 * begun to come, and ask what is there of them. That is no greeting: a hub that was never met is not answered.
 */
import type { BatchId } from '../../batch/batch-id.ts';
import type { Signer } from '../../batch/manifest.ts';
import type { AskedToWait } from '../../batch/wire/asked-to-wait.ts';
import { type Chunk, parseChunk } from '../../batch/wire/chunks.ts';
import { encodeResumed, parseResume, type Resume, type Resumed } from '../../batch/wire/resume.ts';
import { chunkOf, type NamedBatch, parseShortChunk } from '../../batch/wire/short-chunk.ts';
import { type HubAddress, resumedTopic, type UpstreamTopic } from '../../batch/wire/topics.ts';
import type { Origin } from '../../model/origin.ts';
import type { Pressure } from '../pressure/pressure.ts';
import type { Answer, Site } from '../site.ts';
import type { WorkQueue } from './work-queue.ts';

interface ChunkDeskOptions {
  /** Undefined where no such site is known. */
  readonly siteOf: (name: string) => Promise<Site | undefined>;
  readonly queue: WorkQueue;
  readonly pressure: Pressure;
  readonly signer: Signer;
  readonly publish: (topic: string, payload: Uint8Array) => void;
  readonly answer: (
    address: HubAddress,
    batch: BatchId,
    answer: Answer,
    wait: AskedToWait | undefined,
  ) => void;
}

export type ChunkTopic = Extract<UpstreamTopic, { kind: 'chunk' | 'short-chunk' }>;

/** Questions that wait for their turn. */
const WAITING_MAX = 1_000;
const NAMED_MAX = 1_000;

export class ChunkDesk {
  readonly #options: ChunkDeskOptions;
  /** The newest question of each hub, by its topic. */
  readonly #waiting = new Map<string, Resume>();
  readonly #named = new Map<string, NamedBatch>();

  constructor(options: ChunkDeskOptions) {
    this.#options = options;
  }

  /** The chunk in a message, and its batch; a string where it is none: why. */
  async chunk(
    site: Site,
    from: ChunkTopic,
    message: Uint8Array,
  ): Promise<{ batch: BatchId; chunk: Chunk } | string> {
    if (from.kind === 'short-chunk') return this.#short(site, from.address.hub, message);
    const outcome = parseChunk(message);
    if (outcome.kind === 'invalid') return outcome.reason;
    const { chunk } = outcome;
    return chunk.index === from.index ? { batch: from.batch, chunk } : 'index differs from topic';
  }

  async #short(
    site: Site,
    hub: Origin,
    message: Uint8Array,
  ): Promise<{ batch: BatchId; chunk: Chunk } | string> {
    const short = parseShortChunk(message);
    if (short === undefined) return 'no short chunk';
    const key = `${site.name}/${hub}/${short.ref}`;
    const named = this.#named.get(key) ?? (await site.storage.named(hub, short.ref));
    if (named === undefined) return 'short chunk of nothing that has begun to come';
    if (this.#named.size >= NAMED_MAX) this.#named.clear();
    this.#named.set(key, named);
    const chunk = chunkOf(short, named);
    return chunk === undefined ? 'impossible layout' : { batch: named.batch, chunk };
  }

  /** Answers when its turn comes; false where it is no such question, or too many wait. */
  take(topic: string, address: HubAddress, payload: Uint8Array): boolean {
    const resume = parseResume(payload);
    const isWaiting = this.#waiting.has(topic);
    if (resume === undefined || (!isWaiting && this.#waiting.size >= WAITING_MAX)) return false;
    this.#waiting.set(topic, resume);
    if (!isWaiting) this.#options.queue.add(() => this.#answer(topic, address));
    return true;
  }

  /** Receipts and the word to wait go first: with the answer, the hub goes on. */
  async #answer(topic: string, address: HubAddress): Promise<void> {
    const { siteOf, pressure, signer, publish, answer } = this.#options;
    const resume = this.#waiting.get(topic);
    this.#waiting.delete(topic);
    const site = await siteOf(address.site);
    if (resume === undefined) return;
    const { nonce } = resume;
    const found: Resumed[] = [];
    const tell = (): void => {
      publish(resumedTopic(address), encodeResumed(address.hub, { nonce, found }, signer));
    };
    // To a hub that this region has not met, or has forgotten: nothing, so that it greets.
    if (site === undefined || (await site.storage.keyOf(address.hub)) === undefined) return tell();
    const wait = pressure.wait ?? (await pressure.afterQuota(site, address.hub));
    for (const ref of resume.batches) {
      const named = await site.storage.named(address.hub, ref);
      const told = named && (await site.answerFor(address.hub, named.batch));
      const isTold = told !== undefined && (told.kind === 'receipt' || wait !== undefined);
      if (named !== undefined && isTold) answer(address, named.batch, told, wait);
      found.push({ ref, chunks: told?.kind === 'have' ? told.chunks : undefined });
    }
    tell();
  }
}
