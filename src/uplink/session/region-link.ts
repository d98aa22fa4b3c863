/**
 * One MQTT session with the regional node behind it: greeting, chunks up, answers down. It knows the messages and
 * believes none that is not signed by the node it greeted; what to do next is the session's business.
 */
import { bytesEqual } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import { type Chunk, parseChunk } from '../../batch/wire/chunks.ts';
import type { DownWish } from '../../batch/wire/down-wish.ts';
import {
  type DownHello,
  encodeHello,
  type Have,
  NONCE_BYTES,
  parseDownHello,
  parseHave,
  READABLE,
} from '../../batch/wire/messages.ts';
import { parseReceipt, type Receipt } from '../../batch/wire/receipt.ts';
import { encodeResume, parseResumed, type Resumed } from '../../batch/wire/resume.ts';
import { refOf } from '../../batch/wire/short-chunk.ts';
import type { Signer } from '../../batch/manifest.ts';
import type { PayloadRecipient, PayloadSealer } from '../../batch/payload-seal.ts';
import type { LaneRange } from '../../batch/ranges.ts';
import { SPOOLED_MAX } from '../../batch/limits.ts';
import {
  briefTopic,
  chunkTopic,
  downReceiptTopic,
  downstreamFilters,
  helloTopic,
  type HubAddress,
  parseDownstreamTopic,
  resumeTopic,
  resumingFilters,
  shortChunkTopic,
} from '../../batch/wire/topics.ts';
import type { Verify } from '../../codec/cose.ts';
import type { MqttClient, MqttSession } from '../../platform/network/mqtt-client.ts';
import type { Outbox } from '../outbox.ts';
import type { ChunkHead, Resuming } from './resumption.ts';

/** How to reach the upstream broker. */
export interface UpstreamBroker {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly ca?: Uint8Array;
  /** What of it may have changed since: asked before each session, so that nobody has to start the hub anew for a password. */
  readonly renewed?: () => Partial<UpstreamBroker>;
  /** 60 where nothing else is said. */
  readonly keepaliveS?: number;
  /** How long a login may take; 30 s where nothing else is said. */
  readonly connectTimeoutMs?: number;
}

interface RegionLinkOptions {
  readonly mqtt: MqttClient;
  readonly broker: UpstreamBroker;
  readonly address: HubAddress;
  readonly signer: Signer;
  readonly verify: Verify;
  readonly random: Random;
  readonly log: Log;
  /** Program version for the hello. */
  readonly software: string;
  readonly sealer?: PayloadSealer | undefined;
  readonly jurisdiction?: string | undefined;
  /** Takes what is no fault of the link. */
  readonly onBug: (error: unknown) => void;
  /** What the hub has and takes of what flows down, asked at each hello. */
  readonly down?: () => DownWish | undefined;
  readonly recipient?: PayloadRecipient | undefined;
  /** What its card has lost, asked at each hello. */
  readonly lacks?: () => readonly LaneRange[];
  /** Goes on where the last session was cut; undefined: it greets. */
  readonly resuming?: Resuming | undefined;
}

/** A chunk as it goes out. */
interface ChunkMessage {
  readonly bytes: Uint8Array;
  readonly head: ChunkHead;
}

/** We must not talk to it; the link is new, greet once more (links/link-tracker.ts); it is the one. */
export type Judgement = 'refused' | 'again' | 'greeted';

interface RegionLinkHandlers {
  /** A regional node has answered our hello. */
  onAnswer(answer: DownHello): Judgement;
  /** What is there of the batches that we go on with; `onGreeted` follows. */
  onResumed(found: readonly Resumed[]): void;
  /** Whoever answers our question is another than we asked, or has forgotten us; it is greeted instead. */
  onDisowned(): void;
  /** It is the one we talk to, and what it said before its answer has been handed over. */
  onGreeted(): void;
  onHave(have: Have): void;
  onReceipt(receipt: Receipt): void;
  /** A chunk of a batch on its way down, of the region with this key. */
  onDownChunk(batch: BatchId, chunk: Chunk, regionKey: Uint8Array): void;
  /** No link came of the attempt; what it took, both directions. Once, before `connect` throws. */
  onVain(lineBytes: number): void;
  /** The session is over, by whichever side; the last call. */
  onClose(why: string): void;
}

const KEEPALIVE_S = 60;
const CONNECT_MS_MAX = 30_000;
/** Messages that may come before the answer to the hello: a `have` or receipt of every batch that the hello named. */
const EARLY_MAX = 2 * SPOOLED_MAX;

export class RegionLink {
  readonly #options: RegionLinkOptions;
  readonly #handlers: RegionLinkHandlers;
  #nonce: Uint8Array;
  #spooled: readonly BatchId[] = [];
  #tips: readonly BatchId[] = [];
  /** Undefined where the session greets. */
  #resuming: Resuming | undefined;
  #session: MqttSession | undefined;
  #regionKey: Uint8Array | undefined;
  /** What came before we knew whose word counts: the last message of each topic. */
  readonly #early = new Map<string, Uint8Array>();
  #nonsense = 0;

  private constructor(options: RegionLinkOptions, handlers: RegionLinkHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#resuming = options.resuming;
    this.#nonce = options.random.bytes(NONCE_BYTES);
  }

  /** Connects and listens; throws `HubError` as `MqttClient.connect` does. */
  static async connect(
    options: RegionLinkOptions,
    handlers: RegionLinkHandlers,
  ): Promise<RegionLink> {
    const link = new RegionLink(options, handlers);
    let isOver = false;
    const { renewed, ...broker } = options.broker;
    const session = await options.mqtt.connect(
      {
        keepaliveS: KEEPALIVE_S,
        connectTimeoutMs: CONNECT_MS_MAX,
        ...broker,
        ...renewed?.(),
        clientId: `heliograph-${options.address.hub}`,
      },
      {
        onMessage: (topic, payload) => link.#take(topic, payload),
        onClose: (why) => {
          if (!isOver && link.#session !== undefined) handlers.onClose(why);
          isOver = true;
        },
        onVain: (lineBytes) => handlers.onVain(lineBytes),
      },
    );
    try {
      const filters = options.resuming === undefined ? downstreamFilters : resumingFilters;
      await session.subscribe(filters(options.address));
      if (isOver) throw new HubError('net.closed', 'closed while subscribing');
    } catch (error) {
      isOver = true;
      await session.close();
      handlers.onVain(session.bytesOut + session.bytesIn);
      if (!(error instanceof HubError) || error.code !== 'net.closed') throw error;
      const what = `the broker ends the session before it begins: ${error.message}`;
      throw new HubError('uplink.unreachable', what, error);
    }
    link.#session = session;
    return link;
  }

  get bytes(): number {
    return (this.#session?.bytesOut ?? 0) + (this.#session?.bytesIn ?? 0);
  }

  /** TLS went on where an earlier session had ended. */
  get isResumed(): boolean {
    return this.#session?.isResumed ?? false;
  }

  /** Asks what is there of the batches that we go on with, or says who we are and which batches wait, the first of them. */
  async begin(outbox: Pick<Outbox, 'sendable' | 'tips'>): Promise<void> {
    const { address } = this.#options;
    const resuming = this.#resuming;
    const spooled = outbox.sendable().map(({ id }) => id);
    this.#spooled = spooled.slice(0, SPOOLED_MAX);
    this.#tips = [...outbox.tips().keys()];
    if (resuming === undefined) return this.#hello();
    const batches = resuming.batches.map((id) => refOf(id));
    const resume = encodeResume({ nonce: this.#nonce, batches });
    await this.#session?.publish(resumeTopic(address), resume, { qos: 1 });
  }

  async #hello(): Promise<void> {
    const { address, signer, software, sealer, jurisdiction, recipient } = this.#options;
    const down = this.#options.down?.();
    const lacks = down === undefined ? [] : (this.#options.lacks?.() ?? []);
    const hello = {
      site: address.site,
      nonce: this.#nonce,
      software,
      ...READABLE,
      spooled: this.#spooled,
      sealedTo: sealer?.keyId,
      jurisdiction,
      down,
      sealKey: down && recipient?.publicKey,
      lacks: lacks.length > 0 ? lacks : undefined,
      tips: this.#tips.length > 0 ? this.#tips : undefined,
    };
    const bytes = encodeHello(hello, signer);
    await this.#session?.publish(helloTopic(address), bytes, { qos: 1, retain: true });
  }

  /** Resolves when the broker has the chunk. */
  async sendChunk(batch: BatchId, index: number, { bytes, head }: ChunkMessage): Promise<void> {
    const { address } = this.#options;
    const topics = {
      full: () => chunkTopic(address, batch, index),
      short: () => shortChunkTopic(address),
      brief: () => briefTopic(address.hub),
    };
    const topic = topics[head]();
    await this.#session?.publish(topic, bytes, { qos: 1 });
  }

  /** Says what became of a batch that came down. */
  async sendDownReceipt(batch: BatchId, receipt: Uint8Array): Promise<void> {
    const topic = downReceiptTopic(this.#options.address, batch);
    await this.#session?.publish(topic, receipt, { qos: 1 });
  }

  async close(): Promise<void> {
    await this.#session?.close();
  }

  #take(topic: string, payload: Uint8Array): void {
    const parsed = parseDownstreamTopic(this.#options.address, topic);
    if (parsed === undefined) return this.#note(topic, 'unknown topic');
    if (parsed.kind === 'down-hello') return this.#takeDownHello(topic, payload);
    if (parsed.kind === 'resumed') return this.#takeResumed(topic, payload);
    if (this.#regionKey === undefined) {
      const isRoom = this.#early.size < EARLY_MAX || this.#early.has(topic);
      if (isRoom) this.#early.set(topic, payload);
      else this.#note(topic, 'too much before the greeting');
      return;
    }
    if (parsed.kind === 'down') return this.#takeDownChunk(topic, parsed, payload);
    const { address, verify } = this.#options;
    const parse = parsed.kind === 'have' ? parseHave : parseReceipt;
    const message = parse(payload, this.#regionKey, verify);
    const isOurs = message?.hub === address.hub && message.batch === parsed.batch;
    if (message === undefined || !isOurs)
      return this.#note(topic, 'not signed, malformed or for another');
    if ('outcome' in message) this.#handlers.onReceipt(message);
    else this.#handlers.onHave(message);
  }

  #takeDownChunk(
    topic: string,
    { batch, index }: { readonly batch: BatchId; readonly index: number },
    payload: Uint8Array,
  ): void {
    const outcome = parseChunk(payload);
    if (outcome.kind === 'invalid' || outcome.chunk.index !== index || !this.#regionKey) {
      return this.#note(topic, 'no chunk');
    }
    this.#handlers.onDownChunk(batch, outcome.chunk, this.#regionKey);
  }

  #takeDownHello(topic: string, message: Uint8Array): void {
    const { address, verify } = this.#options;
    const hello = parseDownHello(message, verify);
    if (hello?.hub !== address.hub)
      return this.#note(topic, 'not signed, malformed or for another');
    // An answer to an earlier session says nothing about now.
    if (!bytesEqual(hello.nonce, this.#nonce)) return;
    const judgement = this.#handlers.onAnswer(hello);
    if (judgement === 'refused') return;
    if (judgement === 'again' && this.#regionKey === undefined) return this.#greetAgain();
    const isFirst = this.#regionKey === undefined;
    this.#regionKey = hello.publicKey;
    if (isFirst) this.#goOn();
  }

  #takeResumed(topic: string, message: Uint8Array): void {
    const { address, verify } = this.#options;
    const resuming = this.#resuming;
    if (resuming === undefined || this.#regionKey !== undefined) return;
    const { regionKey } = resuming;
    const expected = { hub: address.hub, nonce: this.#nonce, regionKey };
    const found = parseResumed(message, expected, verify);
    if (found === undefined) this.#note(topic, 'not signed, malformed or for another');
    if (found === undefined || found.length < resuming.batches.length) return this.#greetInstead();
    this.#regionKey = regionKey;
    this.#handlers.onResumed(found);
    this.#goOn();
  }

  /** We know whose word counts, and what it said before is heard. */
  #goOn(): void {
    const early = [...this.#early];
    this.#early.clear();
    for (const [earlyTopic, payload] of early) this.#take(earlyTopic, payload);
    this.#handlers.onGreeted();
  }

  #greetAgain(): void {
    this.#nonce = this.#options.random.bytes(NONCE_BYTES);
    this.#run(this.#hello());
  }

  /** Waiting for an answer that we believe would only hide for the reply time that the region was replaced. */
  #greetInstead(): void {
    this.#resuming = undefined;
    this.#handlers.onDisowned();
    const listens = this.#session?.subscribe(downstreamFilters(this.#options.address));
    this.#run(Promise.resolve(listens).then(() => this.#hello()));
  }

  /** A publish that fails ends with the session, which its own end tells. */
  #run(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!(error instanceof HubError)) this.#options.onBug(error);
    });
  }

  /** Nonsense is told once a session, with what it was, and then only counted. */
  #note(topic: string, what: string): void {
    this.#nonsense += 1;
    if (this.#nonsense === 1) this.#options.log.warn('uplink.nonsense', { topic, what });
  }
}
