/**
 * A site of one process: a folder with files of its hubs' keys, chunks, batches and ledgers, and the state folded
 * from them in SQLite.
 *
 * The order that makes a receipt true: the batch is kept in the archive and synced, folded into the store
 * and synced, and only then is its receipt written. A crash in between leaves an archived batch without a receipt,
 * which `open` stores again; every op is known, so nothing counts twice.
 *
 * Batches are taken in the order in which they become complete, also before the one that they name as their
 * predecessor: the state is a fold over a set of ops.
 */
import { utf8 } from '../../base/bytes.ts';
import { type Clock, type Timers, turn } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { OneAtATime } from '../../base/queue.ts';
import { inSlices, pauseEvery } from '../../base/steps.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import type { Chunk, ChunkBitmap } from '../../batch/wire/chunks.ts';
import type { Manifest } from '../../batch/manifest.ts';
import type { BatchRef, NamedBatch } from '../../batch/wire/short-chunk.ts';
import type { Hello } from '../../batch/wire/messages.ts';
import type { StampedOp } from '../../model/op.ts';
import { laneOf, type Origin, splitLane } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import { type Files, textIn } from '../../platform/files/files.ts';
import type { ReadingsPage, ReadingsQuery } from '../../store/readings/readings.ts';
import { Archive, type ArchivedBatch } from './archive.ts';
import { Assembly } from './assembly.ts';
import { DayQuota } from '../pressure/day-quota.ts';
import { DownIndex } from './down-index.ts';
import type { Authoring, DownSource } from '../downlink/down-source.ts';
import { MemoryReceivers } from '../downlink/receivers.ts';
import { archiveShelf } from './archive-shelf.ts';
import { Healer, type HealSource } from '../healing/healer.ts';
import { type HistoryOutcome, HistoryWatch } from '../history/history-watch.ts';
import { HubKeys } from './hub-keys.ts';
import { DEFAULT_REGIONAL_LIMITS, type RegionalLimits } from '../limits.ts';
import { RetentionClock } from '../history/retention-clock.ts';
import type {
  Claim,
  HubContact,
  KeepOutcome,
  KeptFacts,
  Met,
  OpenedBatch,
  PutOutcome,
  SiteFigures,
  SiteKeeper,
  SiteStorage,
  Spent,
} from '../site-storage.ts';
import type { SiteDigest, SiteStore } from './site-store.ts';

export interface EmbeddedOptions {
  readonly files: Files;
  /** Sites lie below `sites/`. */
  readonly dir: string;
  readonly openStore: (path: string) => SiteStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly limits?: Partial<RegionalLimits>;
  /** Id of the node itself, which is no hub of its sites. */
  readonly self?: Origin | undefined;
}

/** Ops that are folded before chunks of others get their turn. */
const FOLD_OPS = 256;
/** The digest of a large site takes seconds: after so long others get their turn. */
const SLICE_MS = 4;
/** Chunks of old readings that may go meanwhile: as many as can come with these ops. */
const PRUNE_CHUNKS = FOLD_OPS;

interface Contact {
  readonly nonce: string | undefined;
  readonly software: string | undefined;
  readonly heardMs: number | undefined;
  readonly hindrance?: string | undefined;
}

export class EmbeddedSite implements SiteStorage {
  readonly #name: string;
  readonly #options: EmbeddedOptions;
  readonly #retention: RetentionClock;
  readonly #keeper: SiteKeeper;
  readonly #limits: RegionalLimits;
  readonly #quota: DayQuota;
  readonly #keys: HubKeys;
  readonly #assembly: Assembly;
  readonly #archive: Archive;
  readonly #history: HistoryWatch;
  readonly #store: SiteStore;
  readonly #contacts = new Map<Origin, Contact>();
  readonly down: DownSource;
  /** Ops of the region's own. */
  readonly #authoring = new OneAtATime();
  /** Batches into the store, and what reads all of it: each takes many turns. */
  readonly #folding = new OneAtATime();
  readonly heal: HealSource;

  private constructor(
    name: string,
    options: EmbeddedOptions,
    retention: RetentionClock,
    keeper: SiteKeeper,
  ) {
    const { files } = options;
    const limits = { ...DEFAULT_REGIONAL_LIMITS, ...options.limits };
    const dir = `${options.dir}/sites/${name}`;
    this.#name = name;
    this.#options = options;
    this.#retention = retention;
    this.#keeper = keeper;
    this.#limits = limits;
    this.#quota = new DayQuota(options.clock);
    files.makeDir(dir);
    this.#keys = new HubKeys(files, `${dir}/hubs`, limits.hubsMax);
    this.#assembly = new Assembly(files, `${dir}/incoming`, limits);
    this.#archive = new Archive(files, dir, limits);
    this.#history = new HistoryWatch(files, `${dir}/ledgers`);
    this.#store = options.openStore(`${dir}/state.db`);
    this.down = this.#downSource(`${dir}/incarnation`);
    const shelf = archiveShelf(this.#archive, (batch) => this.#reopened(batch));
    this.heal = new Healer(shelf, () => turn(options.timers));
  }

  /** Opens the site and stores what was taken and not stored. */
  static async open(
    name: string,
    options: EmbeddedOptions,
    retention: RetentionClock,
    keeper: SiteKeeper,
  ): Promise<EmbeddedSite> {
    const site = new EmbeddedSite(name, options, retention, keeper);
    try {
      await site.#catchUp();
    } catch (error) {
      await site.close();
      throw error;
    }
    return site;
  }

  async hubs(): Promise<HubContact[]> {
    const hubs = this.#keys.hubs().filter((hub) => hub !== this.#options.self);
    const contacts = hubs.map(async (hub) => {
      const { software, heardMs, hindrance } = this.#contacts.get(hub) ?? {};
      const refusal = (await this.down.receivers.get(hub))?.refused?.reason;
      return { hub, software, heardMs, hindrance, refusal, parked: this.#archive.reasonsOf(hub) };
    });
    return Promise.all(contacts);
  }

  async meet(hub: Origin, publicKey: Uint8Array): Promise<Met> {
    const met = this.#keys.remember(hub, publicKey);
    if (met === 'new') await this.#foldUnread(hub);
    return met;
  }

  async heard({ hub, nonce, spooled, software }: Hello, hindrance?: string): Promise<BatchId[]> {
    const earlier = this.#contacts.get(hub);
    // The first hello we hear may be an old one that the broker kept: only a later one speaks of now.
    const isNew = earlier?.nonce !== undefined && earlier.nonce !== nonce.join();
    const heardMs = isNew ? this.#options.clock.wallMs() : earlier?.heardMs;
    this.#contacts.set(hub, { nonce: nonce.join(), software, heardMs, hindrance });
    if (isNew) {
      for (const batch of this.#assembly.batchesOf(hub)) {
        if (!spooled.includes(batch)) this.#assembly.drop(hub, batch);
      }
    }
    return this.#assembly.batchesOf(hub);
  }

  async put(hub: Origin, batch: BatchId, chunk: Chunk): Promise<PutOutcome> {
    if (this.#keys.get(hub) === undefined) return { kind: 'stranger' };
    const { hubMibPerDay, siteMibPerDay } = this.#limits;
    const bytes = chunk.data.length;
    if (!this.#quota.admits(hub, bytes, hubMibPerDay, siteMibPerDay)) return { kind: 'over-quota' };
    const contact = this.#contacts.get(hub) ?? { nonce: undefined, software: undefined };
    this.#contacts.set(hub, { ...contact, heardMs: this.#options.clock.wallMs() });
    const receipt = this.#archive.receipt(batch);
    if (receipt !== undefined) return { kind: 'stored', receipt };
    return this.#assembly.put(hub, batch, chunk);
  }

  async named(hub: Origin, ref: BatchRef): Promise<NamedBatch | undefined> {
    return this.#assembly.named(hub, ref) ?? this.#archive.named(hub, ref);
  }

  async spent(hub: Origin): Promise<Spent> {
    const { hubMibPerDay, siteMibPerDay } = this.#limits;
    return this.#quota.spent(hub, hubMibPerDay, siteMibPerDay);
  }

  async have(hub: Origin, batch: BatchId): Promise<ChunkBitmap | undefined> {
    return this.#assembly.have(hub, batch);
  }

  async receipt(_hub: Origin, batch: BatchId): Promise<Uint8Array | undefined> {
    return this.#archive.receipt(batch);
  }

  async complete(): Promise<{ hub: Origin; batch: BatchId }[]> {
    return this.#assembly.complete();
  }

  async claim(hub: Origin, id: BatchId): Promise<Claim | undefined> {
    const bytes = this.#assembly.read(hub, id);
    const publicKey = this.#keys.get(hub);
    if (bytes === undefined || publicKey === undefined) return undefined;
    return {
      bytes,
      publicKey,
      keep: (opened) => this.#keep(hub, id, bytes, opened),
      park: async (opClass, reason, kept) => {
        this.#archive.park(hub, opClass, id, kept, reason);
        this.#assembly.drop(hub, id);
        return [];
      },
      drop: async () => {
        const chunks = this.#assembly.have(hub, id)?.total ?? 0;
        this.#assembly.drop(hub, id);
        return chunks;
      },
      release: () => Promise.resolve(),
    };
  }

  async keyOf(hub: Origin): Promise<Uint8Array | undefined> {
    return this.#keys.get(hub);
  }

  async batches(): Promise<number> {
    return this.#store.checkpointLsn;
  }

  async figures(): Promise<SiteFigures> {
    const batches = this.#store.checkpointLsn;
    const complete = this.#assembly.complete().length;
    return { batches, underway: this.#assembly.count, complete, parked: this.#archive.parked };
  }

  async digest(): Promise<SiteDigest> {
    const pause = pauseEvery(SLICE_MS, this.#options);
    return this.#folding.do(() => inSlices(this.#store.digestInSteps(), pause));
  }

  async readings(query: ReadingsQuery): Promise<ReadingsPage> {
    return this.#store.readings(query);
  }

  async close(): Promise<void> {
    await this.#folding.do(async () => this.#store.close());
  }

  #downSource(incarnationPath: string): DownSource {
    const { files } = this.#options;
    const index = new DownIndex(this.#archive);
    return {
      waiting: async (query) => index.count(query),
      next: (query) => index.next(query, (batch) => this.#reopened(batch)),
      known: async (origin) => lanesOf(origin, this.#store.vector()),
      incarnation: async () => Number(textIn(files, incarnationPath)),
      beginIncarnation: async (number) => files.replace(incarnationPath, utf8(`${number}\n`)),
      author: (authoring) => this.#authoring.do(() => this.#author(authoring)),
      receivers: new MemoryReceivers(),
    };
  }

  async #author({ class: opClass, originOf, make }: Authoring): Promise<void> {
    const origin = originOf(await this.down.incarnation());
    const seq = seqIn(this.#store.vector(), laneOf(origin, opClass)) + 1;
    const { region, publicKey, sealed, entries } = await make({ origin, seq, newest: undefined });
    const { id, manifest, bytes } = sealed;
    this.#keys.remember(region, publicKey);
    await this.#fold(this.#archive.add(region, manifest.class, id, bytes).number, entries);
    this.#confirm(id, manifest, 'untold');
  }

  async #reopened({ id, hub }: Pick<ArchivedBatch, 'id' | 'hub'>): Promise<readonly StampedOp[]> {
    const bytes = this.#archive.read(id);
    const publicKey = this.#keys.get(hub);
    if (bytes === undefined || publicKey === undefined) return [];
    const outcome = await this.#keeper.reopen(hub, id, bytes, publicKey);
    return outcome.kind === 'batch' ? outcome.entries : [];
  }

  async #keep(
    hub: Origin,
    id: BatchId,
    bytes: Uint8Array,
    opened: OpenedBatch,
  ): Promise<KeepOutcome> {
    const { manifest, entries } = opened;
    const opClass = manifest.class;
    const history = await this.#compare(opened);
    if (history === 'forked') {
      return { kind: 'forked', known: this.#history.head(hub, opClass).size };
    }
    const { number } = this.#archive.add(hub, opClass, id, bytes);
    this.#retention.note(manifest);
    await this.#fold(number, entries);
    if (history === 'agrees') await this.#history.save(hub);
    const done = this.#confirm(id, manifest, history);
    this.#assembly.drop(hub, id);
    return { kind: 'kept', ...done, freed: [] };
  }

  /** A hub's history against what it told before; nothing of one that differs is taken in. */
  async #compare({ manifest, leaves }: OpenedBatch): Promise<HistoryOutcome> {
    const { timers } = this.#options;
    const outcome = await this.#history.take(manifest, leaves, () => turn(timers));
    if (outcome === 'forked') this.#history.forget(manifest.hub);
    return outcome;
  }

  /** In slices; the last one moves the checkpoint, so that a crash in between has the batch folded again. */
  #fold(number: number, entries: readonly StampedOp[]): Promise<void> {
    return this.#folding.do(async () => {
      for (let from = 0; from < entries.length; from += FOLD_OPS) {
        const slice = entries.slice(from, from + FOLD_OPS);
        const isLast = from + FOLD_OPS >= entries.length;
        const checkpointLsn = Math.max(isLast ? number : 0, this.#store.checkpointLsn);
        const nowMs = this.#retention.nowMs();
        if (nowMs !== undefined) this.#store.prune(nowMs, PRUNE_CHUNKS);
        const ofBatch = slice.map((stamped) => ({ lsn: number, stamped }));
        this.#store.apply(ofBatch, checkpointLsn);
        if (!isLast) await turn(this.#options.timers);
      }
    });
  }

  #confirm(
    id: BatchId,
    manifest: Manifest,
    history: HistoryOutcome,
  ): { receipt: Uint8Array; facts: KeptFacts; pruned: number } {
    const { hub, class: opClass, previous } = manifest;
    const isLoose = previous !== undefined && !this.#archive.knows(previous);
    const facts = { history, head: this.#history.head(hub, opClass), isLoose };
    const receipt = this.#keeper.receiptFor(id, manifest, facts);
    return { receipt, facts, pruned: this.#archive.confirm(id, receipt).length };
  }

  /**
   * Stores again what the archive has beyond the store, and what has no receipt: the store was full when it came, or a crash came
   * between the two, and others came later. Then gives the receipts that are missing.
   */
  async #catchUp(): Promise<void> {
    const { log } = this.#options;
    const site = this.#name;
    const first = this.#archive.firstNumber;
    if (first !== undefined && this.#store.checkpointLsn < first - 1 && first > 1) {
      log.error('regional.store.incomplete', { site, firstBatch: first });
    }
    for (const batch of this.#archive.list()) {
      const isConfirmed = this.#archive.receipt(batch.id) !== undefined;
      if (isConfirmed && batch.number <= this.#store.checkpointLsn) continue;
      await this.#foldAgain(batch, isConfirmed);
    }
  }

  /** What the archive has of a hub whose key was not to be read while others were folded; of one that is new indeed, nothing. */
  async #foldUnread(met: Origin): Promise<void> {
    for (const batch of this.#archive.list().filter(({ hub }) => hub === met)) {
      await this.#foldAgain(batch, this.#archive.receipt(batch.id) !== undefined);
    }
  }

  async #foldAgain({ number, id, hub }: ArchivedBatch, isConfirmed: boolean): Promise<void> {
    const bytes = this.#archive.read(id);
    if (bytes === undefined) return;
    const [{ log }, told] = [this.#options, { site: this.#name, batch: id }];
    const publicKey = this.#keys.get(hub);
    if (publicKey === undefined) {
      const reason = `the key of hub ${hub} cannot be read`;
      const means = 'it is kept, and folded once the hub has greeted this node';
      return log.error('regional.archive.unopened', { ...told, reason, means });
    }
    const outcome = await this.#keeper.reopen(hub, id, bytes, publicKey);
    if (outcome.kind === 'refused') {
      const means = 'it is kept; with its key, remove state.db of the site and start again';
      return log.error('regional.archive.unopened', { ...told, reason: outcome.reason, means });
    }
    if (outcome.kind === 'damaged') {
      log.error('regional.archive.damaged', { ...told, reason: outcome.reason });
      return this.#archive.discard(id);
    }
    const history = await this.#compare(outcome);
    const { manifest, entries } = outcome;
    this.#keeper.tell(manifest, history, this.#history.head(hub, manifest.class).size);
    await this.#fold(number, entries);
    if (history === 'agrees') await this.#history.save(hub);
    if (!isConfirmed) this.#confirm(id, manifest, history);
  }
}

function lanesOf(origin: Origin, vector: VersionVector): VersionVector {
  return new Map([...vector].filter(([lane]) => splitLane(lane).origin === origin));
}
