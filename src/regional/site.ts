/**
 * One site at the regional node: what is believed of its hubs' batches, and what they are told. What is remembered of
 * them lies in the storage (site-storage.ts), which others may share with us.
 *
 * A receipt is true: the batch was verified and the storage has it for good before its receipt leaves.
 * A receipt says where the batch before is not known here; a hub that has it still sends it, and one that was
 * told it was stored knows then that this node has lost it.
 */
import { EMPTY_BYTES } from '../base/bytes.ts';
import { type Clock, type Timers, turn } from '../base/clock.ts';
import { FAULTS, HubError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { BatchId } from '../batch/batch-id.ts';
import { type Chunk, ChunkBitmap } from '../batch/wire/chunks.ts';
import type { Compressor } from '../batch/compression.ts';
import { firstLeafOf, type Manifest, type Signer } from '../batch/manifest.ts';
import { DOWN_CLASSES } from '../batch/wire/down-messages.ts';
import type { Hello } from '../batch/wire/messages.ts';
import { encodeReceipt, type Receipt, type WitnessedHead } from '../batch/wire/receipt.ts';
import {
  type BatchOutcome,
  FORKED,
  NOT_ACCEPTED,
  type OpenTools,
  openBatch,
} from '../batch/open-batch.ts';
import type { PayloadOpener, PayloadSealer } from '../batch/payload-seal.ts';
import type { Verify } from '../codec/cose.ts';
import { HASH_BYTES } from '../ledger/merkle.ts';
import { checkpointBody, cosign, logName, type TreeHead } from '../ledger/note.ts';
import { CLASS_NAMES } from '../model/class.ts';
import type { Origin } from '../model/origin.ts';
import { Author } from './downlink/author.ts';
import { RegionDownlink } from './downlink/downlink.ts';
import type { HistoryOutcome } from './history/history-watch.ts';
import type { RegionalLimits } from './limits.ts';
import type {
  Claim,
  KeepOutcome,
  KeptFacts,
  Met,
  PutOutcome,
  RegionStorage,
  SiteKeeper,
  SiteStorage,
} from './site-storage.ts';

export interface SiteOptions {
  readonly name: string;
  readonly storage: RegionStorage;
  readonly signer: Signer;
  readonly verify: Verify;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly limits: RegionalLimits;
  readonly random: Random;
  /** Sends to the broker. */
  readonly publish: (topic: string, payload: Uint8Array) => void;
  /** Told of every batch that is stored or put aside by this process. */
  readonly audit?: SiteAudit | undefined;
  readonly opener?: PayloadOpener | undefined;
  /** Encrypts to a hub's key what goes down to it; without it nothing goes to a hub that has told one. */
  readonly sealerTo?: (sealKey: Uint8Array) => PayloadSealer | undefined;
  readonly jurisdictions?: readonly string[] | undefined;
}

export interface SiteAudit {
  stored(batch: BatchId, manifest: Manifest): void;
  refused(batch: BatchId, manifest: Manifest, reason: string): void;
  /** A hub will send nothing here, and why; told once while it is so. */
  hindered(of: { readonly site: string; readonly hub: Origin }, reason: string): void;
}

/** What the hub is to be told of a batch. */
export type Answer =
  | { readonly kind: 'receipt'; readonly bytes: Uint8Array }
  | { readonly kind: 'have'; readonly chunks: ChunkBitmap };

/** The way down from a site. */
interface WayDown {
  readonly author: Author;
  readonly link: RegionDownlink;
}

export interface Taken {
  /** Undefined where there is nothing to say. */
  readonly answer: Answer | undefined;
  /** Batches of the hub that can be taken now. */
  readonly freed: readonly BatchId[];
  /** Ops of a batch that was stored. */
  readonly ops?: number;
  /** Other hubs of the site are to have them too. */
  readonly flowsDown?: boolean;
}

interface Refusal {
  readonly reason: string;
  readonly manifest?: Manifest;
}

const DAMAGED_REMEMBERED_MAX = 256;
const POISON_TRIES = 3;
const NOTHING: Taken = { answer: undefined, freed: [] };

export class Site {
  readonly name: string;
  readonly #options: SiteOptions;
  readonly #storage: SiteStorage;
  readonly #damagedCount = new Map<BatchId, number>();
  readonly #poisonCount = new Map<BatchId, number>();
  /** Of hubs that were met. */
  readonly #hindrances = new Map<Origin, string>();

  readonly down: WayDown;

  private constructor(options: SiteOptions, storage: SiteStorage) {
    this.name = options.name;
    this.#options = options;
    this.#storage = storage;
    const parts = { ...options, site: options.name, source: storage.down, heal: storage.heal };
    this.down = { author: new Author(parts), link: new RegionDownlink(parts) };
  }

  static async open(options: SiteOptions): Promise<Site> {
    const storage = await options.storage.openSite(options.name, keeperOf(options));
    return new Site(options, storage);
  }

  get storage(): SiteStorage {
    return this.#storage;
  }

  /** Takes note of a hub that has proved its key. */
  meet({ hub, publicKey }: Hello): Promise<Met> {
    return this.#storage.meet(hub, publicKey);
  }

  /**
   * What there is to say of the batches that a hub has under way; parts it has given up are dropped. `hindrance` is why it will
   * send none.
   */
  async answersTo(hello: Hello, hindrance?: string): Promise<{ batch: BatchId; answer: Answer }[]> {
    this.#auditHindrance(hello.hub, hindrance);
    const underway = await this.#storage.heard(hello, hindrance);
    const answers: { batch: BatchId; answer: Answer }[] = [];
    for (const batch of new Set([...hello.spooled, ...underway])) {
      const answer = await this.answerFor(hello.hub, batch);
      if (answer !== undefined) answers.push({ batch, answer });
    }
    return answers;
  }

  #auditHindrance(hub: Origin, hindrance: string | undefined): void {
    if (this.#hindrances.get(hub) === hindrance) return;
    if (hindrance === undefined) this.#hindrances.delete(hub);
    else {
      this.#hindrances.set(hub, hindrance);
      this.#options.audit?.hindered({ site: this.name, hub }, hindrance);
    }
  }

  /** Of what was receipted to the hub, what is not here any more: this storage is older than that. */
  async forgot({ hub, tips = [] }: Hello): Promise<{ readonly forgot?: readonly BatchId[] }> {
    const forgot: BatchId[] = [];
    for (const batch of tips) {
      if ((await this.#storage.receipt(hub, batch)) === undefined) forgot.push(batch);
    }
    if (forgot.length === 0) return {};
    this.#options.log.warn('regional.hub.forgotten', { site: this.name, hub, batches: forgot });
    return { forgot };
  }

  /** Keeps a chunk of a hub that is known. */
  async put(hub: Origin, batch: BatchId, chunk: Chunk): Promise<PutOutcome> {
    const put = await this.#storage.put(hub, batch, chunk);
    if (put.kind !== 'kept') return put;
    const { log } = this.#options;
    const { evicted, isContradiction } = put;
    if (evicted.length > 0)
      log.warn('regional.parts.evicted', { site: this.name, hub, batches: evicted });
    if (isContradiction) log.info('regional.parts.cut-anew', { site: this.name, hub, batch });
    return put;
  }

  /** Batches that are all here and not taken yet: after a restart, or after a disk that was full. */
  complete(): Promise<{ hub: Origin; batch: BatchId }[]> {
    return this.#storage.complete();
  }

  /** Verifies, keeps and stores a complete batch. */
  async take(hub: Origin, batch: BatchId): Promise<Taken> {
    const claim = await this.#storage.claim(hub, batch);
    if (claim === undefined) return NOTHING;
    try {
      const { bytes, publicKey } = claim;
      const outcome = await open(this.#options, hub, batch, bytes, publicKey);
      if (outcome.kind === 'damaged') {
        return { ...NOTHING, answer: await this.#damaged(claim, hub, batch, outcome.reason) };
      }
      if (outcome.kind === 'refused') {
        return await this.#park(claim, hub, batch, outcome);
      }
      const { manifest } = outcome;
      const kept = await claim.keep(outcome);
      if (kept.kind === 'later') return NOTHING;
      if (kept.kind === 'kept') return this.#kept(batch, manifest, kept);
      tellHistory(this.#options, manifest, 'forked', kept.known);
      const refused = { reason: FORKED, manifest } as const;
      return await this.#park(claim, hub, batch, refused);
    } catch (error) {
      await claim.release();
      if (!isRejected(error)) throw error;
      return await this.#poisoned(hub, batch, error.message);
    } finally {
      await claim.release();
    }
  }

  close(): Promise<void> {
    return this.#storage.close();
  }

  /** What there is to say of a batch; undefined where nothing of it is here. */
  async answerFor(hub: Origin, batch: BatchId): Promise<Answer | undefined> {
    const bytes = await this.#storage.receipt(hub, batch);
    if (bytes !== undefined) return { kind: 'receipt', bytes };
    const chunks = await this.#storage.have(hub, batch);
    return chunks === undefined ? undefined : { kind: 'have', chunks };
  }

  #kept(
    batch: BatchId,
    manifest: Manifest,
    { receipt, facts, freed, pruned }: Extract<KeepOutcome, { kind: 'kept' }>,
  ): Taken {
    const { log } = this.#options;
    const site = this.name;
    tellHistory(this.#options, manifest, facts.history, facts.head.size);
    if (pruned > 0) log.info('regional.archive.pruned', { site, batches: pruned });
    const { hub, ops, payloadBytes } = manifest;
    const opClass = CLASS_NAMES[manifest.class];
    this.#options.audit?.stored(batch, manifest);
    log.info('regional.batch.stored', { site, hub, batch, class: opClass, ops, payloadBytes });
    const flowsDown = DOWN_CLASSES.includes(manifest.class);
    return { answer: { kind: 'receipt', bytes: receipt }, freed, ops, flowsDown };
  }

  /** The hub signed it and it cannot be taken: it is put aside, and blocks nothing. */
  async #park(
    claim: Claim,
    hub: Origin,
    id: BatchId,
    { reason, manifest }: Refusal,
  ): Promise<Taken> {
    const { log, signer } = this.#options;
    log.error('regional.batch.parked', { site: this.name, hub, batch: id, reason });
    // What may not be stored is not kept for a person to look at either.
    const bytes = reason === NOT_ACCEPTED ? EMPTY_BYTES : claim.bytes;
    const freed = await claim.park(manifest?.class ?? 0, reason, bytes);
    if (manifest !== undefined) this.#options.audit?.refused(id, manifest, reason);
    const nothing = { ranges: [], ops: 0, root: new Uint8Array(HASH_BYTES), awaits: undefined };
    const receipt: Receipt = {
      hub,
      batch: id,
      outcome: 'refused',
      reason,
      class: manifest?.class ?? 0,
      ...nothing,
      ...nowOf(this.#options),
    };
    return { answer: { kind: 'receipt', bytes: encodeReceipt(receipt, signer) }, freed };
  }

  /** The storage will not have it, whatever the reason: tried a few times, and then put aside like what is refused. */
  async #poisoned(hub: Origin, batch: BatchId, reason: string): Promise<Taken> {
    const tries = (this.#poisonCount.get(batch) ?? 0) + 1;
    if (this.#poisonCount.size >= DAMAGED_REMEMBERED_MAX) this.#poisonCount.clear();
    this.#poisonCount.set(batch, tries);
    this.#options.log.error('regional.batch.rejected', {
      site: this.name,
      hub,
      batch,
      reason,
      tries,
    });
    if (tries < POISON_TRIES) return NOTHING;
    const claim = await this.#storage.claim(hub, batch);
    if (claim === undefined) return NOTHING;
    try {
      const [line = ''] = reason.split('\n');
      return await this.#park(claim, hub, batch, { reason: line.slice(0, 160) });
    } finally {
      await claim.release();
    }
  }

  /** Not what the hub signed: away with it, and from the beginning, a few times. */
  async #damaged(
    claim: Claim,
    hub: Origin,
    batch: BatchId,
    reason: string,
  ): Promise<Answer | undefined> {
    const { log, limits } = this.#options;
    const chunks = await claim.drop();
    const count = (this.#damagedCount.get(batch) ?? 0) + 1;
    if (this.#damagedCount.size >= DAMAGED_REMEMBERED_MAX) this.#damagedCount.clear();
    this.#damagedCount.set(batch, count);
    const fault = { code: 'batch.invalid', hint: FAULTS['batch.invalid'] };
    log.warn('regional.batch.damaged', { site: this.name, hub, batch, reason, count, ...fault });
    if (chunks === 0 || count > limits.damagedMax) return undefined;
    return { kind: 'have', chunks: new ChunkBitmap(chunks) };
  }
}

function isRejected(error: unknown): error is HubError {
  return error instanceof HubError && error.code === 'database.rejected';
}

function keeperOf(options: SiteOptions): SiteKeeper {
  return {
    receiptFor: (id, manifest, facts) => {
      const receipt = receiptFor(options, id, manifest, facts);
      return encodeReceipt(receipt, options.signer);
    },
    // What was taken was accepted then, and what the region says itself is under no law.
    reopen: (hub, id, bytes, publicKey) =>
      open({ ...options, jurisdictions: undefined }, hub, id, bytes, publicKey),
    tell: (manifest, outcome, known) => tellHistory(options, manifest, outcome, known),
  };
}

function open(
  { name: site, verify, compressor, timers, opener, jurisdictions }: SiteOptions,
  hub: Origin,
  id: BatchId,
  bytes: Uint8Array,
  publicKey: Uint8Array,
): Promise<BatchOutcome> {
  const acceptsJurisdiction = (code: string | undefined): boolean =>
    jurisdictions?.includes(code ?? '') ?? true;
  const pause = (): Promise<void> => turn(timers);
  const tools: OpenTools = { verify, compressor, pause, opener, acceptsJurisdiction };
  return openBatch(bytes, { id, site, hub, publicKey }, tools);
}

/** What differs from the history that the hub told before is told to people. */
function tellHistory(
  { name: site, log }: SiteOptions,
  manifest: Manifest,
  outcome: HistoryOutcome,
  known: number,
): void {
  if (outcome === 'agrees' || outcome === 'untold') return;
  const { hub, class: opClass, tree } = manifest;
  const fields = { site, hub, class: CLASS_NAMES[opClass], known, told: tree?.size };
  // Numbers of ops in the history of the class, as proofs name them.
  const missing = { fromOp: known + 1, throughOp: firstLeafOf(manifest) };
  if (outcome === 'gap') log.warn('regional.ledger.gap', { ...fields, ...missing });
  else log.error('regional.ledger.forked', { ...fields, hint: FAULTS['ledger.forked'] });
}

function receiptFor(
  options: SiteOptions,
  id: BatchId,
  manifest: Manifest,
  { history, head, isLoose }: KeptFacts,
): Receipt {
  const { hub, class: opClass, ranges, ops, root, previous } = manifest;
  const awaits = isLoose ? previous : undefined;
  const covered = { class: opClass, ranges, ops, root, awaits };
  const witnessed = history === 'agrees' ? { witnessed: witness(options, manifest, head) } : {};
  const named = { hub, batch: id, outcome: 'stored', reason: undefined } as const;
  return { ...named, ...covered, ...nowOf(options), ...witnessed };
}

/** All that is known of the hub's tree, under this node's signature. */
function witness(
  { clock, signer }: SiteOptions,
  { hub, class: opClass }: Manifest,
  head: TreeHead,
): WitnessedHead {
  const atS = Math.max(0, Math.floor(clock.wallMs() / 1000));
  const cosignature = cosign(checkpointBody(logName(hub, opClass), head), atS, signer);
  return { ...head, cosignature };
}

function nowOf({ clock }: SiteOptions): Pick<Receipt, 'atMs' | 'quality'> {
  return { atMs: Math.max(0, Math.floor(clock.wallMs())), quality: clock.quality() };
}
