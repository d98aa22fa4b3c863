/**
 * One site at the regional node: its hubs' keys, what is on its way, what has come, and the state folded from it.
 *
 * The order that makes a receipt true: the batch is verified, kept in the archive and synced, folded into the store
 * and synced, and only then is its receipt written and sent. A crash in between leaves an archived batch
 * without a receipt, which `open` stores again; every op is known, so nothing counts twice.
 *
 * Batches are taken in the order in which they become complete, also before the one that they name as their
 * predecessor: the state is a fold over a set of ops. A receipt says where the predecessor is not known here; a hub
 * that has it still sends it, and one that was told it was stored knows then that this node has lost it.
 */
import { type Clock, type Timers, turn } from '../base/clock.ts';
import { FAULTS } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { BatchId } from '../batch/batch-id.ts';
import { type Chunk, ChunkBitmap } from '../batch/chunks.ts';
import type { Compressor } from '../batch/compression.ts';
import type { Manifest, Signer } from '../batch/manifest.ts';
import { encodeReceipt, type Hello, type Receipt, type WitnessedHead } from '../batch/messages.ts';
import { type BatchOutcome, type OpenTools, openBatch } from '../batch/open-batch.ts';
import type { Verify } from '../codec/cose.ts';
import { HASH_BYTES } from '../ledger/merkle.ts';
import { checkpointBody, cosign, logName } from '../ledger/note.ts';
import { CLASS_NAMES } from '../model/class.ts';
import type { StampedOp } from '../model/op.ts';
import type { Origin } from '../model/origin.ts';
import type { Files } from '../platform/files.ts';
import { Archive } from './archive.ts';
import { Assembly, type PutOutcome } from './assembly.ts';
import { type HistoryOutcome, HistoryWatch } from './history-watch.ts';
import { HubKeys } from './hub-keys.ts';
import type { RegionalLimits } from './limits.ts';
import type { SiteStore } from './site-store.ts';

export interface SiteOptions {
  readonly name: string;
  readonly files: Files;
  readonly dir: string;
  readonly openStore: (path: string) => SiteStore;
  readonly signer: Signer;
  readonly verify: Verify;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly limits: RegionalLimits;
}

/** What the hub is to be told of a batch. */
export type Answer =
  | { readonly kind: 'receipt'; readonly bytes: Uint8Array }
  | { readonly kind: 'have'; readonly chunks: ChunkBitmap };

const DAMAGED_REMEMBERED_MAX = 256;
/** Ops that are folded before chunks of others get their turn. */
const FOLD_OPS = 256;

export class Site {
  readonly name: string;
  readonly #options: SiteOptions;
  readonly #keys: HubKeys;
  readonly #assembly: Assembly;
  readonly #archive: Archive;
  readonly #store: SiteStore;
  readonly #history: HistoryWatch;
  readonly #nonceByHub = new Map<Origin, string>();
  readonly #damagedCount = new Map<BatchId, number>();

  private constructor(options: SiteOptions) {
    const { name, files, dir, limits } = options;
    this.name = name;
    this.#options = options;
    files.makeDir(dir);
    this.#keys = new HubKeys(files, `${dir}/hubs`, limits.hubsMax);
    this.#assembly = new Assembly(files, `${dir}/incoming`, limits);
    this.#archive = new Archive(files, dir, limits);
    this.#history = new HistoryWatch(files, `${dir}/ledgers`);
    this.#store = options.openStore(`${dir}/state.db`);
  }

  /** Opens the site and stores what was taken and not stored. */
  static async open(options: SiteOptions): Promise<Site> {
    const site = new Site(options);
    await site.#catchUp();
    return site;
  }

  get store(): SiteStore {
    return this.#store;
  }

  hubs(): Origin[] {
    return this.#keys.hubs();
  }

  /** Batches that were stored, from the first one on. */
  get batches(): number {
    return this.#store.checkpointLsn;
  }

  /** Bytes of the batches that are kept. */
  get archiveBytes(): number {
    return this.#archive.bytes;
  }

  isKnown(hub: Origin): boolean {
    return this.#keys.get(hub) !== undefined;
  }

  /** Takes note of a hub that has proved its key. */
  meet(hello: Hello): 'known' | 'new' | 'other' | 'full' {
    return this.#keys.remember(hello.hub, hello.publicKey);
  }

  /** What there is to say of the batches that a hub has under way; parts it has given up are dropped. */
  answersTo(hello: Hello): { batch: BatchId; answer: Answer }[] {
    const nonce = hello.nonce.join();
    const earlier = this.#nonceByHub.get(hello.hub);
    this.#nonceByHub.set(hello.hub, nonce);
    // The first hello we hear may be an old one that the broker kept: only a later one speaks of now.
    if (earlier !== undefined && earlier !== nonce) {
      for (const batch of this.#assembly.batchesOf(hello.hub)) {
        if (!hello.spooled.includes(batch)) this.#assembly.drop(hello.hub, batch);
      }
    }
    const batches = new Set([...hello.spooled, ...this.#assembly.batchesOf(hello.hub)]);
    return [...batches].flatMap((batch) => {
      const answer = this.#answerFor(hello.hub, batch);
      return answer === undefined ? [] : [{ batch, answer }];
    });
  }

  /** Keeps a chunk of a hub that is known. A batch that is stored already is answered at its last chunk. */
  put(hub: Origin, batch: BatchId, chunk: Chunk): PutOutcome | Answer | { readonly kind: 'known' } {
    const receipt = this.#archive.receipt(batch);
    if (receipt !== undefined) {
      const isLast = chunk.index === chunk.total - 1;
      return isLast ? { kind: 'receipt', bytes: receipt } : { kind: 'known' };
    }
    const put = this.#assembly.put(hub, batch, chunk);
    const { log } = this.#options;
    const { evicted, isContradiction } = put;
    if (evicted.length > 0)
      log.warn('regional.parts.evicted', { site: this.name, hub, batches: evicted });
    if (isContradiction) log.info('regional.parts.cut-anew', { site: this.name, hub, batch });
    return put;
  }

  /** Batches that are all here and not taken yet: after a restart, or after a disk that was full. */
  complete(): { hub: Origin; batch: BatchId }[] {
    return this.#assembly.complete();
  }

  /** Verifies, keeps and stores a complete batch; undefined where there is nothing to say. */
  async take(hub: Origin, batch: BatchId): Promise<Answer | undefined> {
    const bytes = this.#assembly.read(hub, batch);
    const publicKey = this.#keys.get(hub);
    if (bytes === undefined || publicKey === undefined) return undefined;
    const expected = { id: batch, site: this.name, hub, publicKey };
    const outcome = await openBatch(bytes, expected, this.#openTools());
    if (outcome.kind === 'damaged') return this.#damaged(hub, batch, outcome.reason);
    const answer =
      outcome.kind === 'batch'
        ? await this.#keep(hub, batch, bytes, outcome)
        : this.#park(hub, batch, bytes, outcome);
    this.#assembly.drop(hub, batch);
    return answer;
  }

  close(): void {
    this.#store.close();
  }

  #answerFor(hub: Origin, batch: BatchId): Answer | undefined {
    const bytes = this.#archive.receipt(batch);
    if (bytes !== undefined) return { kind: 'receipt', bytes };
    const chunks = this.#assembly.have(hub, batch);
    return chunks === undefined ? undefined : { kind: 'have', chunks };
  }

  async #keep(
    hub: Origin,
    id: BatchId,
    bytes: Uint8Array,
    { manifest, entries }: Extract<BatchOutcome, { kind: 'batch' }>,
  ): Promise<Answer> {
    const history = await this.#compare(manifest, entries);
    if (history === 'forked') {
      return this.#park(hub, id, bytes, { kind: 'refused', reason: 'forked history', manifest });
    }
    const kept = this.#archive.add(hub, manifest.class, id, bytes);
    await this.#fold(kept.number, entries);
    if (history === 'agrees') await this.#history.save(hub);
    return this.#confirm(id, manifest, history);
  }

  /** A hub's history against what it told before; what differs is told, and nothing of it is taken in. */
  async #compare(manifest: Manifest, entries: readonly StampedOp[]): Promise<HistoryOutcome> {
    const { log, timers } = this.#options;
    const { hub, class: opClass, tree } = manifest;
    const outcome = await this.#history.take(manifest, entries, () => turn(timers));
    if (outcome === 'agrees' || outcome === 'untold') return outcome;
    if (outcome === 'forked') this.#history.forget(hub);
    const known = this.#history.head(hub, opClass).size;
    const fields = { site: this.name, hub, class: CLASS_NAMES[opClass], known, told: tree?.size };
    if (outcome === 'gap') log.warn('regional.ledger.gap', fields);
    else log.error('regional.ledger.forked', { ...fields, hint: FAULTS['ledger.forked'] });
    return outcome;
  }

  /** In slices; the last one moves the checkpoint, so that a crash in between has the batch folded again. */
  async #fold(number: number, entries: readonly StampedOp[]): Promise<void> {
    for (let from = 0; from < entries.length; from += FOLD_OPS) {
      const slice = entries.slice(from, from + FOLD_OPS);
      const isLast = from + FOLD_OPS >= entries.length;
      const checkpointLsn = Math.max(isLast ? number : 0, this.#store.checkpointLsn);
      const stamped = slice.map((entry) => ({ lsn: number, stamped: entry }));
      this.#store.apply(stamped, checkpointLsn);
      if (!isLast) await turn(this.#options.timers);
    }
  }

  #openTools(): OpenTools {
    const { verify, compressor, timers } = this.#options;
    return { verify, compressor, pause: () => turn(timers) };
  }

  #confirm(id: BatchId, manifest: Manifest, history: HistoryOutcome): Answer {
    const { log, signer } = this.#options;
    const witnessed = history === 'agrees' ? { witnessed: this.#witness(manifest) } : {};
    const receipt = encodeReceipt({ ...this.#receiptFor(id, manifest), ...witnessed }, signer);
    const gone = this.#archive.confirm(id, receipt);
    if (gone.length > 0)
      log.info('regional.archive.pruned', { site: this.name, batches: gone.length });
    const { hub, ops, payloadBytes } = manifest;
    const opClass = CLASS_NAMES[manifest.class];
    log.info('regional.batch.stored', {
      site: this.name,
      hub,
      batch: id,
      class: opClass,
      ops,
      payloadBytes,
    });
    return { kind: 'receipt', bytes: receipt };
  }

  /** The hub signed it and it cannot be taken: it is put aside, and blocks nothing. */
  #park(
    hub: Origin,
    id: BatchId,
    bytes: Uint8Array,
    { reason, manifest }: Extract<BatchOutcome, { kind: 'refused' }>,
  ): Answer {
    const { log, signer } = this.#options;
    log.error('regional.batch.parked', { site: this.name, hub, batch: id, reason });
    this.#archive.park(hub, manifest?.class ?? 0, id, bytes, reason);
    const nothing = { ranges: [], ops: 0, root: new Uint8Array(HASH_BYTES), awaits: undefined };
    const receipt: Receipt = {
      hub,
      batch: id,
      outcome: 'refused',
      reason,
      class: manifest?.class ?? 0,
      ...nothing,
      ...this.#now(),
    };
    return { kind: 'receipt', bytes: encodeReceipt(receipt, signer) };
  }

  /** Not what the hub signed: away with it, and from the beginning, a few times. */
  #damaged(hub: Origin, batch: BatchId, reason: string): Answer | undefined {
    const { log, limits } = this.#options;
    const chunks = this.#assembly.have(hub, batch);
    this.#assembly.drop(hub, batch);
    const count = (this.#damagedCount.get(batch) ?? 0) + 1;
    if (this.#damagedCount.size >= DAMAGED_REMEMBERED_MAX) this.#damagedCount.clear();
    this.#damagedCount.set(batch, count);
    const fault = { code: 'batch.invalid', hint: FAULTS['batch.invalid'] };
    log.warn('regional.batch.damaged', { site: this.name, hub, batch, reason, count, ...fault });
    if (chunks === undefined || count > limits.damagedMax) return undefined;
    return { kind: 'have', chunks: new ChunkBitmap(chunks.total) };
  }

  #receiptFor(id: BatchId, manifest: Manifest): Receipt {
    const { hub, class: opClass, ranges, ops, root, previous } = manifest;
    const isLoose = previous !== undefined && !this.#archive.knows(previous);
    const awaits = isLoose ? previous : undefined;
    const covered = { class: opClass, ranges, ops, root, awaits };
    return { hub, batch: id, outcome: 'stored', reason: undefined, ...covered, ...this.#now() };
  }

  /** All that is known of the hub's tree, under this node's signature. */
  #witness({ hub, class: opClass }: Manifest): WitnessedHead {
    const { clock, signer } = this.#options;
    const head = this.#history.head(hub, opClass);
    const atS = Math.max(0, Math.floor(clock.wallMs() / 1000));
    const cosignature = cosign(checkpointBody(logName(hub, opClass), head), atS, signer);
    return { ...head, cosignature };
  }

  #now(): Pick<Receipt, 'atMs' | 'quality'> {
    const { clock } = this.#options;
    return { atMs: Math.max(0, Math.floor(clock.wallMs())), quality: clock.quality() };
  }

  /** Stores again what the archive has beyond the store, and gives the receipts that are missing. */
  async #catchUp(): Promise<void> {
    const { log } = this.#options;
    const first = this.#archive.firstNumber;
    if (first !== undefined && this.#store.checkpointLsn < first - 1 && first > 1) {
      log.error('regional.store.incomplete', { site: this.name, firstBatch: first });
    }
    for (const { number, id, hub } of this.#archive.list()) {
      const isStored = number <= this.#store.checkpointLsn;
      if (isStored && this.#archive.receipt(id) !== undefined) continue;
      const bytes = this.#archive.read(id);
      const publicKey = this.#keys.get(hub);
      if (bytes === undefined || publicKey === undefined) continue;
      const expected = { id, site: this.name, hub, publicKey };
      const outcome = await openBatch(bytes, expected, this.#openTools());
      if (outcome.kind !== 'batch') {
        log.error('regional.archive.damaged', {
          site: this.name,
          batch: id,
          reason: outcome.reason,
        });
        this.#archive.discard(id);
        continue;
      }
      const history = await this.#compare(outcome.manifest, outcome.entries);
      if (!isStored) await this.#fold(number, outcome.entries);
      if (history === 'agrees') await this.#history.save(hub);
      if (this.#archive.receipt(id) === undefined) this.#confirm(id, outcome.manifest, history);
    }
  }
}
