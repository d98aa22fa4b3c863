/**
 * Segments for the journal to write into, prepared ahead: before one is full of blocks, the next lies
 * ready, named and durable, so that going over to it costs nothing but a write. It is made from a recycled file
 * where there is one: of that nothing is written but its start, and blocks change no metadata. Else, not before half of the
 * last is used, a new file is made, a hole that growth.ts fills as blocks come.
 *
 * The order that makes a crash harmless anywhere: a released file loses its name durably before its header is
 * written over; a new header is durable before the file gets its name; the name is durable before a block is written.
 */
import { must } from '../../base/assert.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { OpenFile } from '../../platform/files/files.ts';
import { BLOCKS_START, encodeSegmentStart, SALT_BYTES, type SegmentHeader } from '../format.ts';
import { SegmentGrowth } from './growth.ts';
import { FRESH_NAME, segmentName, spareName } from './names.ts';
import { Segment } from './segment.ts';
import type {
  FirstBlock,
  Follows,
  Prepared,
  Shortage,
  SupplyOptions,
  SupplyOwner,
} from './supply-contract.ts';

interface Job {
  readonly file: OpenFile;
  /** Its name now. */
  path: string;
  /** Behind it the file is a hole. */
  readonly filledBytes: number;
  /** True while a sync runs: the file must not be closed. */
  syncing: boolean;
}

interface Made extends Prepared {
  readonly filledBytes: number;
}

const SPARES_MAX = 4;

export class SegmentSupply {
  readonly #options: SupplyOptions;
  #owner: SupplyOwner | undefined;
  readonly #spares: string[];
  /** Segments whose content counts no more, oldest first, still under their names. */
  readonly #retired: Segment[] = [];
  /** Epochs of retired segments whose name could not be taken: the next open meets them again. */
  readonly #stuckEpochs = new Set<number>();
  /** The segment whose name could not be taken last: told once. */
  #stuck: string | undefined;
  #willRecycle = false;
  #liveBytes: number;
  #nextNumber: number;
  #ready: Made | undefined;
  #job: Job | undefined;
  /** Of the segment in use, where it began as a hole. */
  #growth: SegmentGrowth | undefined;
  #shortage: Shortage | undefined;
  /** Why none could be made the last time: each block that is written tries again. */
  #told: string | undefined;
  #closed = false;

  constructor(options: SupplyOptions) {
    this.#options = options;
    this.#liveBytes = options.liveBytes;
    this.#spares = options.spares.map((name) => `${options.dir}/${name}`);
    this.#nextNumber = options.nextNumber;
  }

  get shortage(): Shortage | undefined {
    return this.#shortage;
  }

  /** Bytes of files that are on the disk and hold nothing that counts. */
  get idleBytes(): number {
    const prepared = (this.#ready === undefined ? 0 : 1) + (this.#job === undefined ? 0 : 1);
    const waiting = (this.#spares.length + prepared) * this.#options.segmentBytes;
    return this.#retired.reduce((sum, segment) => sum + segment.sizeBytes, waiting);
  }

  /** Bytes of everything on the disk but the quarantine. */
  get bytes(): number {
    return this.#liveBytes + this.idleBytes;
  }

  /** Key epochs of files here that still have the name of a segment, or will have one. */
  get epochsInUse(): ReadonlySet<number> {
    const ready = this.#ready === undefined ? [] : [this.#ready.segment];
    const named = [...this.#retired, ...ready].map((segment) => segment.header.epoch);
    return new Set([...named, ...this.#stuckEpochs]);
  }

  /** Begins to work in the background. */
  start(owner: SupplyOwner): void {
    this.#owner = owner;
    this.prepare();
    if (this.#retired.length > 0) this.#recycleSoon();
  }

  /** A block was written: the next one goes to `offset`. */
  wrote(segment: Segment, offset: number): void {
    this.#growth?.advance(segment, offset);
    this.prepare();
  }

  /** Has the next segment prepared, if it is time for it. */
  prepare(): void {
    if (this.#ready !== undefined || this.#job !== undefined || this.#closed) return;
    const isCheap = this.#spares.length > 0 || this.#retired.length > 0;
    if (!isCheap && this.#owner?.isNextNeeded() === false) return;
    this.#job = this.#begin();
    if (this.#job === undefined) this.#owner?.onSupply();
    else this.#prepare(this.#job);
  }

  /** The next segment: the prepared one, or one made on the spot. Throws where none can be had. */
  take(): Prepared {
    const ready = this.#ready ?? this.#makeNow(this.#follows(), () => undefined);
    this.#ready = undefined;
    return this.#use(ready);
  }

  /**
   * Makes a segment at start-up, waiting for the card. What `firstBlock` returns is durable in it before it gets its
   * name, so that it replaces earlier segments in one step. Throws where none can be had: where the disk is full, not where the journal
   * is. A run that is killed there leaves room for alarms in its last segment, and the next one could not write into that.
   * It replaces a segment that holds little, so starts in a row do not add up.
   */
  makeFirst(follows: Follows, firstBlock: FirstBlock): Prepared {
    return this.#use(this.#makeNow(follows, firstBlock, Infinity));
  }

  /** Takes back a segment whose content counts no more; call it for the oldest first. */
  retire(segment: Segment): void {
    this.#retired.push(segment);
    this.#liveBytes -= segment.sizeBytes;
    if (this.#owner !== undefined) this.#recycleSoon();
  }

  /** Takes the names of all retired segments, waiting for the card. */
  recycleNow(): void {
    while (this.#recycle());
  }

  close(): void {
    this.#closed = true;
    this.#ready?.file.close();
    this.#ready = undefined;
    const job = this.#job;
    this.#job = undefined;
    if (job?.syncing === false) job.file.close();
  }

  /** A file to make a segment of, or undefined and the shortage set. */
  #begin(bytesMax = this.#options.totalBytesMax): Job | undefined {
    const { files, dir, segmentBytes, freeBytesMin } = this.#options;
    this.#shortage = undefined;
    try {
      if (this.#spares.length === 0 && this.#retired.length > 0) this.#recycle();
      const path = this.#spares.shift();
      if (path !== undefined) {
        const file = files.open(path, 'update');
        const sizeBytes = file.size(); // Another one where the limit in the config was changed.
        if (sizeBytes > segmentBytes) file.truncate(segmentBytes);
        return { path, file, filledBytes: Math.min(sizeBytes, segmentBytes), syncing: false };
      }
      if (this.bytes + segmentBytes > bytesMax) {
        this.#shortage = 'full';
        return undefined;
      }
      if (files.freeBytes(dir) < freeBytesMin + segmentBytes) {
        this.#shortage = 'disk-full';
        return undefined;
      }
      const fresh = `${dir}/${FRESH_NAME}`;
      return { path: fresh, file: files.open(fresh, 'create'), filledBytes: 0, syncing: false };
    } catch (error) {
      this.#fall(error);
      return undefined;
    }
  }

  #makeNow(follows: Follows, firstBlock: FirstBlock, bytesMax?: number): Made {
    const { segmentBytes, counts } = this.#options;
    const job = this.#job ?? this.#begin(bytesMax);
    this.#job = undefined; // What runs in the background finds that it is not wanted any more.
    if (job === undefined) throw this.#fault();
    try {
      const header = this.#writeStart(job, follows);
      const block = firstBlock({ header, sizeBytes: segmentBytes });
      if (block !== undefined) this.#write(job.file, block, BLOCKS_START);
      job.file.datasyncNow();
      counts.syncs += 1;
      return this.#name(job, header);
    } catch (error) {
      this.#abandon(job, error);
      throw this.#fault(error);
    }
  }

  #use(made: Made): Prepared {
    const { log, counts } = this.#options;
    this.#liveBytes += made.segment.sizeBytes;
    const onWritten = (bytes: number): void => void (counts.bytesWritten += bytes);
    const isWhole = made.filledBytes === made.segment.sizeBytes;
    this.#growth = isWhole ? undefined : new SegmentGrowth({ log, ...made, onWritten });
    return made;
  }

  /** Makes the file a segment without waiting for the card. */
  #prepare(job: Job): void {
    let header: SegmentHeader;
    try {
      header = this.#writeStart(job, this.#follows());
    } catch (error) {
      this.#fail(job, error);
      return;
    }
    job.syncing = true;
    this.#options.counts.syncs += 1;
    job.file.datasync((error) => {
      job.syncing = false;
      if (this.#job === job) this.#prepared(job, header, error);
      else if (this.#closed) job.file.close();
      else if (error !== undefined) this.#owner?.onDoubt(error); // It is the active segment by now.
    });
  }

  #prepared(job: Job, header: SegmentHeader, error: Error | undefined): void {
    if (error !== undefined) {
      this.#fail(job, error);
      return;
    }
    try {
      this.#ready = this.#name(job, header);
      this.#job = undefined;
    } catch (failure) {
      this.#fail(job, failure);
      return;
    }
    this.#owner?.onSupply();
  }

  #writeStart(job: Job, follows: Follows): SegmentHeader {
    const { sealer, random, journalId, segmentBytes } = this.#options;
    const fields = {
      segment: this.#nextNumber,
      ...follows,
      ...sealer.forNewSegment(),
      journalId,
      salt: random.bytes(SALT_BYTES),
    };
    const { bytes, header } = encodeSegmentStart(fields, segmentBytes);
    if (job.filledBytes < segmentBytes) job.file.truncate(segmentBytes);
    this.#write(job.file, bytes, 0);
    return header;
  }

  #name(job: Job, header: SegmentHeader): Made {
    const { files, dir, segmentBytes } = this.#options;
    const path = `${dir}/${segmentName(header.segment)}`;
    files.rename(job.path, path);
    job.path = path;
    this.#nextNumber += 1;
    files.syncDir(dir);
    this.#told = undefined;
    const segment = new Segment({
      path,
      header,
      sizeBytes: segmentBytes,
      firstLsn: header.baseLsn,
      untilLsn: header.baseLsn,
      endOffset: BLOCKS_START,
    });
    return { segment, file: job.file, filledBytes: job.filledBytes };
  }

  #follows(): Follows {
    return must(this.#owner, 'the supply was started').follows();
  }

  #write(file: OpenFile, bytes: Uint8Array, offset: number): void {
    file.writeAt(bytes, offset);
    this.#options.counts.bytesWritten += bytes.length;
  }

  #recycleSoon(): void {
    if (this.#willRecycle) return;
    this.#willRecycle = true;
    this.#options.timers.soon(() => {
      this.#willRecycle = false;
      if (this.#closed || this.#retired.length === 0) return;
      const isDone = this.#recycle();
      this.#owner?.onRecycled();
      if (isDone && this.#retired.length > 0) this.#recycleSoon();
      this.prepare();
      this.#owner?.onSupply();
    });
  }

  /**
   * Takes the name of the oldest retired segment, durably, before anything else may happen to its file; true where that is done. One
   * that keeps its name keeps those behind it: a start would take a gap between them for damage. It is tried again when the next segment is due.
   */
  #recycle(): boolean {
    const { files, dir, segmentBytes, totalBytesMax, log } = this.#options;
    const segment = this.#retired.shift();
    if (segment === undefined) return false;
    try {
      const isKept =
        segment.sizeBytes === segmentBytes &&
        this.#spares.length < SPARES_MAX &&
        this.bytes + segmentBytes <= totalBytesMax;
      const spare = `${dir}/${spareName(segment.number)}`;
      if (isKept) files.rename(segment.path, spare);
      else files.remove(segment.path);
      files.syncDir(dir);
      if (isKept) this.#spares.push(spare);
      return true;
    } catch (error) {
      if (this.#stuck !== segment.path)
        log.warn('journal.recycle-failed', { file: segment.path, reason: messageOf(error) });
      this.#stuck = segment.path;
      if (files.exists(segment.path)) this.#retired.unshift(segment);
      else this.#stuckEpochs.add(segment.header.epoch);
      return false;
    }
  }

  #fail(job: Job, error: unknown): void {
    this.#job = undefined;
    this.#abandon(job, error);
    this.#owner?.onSupply();
  }

  /** Gives up a file that could not be made a segment. Under whatever name it is, it holds no block. */
  #abandon(job: Job, error: unknown): void {
    this.#fall(error);
    if (!job.syncing) job.file.close();
    try {
      this.#options.files.remove(job.path);
    } catch (failure) {
      this.#options.log.warn('journal.remove-failed', {
        file: job.path,
        reason: messageOf(failure),
      });
    }
  }

  #fall(error: unknown): void {
    const shortage = systemCode(error) === 'ENOSPC' ? 'disk-full' : 'io';
    const reason = messageOf(error);
    this.#shortage = shortage;
    if (this.#told !== reason) this.#options.log.warn('journal.no-segment', { shortage, reason });
    this.#told = reason;
  }

  #fault(cause?: unknown): HubError {
    const { dir } = this.#options;
    if (this.#shortage === 'full') {
      return new HubError('journal.full', `${dir} holds as many segments as it may`, cause);
    }
    if (this.#shortage === 'disk-full') {
      return new HubError('journal.disk-full', `no room for another segment in ${dir}`, cause);
    }
    return new HubError('journal.poisoned', `no segment can be made in ${dir}`, cause);
  }
}
