/**
 * The receiving end: listens to the hubs of all sites on an MQTT broker, takes their batches and answers with signed
 * receipts. One batch at a time goes through verification and storage, so that memory has a limit however
 * many hubs send at once; chunks wait on disk.
 *
 * Whatever comes from the broker may be nonsense: it is counted, told once in a while, and never an exception.
 */
import type { Cancel, Clock, Timers } from '../base/clock.ts';
import { hexOf } from '../base/bytes.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { BatchId } from '../batch/batch-id.ts';
import type { Chunk } from '../batch/wire/chunks.ts';
import { type Compressor, threadedCompressor } from '../batch/compression.ts';
import type { Signer } from '../batch/manifest.ts';
import { encodeHave, type Hello, parseHello } from '../batch/wire/messages.ts';
import type { PayloadOpener, PayloadSealer } from '../batch/payload-seal.ts';
import {
  downHelloTopic,
  haveTopic,
  type HubAddress,
  parseUpstreamTopic,
  receiptTopic,
} from '../batch/wire/topics.ts';
import type { Verify } from '../codec/cose.ts';
import { originOfPublicKey } from '../hashes.ts';
import type { Origin } from '../model/origin.ts';
import type { MqttClient } from '../platform/network/mqtt-client.ts';
import type { AskedToWait } from '../batch/wire/asked-to-wait.ts';
import { type BrokerAddress, BrokerLink } from './arriving/broker-link.ts';
import { CarriedDesk } from './downlink/carried-desk.ts';
import { DownDesk } from './downlink/down-desk.ts';
import { greetingFor, hindranceTo } from './arriving/greeting.ts';
import { HubNames } from './arriving/hub-names.ts';
import { DEFAULT_REGIONAL_LIMITS, type RegionalLimits } from './limits.ts';
import { Nonsense } from './arriving/nonsense.ts';
import { Pressure } from './pressure/pressure.ts';
import { ChunkDesk, type ChunkTopic } from './arriving/chunk-desk.ts';
import { type Answer, Site, type SiteAudit } from './site.ts';
import type { RegionStorage } from './site-storage.ts';
import { type Trouble, Troubles } from './arriving/troubles.ts';
import { WorkQueue } from './arriving/work-queue.ts';

export interface RegionalNodeOptions {
  readonly mqtt: MqttClient;
  readonly broker: BrokerAddress;
  readonly storage: RegionStorage;
  /** Of a fleet that shares storage and broker. */
  readonly fleet?: {
    /** Every message from a hub goes to one of the workers that share by this name; undefined: all comes here. */
    readonly group: string | undefined;
    /** How often to look for complete batches that nobody works on. */
    readonly sweepMs: number;
    /** Batches that are worked on at a time. */
    readonly takesAtOnce: number;
  };
  readonly signer: Signer;
  readonly verify: Verify;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** Opens what hubs encrypt; undefined: nothing of it can be taken. */
  readonly opener?: PayloadOpener | undefined;
  /** Encrypts to a hub's key what goes down to it; without it nothing goes to a hub that has told one. */
  readonly sealerTo?: (sealKey: Uint8Array) => PayloadSealer | undefined;
  /** What may be stored here; undefined: everything. */
  readonly jurisdictions?: readonly string[] | undefined;
  /** Program version, for the greeting. */
  readonly software: string;
  readonly limits?: Partial<RegionalLimits>;
  readonly audit?: SiteAudit | undefined;
  readonly compressor?: Compressor;
  /** Takes errors that nobody may catch: bugs, a failing disk or store. The process should end. */
  readonly onFatal: (error: unknown) => void;
}

/** What this process has done since its start. */
interface RegionalWork {
  readonly chunks: number;
  readonly batches: number;
  readonly ops: number;
  readonly parked: number;
  readonly nonsense: number;
  readonly overQuota: number;
}

const CLIENT_SUFFIX_BYTES = 6;
/** Batches that wait for their turn in memory; others wait in the storage. */
const QUEUED_MAX = 1_000;

export class RegionalNode {
  readonly #options: RegionalNodeOptions;
  readonly #limits: RegionalLimits;
  readonly #sites = new Map<string, Site>();
  readonly #opening = new Map<string, Promise<Site>>();
  readonly #queued = new Set<string>();
  readonly #hellos = new Map<string, Hello>();
  readonly #link: BrokerLink;
  readonly #queue: WorkQueue;
  readonly #pressure: Pressure;
  /** The way down. */
  readonly down: DownDesk;
  readonly #chunks: ChunkDesk;
  readonly #names: HubNames;
  /** What comes on a stick. */
  readonly carried: CarriedDesk;
  #cancelSweep: Cancel = (): void => undefined;
  #isSweeping = false;
  readonly #work = { chunks: 0, batches: 0, ops: 0, parked: 0, nonsense: 0, overQuota: 0 };
  readonly #nonsense: Nonsense;
  readonly #troubles: Troubles;
  #isClosed = false;

  private constructor(options: RegionalNodeOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_REGIONAL_LIMITS, ...options.limits };
    this.#queue = new WorkQueue(options.fleet?.takesAtOnce ?? 1, (error) => this.#broken(error));
    this.#nonsense = new Nonsense(options.log);
    this.#troubles = new Troubles(options.log, options.clock);
    this.#pressure = new Pressure({ ...options, queue: this.#queue });
    this.down = new DownDesk({
      siteOf: (name) => this.#siteOfOthers(name),
      queue: this.#queue,
      verify: options.verify,
      timers: options.timers,
    });
    this.#chunks = new ChunkDesk({
      queue: this.#queue,
      pressure: this.#pressure,
      signer: options.signer,
      siteOf: (name) => this.#siteOfOthers(name),
      publish: (topic, payload) => this.#link.publish(topic, payload),
      answer: (...told) => this.#answer(...told),
    });
    this.#names = new HubNames({ clock: options.clock, sites: () => this.#allSites() });
    this.carried = new CarriedDesk({
      ...options,
      queue: this.#queue,
      siteNamed: (name) => this.#siteNamed(name),
      siteOf: (name) => this.#siteOfOthers(name),
      greetingFor: (hello) => greetingFor(hello, options, {}),
    });
    const region = `heliograph-region-${originOfPublicKey(options.signer.publicKey)}`;
    const suffix = hexOf(options.random.bytes(CLIENT_SUFFIX_BYTES));
    this.#link = new BrokerLink({
      ...options,
      clientId: options.fleet === undefined ? region : `${region}-${suffix}`,
      group: options.fleet?.group,
      onMessage: (topic, payload) => this.#take(topic, payload),
    });
  }

  /** Opens the sites that are there, then begins to listen; resolves also while the broker cannot be reached yet. */
  static async open(options: RegionalNodeOptions): Promise<RegionalNode> {
    const node = new RegionalNode(options);
    for (const name of await options.storage.sites()) await node.#siteNamed(name);
    const { fleet, timers } = options;
    await node.#link.open();
    if (fleet !== undefined) node.#cancelSweep = timers.every(fleet.sweepMs, () => node.#sweep());
    return node;
  }

  get isConnected(): boolean {
    return this.#link.isConnected;
  }

  /** What keeps it from taking what hubs send. */
  troubles(): Trouble[] {
    const { trouble } = this.#link;
    return [...(trouble === undefined ? [] : [trouble]), ...this.#troubles.list()];
  }

  get work(): RegionalWork {
    return { ...this.#work };
  }

  sites(): Site[] {
    return [...this.#sites.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  site(name: string): Site | undefined {
    return this.#sites.get(name);
  }

  /** Finishes the batch that is in the works, and closes everything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep();
    await this.#link.close();
    this.down.close();
    await this.#queue.idle();
    for (const site of this.#sites.values()) await site.close();
  }

  /** Resolves when the message needs no keeping by the broker any more. */
  async #take(topic: string, payload: Uint8Array): Promise<void> {
    if (this.#isClosed) return;
    const parsed = parseUpstreamTopic(topic);
    if (parsed === undefined) return this.#note(topic, 'unknown topic');
    try {
      if (parsed.kind === 'hello') this.#takeHello(topic, parsed.address, payload);
      else if (parsed.kind === 'chunk' || parsed.kind === 'short-chunk')
        await this.#takeChunk(topic, parsed, payload);
      else if (parsed.kind === 'brief-chunk') {
        const address = await this.#names.of(parsed.name);
        if (address === undefined) this.#note(topic, 'unknown hub');
        else await this.#takeChunk(topic, { kind: 'short-chunk', address }, payload);
      } else if (parsed.kind === 'resume') {
        if (!this.#chunks.take(topic, parsed.address, payload)) this.#note(topic, 'no resume');
      } else if (!(await this.down.receipt(parsed, payload))) this.#note(topic, 'no down-receipt');
    } catch (error) {
      this.#broken(error);
    }
  }

  #takeHello(topic: string, address: HubAddress, payload: Uint8Array): void {
    if (payload.length === 0) return; // A retained hello that somebody took back.
    const hello = parseHello(payload, this.#options.verify);
    if (hello === undefined) return this.#note(topic, 'malformed or not signed');
    if (hello.hub !== address.hub || hello.site !== address.site) {
      return this.#note(topic, 'hello of another hub or site');
    }
    const isFull = !this.#sites.has(hello.site) && this.#opening.size >= this.#limits.sitesMax;
    if (isFull) return this.#note(topic, 'too many sites');
    // Of hellos that wait for their turn, the newest of a hub counts.
    const isWaiting = this.#hellos.has(topic);
    if (!isWaiting && this.#hellos.size >= this.#limits.hubsMax)
      return this.#note(topic, 'too many hellos');
    const { wait } = this.#pressure;
    const brief = this.#link.hearsBrief;
    // Said at once: in the queue it would come too late to help.
    if (wait !== undefined)
      return this.#link.publish(
        downHelloTopic(address),
        greetingFor(hello, this.#options, { wait, brief }),
      );
    this.#hellos.set(topic, hello);
    if (!isWaiting) this.#queue.add(() => this.#greet(topic, address));
  }

  async #greet(topic: string, address: HubAddress): Promise<void> {
    const hello = this.#hellos.get(topic);
    this.#hellos.delete(topic);
    if (hello === undefined) return;
    const site = await this.#siteNamed(hello.site);
    const met = await site.meet(hello);
    if (met === 'other' || met === 'full') return this.#note(topic, `hub not taken: ${met}`);
    const { log } = this.#options;
    this.#names.met(address);
    if (met === 'new') log.info('regional.hub.new', { site: site.name, hub: hello.hub });
    const answers = await site.answersTo(hello, hindranceTo(hello, this.#options));
    for (const { batch, answer } of answers) this.#answer(address, batch, answer);
    await this.#takeUp(site);
    const waiting = await this.down.heard(site, hello);
    const wait = await this.#pressure.afterQuota(site, hello.hub);
    this.#link.publish(
      downHelloTopic(address),
      greetingFor(hello, this.#options, {
        ...waiting,
        ...(await site.forgot(hello)),
        wait,
        brief: this.#link.hearsBrief,
      }),
    );
    await site.down.link.begin(hello.hub, hello);
  }

  async #takeChunk(topic: string, parsed: ChunkTopic, payload: Uint8Array): Promise<void> {
    const { address } = parsed;
    const site = this.#sites.get(address.site) ?? (await this.#siteOfOthers(address.site));
    if (site === undefined) return this.#note(topic, 'unknown site');
    const read = await this.#chunks.chunk(site, parsed, payload);
    if (typeof read === 'string') return this.#note(topic, read);
    await this.#put(topic, site, address, read);
  }

  async #put(
    topic: string,
    site: Site,
    address: HubAddress,
    { batch, chunk }: { readonly batch: BatchId; readonly chunk: Chunk },
  ): Promise<void> {
    const { hub } = address;
    const put = await site.put(hub, batch, chunk);
    if (put.kind === 'stranger') return this.#note(topic, 'unknown hub');
    const isDropped = put.kind === 'over-quota';
    if (isDropped) this.#work.overQuota += 1;
    else this.#work.chunks += 1;
    if (isDropped || (put.kind === 'kept' && !put.isComplete)) {
      const word = await this.#pressure.holdOff(
        site,
        { hub, batch, total: chunk.total, bytes: chunk.data.length },
        isDropped,
      );
      if (word !== undefined) this.#link.publish(haveTopic(address, batch), word);
    } else if (put.kind === 'kept') {
      this.#process(site, hub, batch);
    } else if (chunk.index === chunk.total - 1) {
      this.#answer(address, batch, { kind: 'receipt', bytes: put.receipt });
    }
  }

  /** A site that another worker of the fleet has met. */
  async #siteOfOthers(name: string): Promise<Site | undefined> {
    const known = this.#sites.get(name);
    if (known !== undefined || this.#options.fleet === undefined) return known;
    const isKnown = (await this.#options.storage.sites()).includes(name);
    return isKnown ? this.#siteNamed(name) : undefined;
  }

  #process(site: Site, hub: Origin, batch: BatchId): void {
    const key = `${site.name}/${hub}/${batch}`;
    if (this.#queued.has(key) || this.#queued.size >= QUEUED_MAX) return;
    this.#queued.add(key);
    this.#queue.add(async () => {
      this.#queued.delete(key);
      const { answer, freed, ops, flowsDown } = await site.take(hub, batch);
      if (flowsDown === true) this.down.pushSoon(site);
      if (ops !== undefined) {
        this.#troubles.over('storing');
        this.#work.batches += 1;
        this.#work.ops += ops;
      } else if (answer?.kind === 'receipt') this.#work.parked += 1;
      if (answer !== undefined) this.#answer({ site: site.name, hub }, batch, answer);
      for (const next of freed) this.#process(site, hub, next);
    });
  }

  async #siteNamed(name: string): Promise<Site> {
    const known = this.#opening.get(name);
    if (known !== undefined) return known;
    const compressor = this.#options.compressor ?? threadedCompressor;
    const publish = (topic: string, payload: Uint8Array): void =>
      this.#link.publish(topic, payload);
    const limits = this.#limits;
    const opening = Site.open({ ...this.#options, name, compressor, limits, publish });
    this.#opening.set(name, opening);
    try {
      const site = await opening;
      this.#sites.set(name, site);
      await this.#takeUp(site);
      return site;
    } catch (error) {
      this.#opening.delete(name);
      throw error;
    }
  }

  async #allSites(): Promise<Site[]> {
    const names = await this.#options.storage.sites();
    return Promise.all(names.map((name) => this.#siteNamed(name)));
  }

  /** Works on what is complete and was left lying. */
  async #takeUp(site: Site): Promise<void> {
    for (const { hub, batch } of await site.complete()) this.#process(site, hub, batch);
  }

  /** A worker that died leaves complete batches to the others. */
  #sweep(): void {
    if (this.#isSweeping || this.#isClosed) return;
    this.#isSweeping = true;
    const look = async (): Promise<void> => {
      for (const site of await this.#allSites()) await this.#takeUp(site);
    };
    look()
      .then(() => this.#troubles.over('looking'))
      .catch((error: unknown) => this.#broken(error, 'looking'))
      .finally(() => (this.#isSweeping = false));
  }

  /** Ends the process, but for what passes. */
  #broken(error: unknown, work: 'storing' | 'looking' = 'storing'): void {
    if (!this.#troubles.met(error, work)) this.#options.onFatal(error);
  }

  #answer(address: HubAddress, batch: BatchId, answer: Answer, wait?: AskedToWait): void {
    if (answer.kind === 'receipt')
      return this.#link.publish(receiptTopic(address, batch), answer.bytes);
    const have = { hub: address.hub, batch, chunks: answer.chunks, wait };
    this.#link.publish(haveTopic(address, batch), encodeHave(have, this.#options.signer));
  }

  #note(topic: string, what: string): void {
    this.#work.nonsense += 1;
    this.#nonsense.note(topic, what);
  }
}
