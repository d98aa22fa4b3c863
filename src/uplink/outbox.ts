/**
 * Everything between the journal and the wire: what is not sealed yet, what is sealed and waits, what is receipted.
 * The rules that keep promise 3 are here.
 *
 * - The batches of a class cover its ops without gap or overlap, in the order of the journal; each names the one
 *   before it.
 * - A class stands at the last LSN up to which all its batches are receipted. Only `receipted` moves it.
 * - After a restart, batches in the spool that join on to that line go on where they were; others are dropped and
 *   their ops sealed anew, which the regional node recognises op by op.
 */
import { assert } from '../base/assert.ts';
import type { Clock, Timers } from '../base/clock.ts';
import { HubError, messageOf, systemCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { BatchId } from '../batch/batch-id.ts';
import type { ChunkBitmap } from '../batch/wire/chunks.ts';
import type { Compression, Compressor } from '../batch/compression.ts';
import type { SealLimits } from '../batch/limits.ts';
import type { Signer, TreeHead } from '../batch/manifest.ts';
import type { Encoding } from '../batch/payload.ts';
import type { PayloadSealer } from '../batch/payload-seal.ts';
import { sealPacked } from '../batch/seal-batch.ts';
import { originOfPublicKey } from '../hashes.ts';
import { CLASSES, LOG, type OpClass, perClass } from '../model/class.ts';
import { OpEntryReader } from '../model/entry.ts';
import type { Files } from '../platform/files/files.ts';
import { Bell } from './waiting/bell.ts';
import { Breather } from './waiting/breather.ts';
import { type ClassState, joinedOn, joinUp } from './waiting/class-chain.ts';
import { gather } from './packing/gather.ts';
import { InPlacePacker } from './packing/in-place.ts';
import type { Packer, Packing } from './packing/packer.ts';
import { type GatheredAndPacked, Packers } from './packing/packers.ts';
import type { Backlog, BatchAudit, HistoryLog, JournalReader, Lsn } from './ports.ts';
import {
  BEYOND_MAX,
  CLASS_START,
  isReceipted,
  openProgress,
  type Progress,
  writeProgress,
} from './progress.ts';
import { isNameOfReceipted, isSealedAsNow, Spool, type SpooledBatch } from './spool.ts';
import { giveUp, type GivenUp } from './waiting/given-up.ts';
import { LackingLeaves } from './waiting/lacking-leaves.ts';
import { UnsealedCount } from './waiting/unsealed-count.ts';
import { WaitingAges } from './waiting/waiting-age.ts';

export interface OutboxOptions {
  readonly journal: JournalReader;
  readonly files: Files;
  /** Folder of the spool and of the progress file. */
  readonly dir: string;
  readonly site: string;
  readonly signer: Signer;
  readonly sealer?: PayloadSealer | undefined;
  readonly jurisdiction?: string | undefined;
  readonly history?: HistoryLog | undefined;
  readonly audit?: BatchAudit | undefined;
  readonly compressor: Compressor;
  /** Packs large batches; undefined: nobody but the event loop does. */
  readonly packer?: Packer | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly sealLimits: SealLimits;
  /** Sealed batches wait on disk up to this; then nothing more is sealed until receipts come. */
  readonly spoolBytesMax: number;
}

/** What the other side reads. */
export interface BatchReader {
  readonly encoding: Encoding;
  readonly compression: Compression;
  /** Of the hub's history: nothing, its trees, or also leaves of them that it lacks. */
  readonly history: 'none' | 'trees' | 'leaves';
}

/** Rows without compression, and nothing of trees: what every receiver reads. */
const ANY_READER: BatchReader = { encoding: 'rows', compression: 'none', history: 'none' };

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #spool: Spool;
  readonly #classes: Record<OpClass, ClassState>;
  readonly #refused = new Set<BatchId>();
  readonly #freed = new Bell();
  readonly #ages = new WaitingAges();
  readonly #breather: Breather;
  readonly #packers: Packers;
  #fault: HubError | undefined;
  /** What no batch holds yet. */
  readonly unsealed: UnsealedCount;
  /** Of the hub's trees. */
  readonly lacking: LackingLeaves;

  private constructor(options: OutboxOptions, spool: Spool, progress: Progress) {
    this.#options = options;
    this.#spool = spool;
    this.#breather = new Breather(options);
    this.lacking = new LackingLeaves(options.history);
    const inPlace = new InPlacePacker(options.compressor, () => this.#breather.step());
    this.#packers = new Packers({ inPlace, apart: options.packer, log: options.log });
    this.#classes = perClass((opClass) => joinUp(progress[opClass], spool, opClass));
    const loose = spool
      .list()
      .filter(({ manifest }) => manifest.throughLsn > this.#classes[manifest.class].sealedLsn);
    for (const { id } of loose) spool.remove(id);
    if (loose.length > 0) options.log.warn('uplink.spool.loose', { batches: loose.length });
    this.unsealed = new UnsealedCount(options.journal, this.#sealedLsns());
  }

  static open(options: OutboxOptions): Outbox {
    const { files, dir, log, journal } = options;
    const { spool, dropped } = Spool.open(files, `${dir}/spool`);
    const hub = originOfPublicKey(options.signer.publicKey);
    const { lastLsn } = journal;
    const { progress, isForeign } = openProgress({ files, path: `${dir}/progress`, lastLsn, log });
    // A power cut brings back names that were removed, and not always what they stood for.
    const damaged = dropped.filter((name) => !isNameOfReceipted(name, progress));
    if (damaged.length > 0) log.warn('uplink.spool.damaged', { files: damaged.slice(0, 10) });
    for (const { id, manifest } of spool.list()) {
      const isOurs = !isForeign && manifest.hub === hub && manifest.site === options.site;
      const isOver = isReceipted(progress[manifest.class], manifest.fromLsn);
      if (!isOurs || isOver || !isSealedAsNow(manifest, options)) spool.remove(id);
    }
    if (isForeign) {
      // Once this journal has come as far, the file would pass for its own.
      files.remove(`${dir}/progress`);
      files.syncDir(dir);
    }
    return new Outbox(options, spool, progress);
  }

  /** While the newest batch could not be written. */
  get fault(): HubError | undefined {
    return this.#fault;
  }

  /** Ends what is being packed, and notes how far everything has its receipt; what is in the spool stays. */
  close(): void {
    this.#packers.close();
    try {
      this.#saveProgress();
    } catch (error) {
      // The next start counts again.
      if (systemCode(error) === undefined) throw error;
    }
  }

  /** Batches in the spool that may be sent, by class, then in order; refused ones wait. */
  sendable(): SpooledBatch[] {
    return this.#spool.list().filter(({ id }) => !this.#refused.has(id));
  }

  get(id: BatchId): SpooledBatch | undefined {
    return this.#spool.get(id);
  }

  /** The batch of which these chunks have arrived; where it is worth it, in their layout (spool.ts). */
  goOn(id: BatchId, chunks: ChunkBitmap, isWorthIt: boolean): SpooledBatch | undefined {
    return this.#spool.goOn(id, chunks, isWorthIt);
  }

  /** Cuts all other batches in chunks of so many bytes at most. */
  cutInto(chunkBytesMax: number): void {
    this.#spool.cutInto(chunkBytesMax);
  }

  chunk(id: BatchId, index: number, isShort: boolean): Uint8Array {
    return this.#spool.chunk(id, index, isShort);
  }

  /** Classes with ops that no batch holds, where there is room for one. */
  sealableClasses(): OpClass[] {
    if (this.#spool.bytes >= this.#options.spoolBytesMax) return [];
    return CLASSES.filter(
      (opClass) =>
        this.unsealed.of(opClass).ops > 0 &&
        !this.#classes[opClass].isSealing &&
        this.#classes[opClass].progress.beyond.length < BEYOND_MAX,
    );
  }

  unsealedOps(opClass: OpClass): number {
    return this.unsealed.of(opClass).ops;
  }

  /** What has no receipt yet. */
  backlog(): Backlog {
    const { clock } = this.#options;
    const nowMs = clock.wallMs();
    const spooled = this.#spool.list();
    return perClass((opClass) => {
      const unsealed = this.unsealed.of(opClass);
      const waiting = spooled.filter(({ manifest }) => manifest.class === opClass);
      const oldest = waiting.map(({ manifest }) => manifest.oldestMs);
      if (unsealed.ops > 0) oldest.push(unsealed.oldestStampMs);
      const head =
        waiting[0]?.manifest.fromLsn ?? (unsealed.ops > 0 ? unsealed.firstLsn : undefined);
      const wallAgeMs = nowMs - Math.min(...oldest);
      return {
        ops: waiting.reduce((ops, { manifest }) => ops + manifest.ops, unsealed.ops),
        bytes: waiting.reduce((bytes, { manifest }) => bytes + manifest.rawBytes, unsealed.bytes),
        oldestMs: this.#ages.of(opClass, head, wallAgeMs, clock.monotonicMs()),
      };
    });
  }

  /** Every op at or below has its receipt. */
  get receiptedLsn(): Lsn {
    return Math.min(this.dataReceiptedLsn, this.#receiptedLsnOf(LOG));
  }

  /** The same without class log, which waits for company and may be far behind. */
  get dataReceiptedLsn(): Lsn {
    return this.receiptedLsnBut([LOG]);
  }

  /** The same, but for ops of some classes. */
  receiptedLsnBut(classes: readonly OpClass[]): Lsn {
    const others = CLASSES.filter((opClass) => !classes.includes(opClass));
    return Math.min(...others.map((opClass) => this.#receiptedLsnOf(opClass)));
  }

  /** Gives up what waits of some classes, while `release` lets the journal go of it; see waiting/given-up.ts. */
  giveUp(
    classes: readonly OpClass[],
    throughLsn: Lsn,
    release: () => boolean,
  ): Promise<GivenUp | undefined> {
    return giveUp(classes, throughLsn, release, {
      journal: this.#options.journal,
      unsealed: this.unsealed,
      states: this.#classes,
      lacking: this.lacking,
      breather: this.#breather,
    }).finally(() => this.#freed.ring());
  }

  /**
   * Seals the next batch of a class into the spool, in a way that the other side reads.
   * Undefined where nothing waits, or the class began a new chain. Rejects with what the disk throws.
   */
  async seal(
    opClass: OpClass,
    reader: BatchReader = ANY_READER,
  ): Promise<SpooledBatch | undefined> {
    const state = this.#classes[opClass];
    assert(!state.isSealing, 'one batch of a class is sealed at a time');
    state.isSealing = true;
    this.unsealed.hold();
    try {
      const sealed = await this.#sealNext(opClass, state, reader);
      this.#fault = undefined;
      return sealed;
    } catch (error) {
      if (systemCode(error) !== undefined)
        this.#fault = new HubError('uplink.failed', messageOf(error), error);
      throw error;
    } finally {
      state.isSealing = false;
      this.unsealed.goOn();
      this.#freed.ring();
    }
  }

  /** While the class is being sealed, or given up: resolves when some class is not any more. */
  busy(opClass: OpClass): Promise<void> | undefined {
    return this.#classes[opClass].isSealing ? this.#freed.rings() : undefined;
  }

  async #sealNext(
    opClass: OpClass,
    state: ClassState,
    reader: BatchReader,
  ): Promise<SpooledBatch | undefined> {
    const { chain } = state;
    const found = await this.#pack(opClass, reader);
    if (found === undefined || state.chain !== chain) return undefined;
    const { gathered, packed } = found;
    const { throughLsn } = gathered;
    const isWhole = reader.history !== 'none' && packed.ops === gathered.ops;
    const tree = isWhole ? await this.#headBehind(opClass, throughLsn) : undefined;
    const tells = tree !== undefined && reader.history === 'leaves';
    const skipped = tells ? this.lacking.next(opClass, tree.size - packed.ops) : undefined;
    const { clock, signer, site, sealer, jurisdiction } = this.#options;
    const context = {
      site,
      previous: state.lastSealedId,
      fromLsn: state.sealedLsn + 1,
      throughLsn,
      createdMs: Math.max(0, Math.floor(clock.wallMs())),
      quality: clock.quality(),
      ...(tree === undefined ? {} : { tree }),
      ...(skipped === undefined ? {} : { skipped }),
      ...(jurisdiction === undefined ? {} : { jurisdiction }),
    };
    const tools = { signer, sealer, pause: () => this.#breather.step() };
    const sealed = await sealPacked(packed, context, tools);
    if (state.chain !== chain) return undefined;
    const batch = this.#spool.add(sealed);
    this.#options.audit?.batched({ ...batch.manifest, id: batch.id });
    state.sealedLsn = throughLsn;
    state.lastSealedId = batch.id;
    this.unsealed.sealed(opClass, gathered, gathered.next);
    return batch;
  }

  /** The ops of the next batch; undefined where nothing waits, or all ends. */
  async #pack(
    opClass: OpClass,
    { encoding, compression }: BatchReader,
  ): Promise<GatheredAndPacked | undefined> {
    const { journal, sealLimits: limits } = this.#options;
    const { ops, firstLsn: fromLsn } = this.unsealed.of(opClass);
    if (ops === 0) return undefined;
    const wanted = { class: opClass, ops, fromLsn, endLsn: this.unsealed.scannedLsn, limits };
    const order = { class: opClass, encoding, compression };
    const into = (packing: Packing) => gather(journal, this.#breather, wanted, packing);
    const outcome = await this.#packers.pack(order, ops, into);
    if (outcome === 'empty') {
      // Damage took them from the journal after they were counted; the journal has said so.
      this.unsealed.sealed(opClass, { ops: 0, bytes: 0, throughLsn: wanted.endLsn }, undefined);
    }
    return typeof outcome === 'string' ? undefined : outcome;
  }

  /** The tree of the class behind its op at `lsn`. */
  async #headBehind(opClass: OpClass, lsn: Lsn): Promise<TreeHead | undefined> {
    const { history, journal } = this.#options;
    const item = history === undefined ? undefined : journal.cursor(lsn).next();
    const stamped = item?.lsn === lsn ? new OpEntryReader().read(item.entry) : undefined;
    return stamped === undefined ? undefined : history?.headBehind(opClass, stamped.bytes, lsn);
  }

  /** The batch is stored upstream: its receipt was verified. */
  receipted(id: BatchId): void {
    const batch = this.#spool.get(id);
    assert(batch !== undefined, 'only a spooled batch can be receipted');
    const { class: opClass, fromLsn, throughLsn } = batch.manifest;
    const state = this.#classes[opClass];
    state.progress = joinedOn(state.progress, { fromLsn, throughLsn, id });
    this.#saveProgress();
    this.#options.audit?.receipted({ ...batch.manifest, id });
    this.#refused.delete(id);
    this.#spool.remove(id);
  }

  /** The regional node cannot take the batch: it stays, and waits, while others go on. */
  refused(id: BatchId, reason: string): void {
    const batch = this.#spool.get(id);
    if (batch !== undefined) this.#options.audit?.refused({ ...batch.manifest, id }, reason);
    this.#refused.add(id);
  }

  get refusedCount(): number {
    return this.#refused.size;
  }

  /** Refused batches may be tried again: a later version of the regional node may take them. */
  retryRefused(): void {
    this.#refused.clear();
  }

  /** The newest receipted batch of each class, where all before it are receipted, too. */
  tips(): Map<BatchId, OpClass> {
    const tips = new Map<BatchId, OpClass>();
    for (const opClass of CLASSES) {
      const { lastId, beyond } = this.#classes[opClass].progress;
      if (lastId !== undefined && beyond.length === 0) tips.set(lastId, opClass);
    }
    return tips;
  }

  /** The regional node has lost batches that it had receipted: the class begins a new chain with all the journal has. */
  startOver(opClass: OpClass): void {
    const state = this.#classes[opClass];
    for (const { id, manifest } of this.#spool.list()) {
      if (manifest.class !== opClass) continue;
      this.#spool.remove(id);
      this.#refused.delete(id);
    }
    state.progress = CLASS_START;
    state.sealedLsn = 0;
    state.lastSealedId = undefined;
    state.chain += 1;
    // First the count, then the file: a class that seems to have nothing waiting would be moved on.
    this.unsealed.restart(this.#sealedLsns());
    this.#saveProgress();
    this.unsealed.scan();
  }

  /** A class with nothing waiting stands where the count stands. */
  #receiptedLsnOf(opClass: OpClass): Lsn {
    const { progress, sealedLsn } = this.#classes[opClass];
    const isAllReceipted = progress.receiptedLsn >= sealedLsn;
    const { ops, firstLsn } = this.unsealed.of(opClass);
    if (!isAllReceipted) return progress.receiptedLsn;
    return Math.max(progress.receiptedLsn, ops > 0 ? firstLsn - 1 : this.unsealed.scannedLsn);
  }

  #saveProgress(): void {
    // Idle classes move on with the count, so that a restart has less to look at.
    for (const opClass of CLASSES) {
      const state = this.#classes[opClass];
      const lsn = this.#receiptedLsnOf(opClass);
      if (state.isSealing || lsn <= state.sealedLsn) continue;
      state.progress = { ...state.progress, receiptedLsn: lsn };
      state.sealedLsn = lsn;
    }
    const progress = perClass((opClass) => this.#classes[opClass].progress);
    writeProgress(this.#options.files, `${this.#options.dir}/progress`, progress);
  }

  #sealedLsns(): Record<OpClass, Lsn> {
    return perClass((opClass) => this.#classes[opClass].sealedLsn);
  }
}
