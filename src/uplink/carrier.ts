/**
 * Carried sync on the hub (batch/BUNDLE.md): hands out what waits as messages for a stick, and takes the answers that come
 * back. What was handed out stays in the spool and in the journal until a receipt is here; what was handed to whom is noted
 * beside the spool. Messages of other hubs are kept, unread, and handed on (carried-folder.ts).
 */
import { textOf, utf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { isoTime } from '../base/iso-time.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { BatchId } from '../batch/batch-id.ts';
import type { CarriedMessage } from '../batch/bundle.ts';
import { SPOOLED_MAX } from '../batch/limits.ts';
import type { Signer } from '../batch/manifest.ts';
import {
  type DownHello,
  encodeHello,
  NONCE_BYTES,
  parseDownHello,
  READABLE,
} from '../batch/wire/messages.ts';
import { parseReceipt, type Receipt } from '../batch/wire/receipt.ts';
import type { PayloadSealer } from '../batch/payload-seal.ts';
import {
  chunkTopic,
  helloTopic,
  type HubAddress,
  hubOfTopic,
  parseDownstreamTopic,
  parseUpstreamTopic,
  topicOfBatch,
} from '../batch/wire/topics.ts';
import type { Verify } from '../codec/cose.ts';
import { originOfPublicKey } from '../hashes.ts';
import { CLASSES, type OpClass } from '../model/class.ts';
import type { Files } from '../platform/files/files.ts';
import { CarriedFolder } from './carried-folder.ts';
import type { Outbox } from './outbox.ts';
import type { SyncLogWriter } from './ports.ts';
import { readRegionKey } from './region-key.ts';

interface CarrierOptions {
  readonly files: Files;
  /** Folder of spool and `region.pub`. */
  readonly dir: string;
  readonly site: string;
  readonly signer: Signer;
  readonly verify: Verify;
  readonly sealer?: PayloadSealer | undefined;
  readonly jurisdiction?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly syncLog: SyncLogWriter;
  readonly log: Log;
  readonly software: string;
}

/** What the carrier asks of the uplink. */
export interface CarrierPort {
  readonly outbox: Outbox;
  /** Counts all that is durable now, for as long as there is time. */
  countAll(isTimeUp: () => boolean): Promise<void>;
  /** Whether the region that answers so is to be believed; pins it at first contact. */
  meets(answer: DownHello): boolean;
  takeReceipt(receipt: Receipt): void;
}

interface HandedBatch {
  readonly id: BatchId;
  readonly class: OpClass;
  readonly ops: number;
  readonly bytes: number;
  readonly chunks: number;
}

interface HandedOut {
  readonly hello: CarriedMessage;
  /** False where more waits to be sealed: asked again, it goes on. */
  readonly isAll: boolean;
  /** Ops that the spool has no room for: they can go when receipts are back. */
  readonly left: number;
  readonly batches: readonly HandedBatch[];
  /** Bundles of other hubs that are carried on. */
  readonly carried: readonly string[];
  readonly isEncrypted: boolean;
}

interface TakenIn {
  /** Batches of this hub that have their receipt with this. */
  readonly receipts: number;
  /** Messages of other hubs that are carried on. */
  readonly foreign: number;
  /** Messages that are nothing to this hub, or not signed by its region. */
  readonly passedOver: number;
}

/** Who asks for a bundle is answered after so long at most, a batch more or less; a month of backlog takes several times. */
const SEALING_MS_MAX = 4_000;
/** Nobody greets on a stick: every region of this version and later reads this. */
const CARRIED_READER = { encoding: 'columns', compression: 'brotli', history: 'trees' } as const;

export class Carrier {
  readonly #options: CarrierOptions;
  readonly #port: CarrierPort;
  readonly #address: HubAddress;
  readonly #ofOthers: CarriedFolder;

  constructor(options: CarrierOptions, port: CarrierPort) {
    this.#options = options;
    this.#port = port;
    this.#address = { site: options.site, hub: originOfPublicKey(options.signer.publicKey) };
    this.#ofOthers = new CarriedFolder({ ...options, dir: `${options.dir}/carried` });
  }

  /** Seals what waits, for a few seconds, and says what there is to carry; `to` is noted where that is all. */
  async handOut(to: string): Promise<HandedOut> {
    const { outbox } = this.#port;
    const isAll = await this.#sealAll();
    const batches = outbox.sendable().map(({ id, manifest, layout }) => ({
      id,
      class: manifest.class,
      ops: manifest.ops,
      bytes: layout.batchBytes,
      chunks: layout.total,
    }));
    if (isAll) this.#note(batches, to);
    const isEncrypted = this.#options.sealer !== undefined;
    const carried = this.#ofOthers.names();
    // Where something can be sealed, it has come meanwhile.
    const isFull = outbox.sealableClasses().length === 0;
    const unsealed = CLASSES.reduce<number>((sum, opClass) => sum + outbox.unsealedOps(opClass), 0);
    const left = isFull ? unsealed : 0;
    return { hello: this.#hello(batches), isAll, left, batches, carried, isEncrypted };
  }

  /** False where time was up before all was sealed. */
  async #sealAll(): Promise<boolean> {
    const { clock } = this.#options;
    const { outbox } = this.#port;
    const endMs = clock.monotonicMs() + SEALING_MS_MAX;
    const isTimeUp = (): boolean => clock.monotonicMs() >= endMs;
    await this.#port.countAll(isTimeUp);
    for (const opClass of CLASSES) {
      for (;;) {
        // A session may be at it just now: what it seals goes along, and then the rest.
        const busy = outbox.busy(opClass);
        if (busy === undefined && !outbox.sealableClasses().includes(opClass)) break;
        if (isTimeUp()) return false;
        if (busy !== undefined) await busy;
        else if ((await outbox.seal(opClass, CARRIED_READER)) === undefined) break;
      }
    }
    return !isTimeUp();
  }

  /** The messages of a batch from chunk `from` on, about `bytesMax` of them. */
  messages(id: BatchId, from: number, bytesMax: number): CarriedMessage[] {
    const { outbox } = this.#port;
    const total = outbox.get(id)?.layout.total ?? 0;
    const messages: CarriedMessage[] = [];
    let bytes = 0;
    for (let index = from; index < total && bytes < bytesMax; index++) {
      const payload = outbox.chunk(id, index, false);
      messages.push({ topic: chunkTopic(this.#address, id, index), payload });
      bytes += payload.length;
    }
    return messages;
  }

  /** A bundle of other hubs, as it came. */
  carried(name: string): readonly CarriedMessage[] {
    return this.#ofOthers.messages(name);
  }

  /** Takes answers of the region for this hub, and keeps what is of other hubs, in either direction. */
  take(messages: readonly CarriedMessage[]): TakenIn {
    let receipts = 0;
    let passedOver = 0;
    const foreign: CarriedMessage[] = [];
    const storedOfOthers = new Set<string>();
    for (const message of messages) {
      const address = hubOfTopic(message.topic);
      if (address === undefined) passedOver += 1;
      else if (address.hub === this.#address.hub) {
        const taken = this.#takeOwn(message);
        if (taken === 'receipt') receipts += 1;
        else if (taken === 'nothing') passedOver += 1;
      } else if (isCarried(address, message.topic)) {
        foreign.push(message);
        const stored = this.#receiptIn(address, message);
        if (stored?.outcome === 'stored')
          storedOfOthers.add(topicOfBatch(chunkTopic(address, stored.batch, 0)));
      } else passedOver += 1;
    }
    if (storedOfOthers.size > 0) this.#ofOthers.letGo(storedOfOthers);
    this.#ofOthers.keep(foreign.filter(({ topic }) => !storedOfOthers.has(topicOfBatch(topic))));
    return { receipts, foreign: foreign.length, passedOver };
  }

  #takeOwn(message: CarriedMessage): 'receipt' | 'known' | 'nothing' {
    const own = parseDownstreamTopic(this.#address, message.topic);
    if (own?.kind === 'down-hello') {
      const answer = parseDownHello(message.payload, this.#options.verify);
      const isBelieved = answer?.hub === this.#address.hub && this.#port.meets(answer);
      return isBelieved ? 'known' : 'nothing';
    }
    const receipt = this.#receiptIn(this.#address, message);
    if (receipt === undefined) return 'nothing';
    if (this.#port.outbox.get(receipt.batch) === undefined) return 'known';
    this.#port.takeReceipt(receipt);
    return 'receipt';
  }

  /** A receipt of the region that this hub knows, for the hub of the address. */
  #receiptIn(address: HubAddress, { topic, payload }: CarriedMessage): Receipt | undefined {
    const { files, dir, verify } = this.#options;
    const parsed = parseDownstreamTopic(address, topic);
    if (parsed?.kind !== 'receipt') return undefined;
    const key = readRegionKey(files, `${dir}/region.pub`);
    const receipt = key && parseReceipt(payload, key, verify);
    return receipt?.hub === address.hub && receipt.batch === parsed.batch ? receipt : undefined;
  }

  #hello(batches: readonly HandedBatch[]): CarriedMessage {
    const { random, software, signer, sealer, jurisdiction, site } = this.#options;
    const spooled = batches.slice(0, SPOOLED_MAX).map(({ id }) => id);
    const nonce = random.bytes(NONCE_BYTES);
    const demands = { sealedTo: sealer?.keyId, jurisdiction };
    const hello = { site, nonce, software, ...READABLE, spooled, ...demands };
    const payload = encodeHello(hello, signer);
    return { topic: helloTopic(this.#address), payload };
  }

  /** `carried.json`: what was handed to whom; the last hundred times. */
  #note(batches: readonly HandedBatch[], to: string): void {
    const { files, dir, clock, syncLog } = this.#options;
    const path = `${dir}/carried.json`;
    const before = readNotes(files, path);
    const ids = batches.map(({ id }) => id);
    const entry = { at: isoTime(clock.wallMs()), to, batches: ids };
    files.replace(path, utf8(`${JSON.stringify([...before, entry].slice(-100))}\n`));
    const ops = batches.reduce((sum, batch) => sum + batch.ops, 0);
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0);
    const why = `${batches.length === 1 ? '1 batch' : `${batches.length} batches`} handed to ${to}; the receipts decide`;
    syncLog.append({ event: 'batch.sent', link: 'carried', bytes, ops, why });
  }
}

function readNotes(files: Files, path: string): unknown[] {
  try {
    const notes: unknown = JSON.parse(textOf(files.read(path) ?? utf8('[]')) ?? '[]');
    return Array.isArray(notes) ? notes : [];
  } catch {
    return []; // For people only; begun anew.
  }
}

/** What a hub carries for another one: what that sends up, and what the region answers. */
function isCarried(address: HubAddress, topic: string): boolean {
  const up = parseUpstreamTopic(topic)?.kind;
  const down = parseDownstreamTopic(address, topic)?.kind;
  return up === 'hello' || up === 'chunk' || down === 'down-hello' || down === 'receipt';
}
