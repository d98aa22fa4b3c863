/** Messages that were carried here on a stick (batch/BUNDLE.md), judged like those that come over MQTT, and the answers. */
import { parseChunk } from '../../batch/wire/chunks.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import type { CarriedMessage } from '../../batch/bundle.ts';
import { encodeHave, type Hello, parseHello } from '../../batch/wire/messages.ts';
import type { Signer } from '../../batch/manifest.ts';
import { parseReceipt } from '../../batch/wire/receipt.ts';
import {
  downHelloTopic,
  haveTopic,
  type HubAddress,
  hubOfTopic,
  parseDownstreamTopic,
  parseUpstreamTopic,
  receiptTopic,
  type UpstreamTopic,
} from '../../batch/wire/topics.ts';
import type { Verify } from '../../codec/cose.ts';
import type { Answer, Site } from '../site.ts';
import type { WorkQueue } from '../arriving/work-queue.ts';

interface CarriedDeskOptions {
  readonly siteNamed: (name: string) => Promise<Site>;
  /** Undefined where no such site is known. */
  readonly siteOf: (name: string) => Promise<Site | undefined>;
  readonly greetingFor: (hello: Hello) => Uint8Array;
  readonly queue: WorkQueue;
  readonly signer: Signer;
  readonly verify: Verify;
}

interface CarriedAnswers {
  readonly answers: readonly CarriedMessage[];
  /** Batches that are stored with this, or were before. */
  readonly stored: number;
  /** Batches that are not stored, each with why: its hub keeps them, and is told by the answer. */
  readonly refused: readonly { readonly batch: BatchId; readonly reason: string }[];
  /** Messages that nothing can be done with. */
  readonly passedOver: number;
}

export class CarriedDesk {
  readonly #options: CarriedDeskOptions;

  constructor(options: CarriedDeskOptions) {
    this.#options = options;
  }

  /** In order: hellos first. */
  async take(messages: readonly CarriedMessage[]): Promise<CarriedAnswers> {
    const answers: CarriedMessage[] = [];
    let passedOver = 0;
    for (const { topic, payload } of messages) {
      const address = hubOfTopic(topic);
      // An answer to some hub, which a stick brings round.
      if (address !== undefined && parseDownstreamTopic(address, topic) !== undefined) continue;
      const parsed = parseUpstreamTopic(topic);
      const found =
        parsed?.kind === 'hello'
          ? await this.#hello(parsed.address, payload)
          : parsed?.kind === 'chunk'
            ? await this.#chunk(parsed, payload)
            : undefined;
      if (found === undefined) passedOver += 1;
      else answers.push(...found);
    }
    const { signer, verify } = this.#options;
    const receipts = answers
      .map(({ payload }) => parseReceipt(payload, signer.publicKey, verify))
      .filter((receipt) => receipt !== undefined);
    const stored = receipts.filter(({ outcome }) => outcome === 'stored').length;
    const refused = receipts
      .filter(({ outcome }) => outcome === 'refused')
      .map(({ batch, reason = 'no reason given' }) => ({ batch, reason }));
    return { answers, stored, refused, passedOver };
  }

  async #hello(address: HubAddress, payload: Uint8Array): Promise<CarriedMessage[] | undefined> {
    const hello = parseHello(payload, this.#options.verify);
    if (hello?.hub !== address.hub || hello.site !== address.site) return undefined;
    const site = await this.#options.siteNamed(hello.site);
    const met = await site.meet(hello);
    if (met === 'other' || met === 'full') return undefined;
    return [{ topic: downHelloTopic(address), payload: this.#options.greetingFor(hello) }];
  }

  async #chunk(
    { address, batch, index }: Extract<UpstreamTopic, { kind: 'chunk' }>,
    payload: Uint8Array,
  ): Promise<CarriedMessage[] | undefined> {
    const outcome = parseChunk(payload);
    if (outcome.kind === 'invalid' || outcome.chunk.index !== index) return undefined;
    const site = await this.#options.siteOf(address.site);
    const put = await site?.put(address.hub, batch, outcome.chunk);
    if (site === undefined || put === undefined) return undefined;
    if (put.kind === 'stored') {
      const isLast = index === outcome.chunk.total - 1;
      return isLast ? [{ topic: receiptTopic(address, batch), payload: put.receipt }] : [];
    }
    if (put.kind !== 'kept') return undefined;
    return put.isComplete ? this.#finish(site, address, batch) : [];
  }

  async #finish(site: Site, address: HubAddress, batch: BatchId): Promise<CarriedMessage[]> {
    const { queue } = this.#options;
    const answers: CarriedMessage[] = [];
    const waiting = [batch];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const id = next;
      const { answer, freed } = await queue.ask(() => site.take(address.hub, id));
      // Another worker of the fleet may have been quicker.
      const told = answer ?? receiptIn(await site.answerFor(address.hub, id));
      if (told !== undefined) answers.push(this.#message(address, id, told));
      waiting.push(...freed);
    }
    return answers;
  }

  #message(address: HubAddress, batch: BatchId, answer: Answer): CarriedMessage {
    if (answer.kind === 'receipt') {
      return { topic: receiptTopic(address, batch), payload: answer.bytes };
    }
    const have = { hub: address.hub, batch, chunks: answer.chunks };
    return { topic: haveTopic(address, batch), payload: encodeHave(have, this.#options.signer) };
  }
}

function receiptIn(answer: Answer | undefined): Answer | undefined {
  return answer?.kind === 'receipt' ? answer : undefined;
}
