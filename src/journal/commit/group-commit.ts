/**
 * The only writer: gathers entries into a group, writes it as one block, syncs, says so.
 *
 * Batching is natural: while one sync runs the next group gathers, and a lone entry waits for nobody. Where entries
 * keep coming in the very turns of the event loop in which the last group was acknowledged, the next one settles for a few
 * turns, so that many share a sync; no timer is involved. Where syncs are quick, a part goes ahead (sync-pace.ts).
 *
 * Entries may bring a linger (to save flash); one without takes along all that wait. A linger of a few milliseconds is for
 * company, and left out where the last group had company enough: the next sync will have it too. Entries cost no objects:
 * `append` copies the bytes, counts, and compares two numbers.
 *
 * At most one block is on its way, written and not yet synced, and none is written behind a sync that failed. Recovery
 * builds on that: every block but the last was durable.
 *
 * A failed write or sync ends it: what the page cache holds after that is not what the card holds, and a second try
 * would report success. Only a full disk heals: the group stays, unacknowledged, and is written when there is room.
 */
import { assert } from '../../base/assert.ts';
import type { Cancel, Timers } from '../../base/clock.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { BLOCK_HEAD_BYTES, BLOCKS_START, ENTRY_HEAD_BYTES_MAX, type Lsn } from '../format.ts';
import type { Group } from './group.ts';
import type { RecentBlocks } from './recent-blocks.ts';
import type { Sealer } from '../sealer.ts';
import type { Segment } from '../segments/segment.ts';
import type { SegmentSupply } from '../segments/supply.ts';
import type { Prepared, WriteCounts } from '../segments/supply-contract.ts';
import { Settling } from './settling.ts';
import type { SyncPace } from './sync-pace.ts';

interface GroupCommitOptions {
  readonly timers: Timers;
  readonly log: Log;
  readonly sealer: Sealer;
  readonly supply: SegmentSupply;
  readonly counts: WriteCounts;
  /** A group never grows beyond it; fits in a segment. */
  readonly pendingBytesMax: number;
  readonly group: Group;
  readonly recent: RecentBlocks;
  readonly pace: SyncPace;
  /** Segment to go on in; undefined where none could be had at the open. */
  readonly active: Prepared | undefined;
  /** Where in it the next block goes. */
  readonly offset: number;
  readonly nextLsn: Lsn;
  readonly durableLsn: Lsn;
  /** A new segment holds blocks from now on. */
  onRotate(segment: Segment): void;
}

/** A group that has gathered so much is committed, however long its entries may wait. */
const LINGER_BYTES_MAX = 256 * 1024;
/** A longer linger is meant to spare the card: it is kept whatever comes, and what gathered is packed. */
const COMPANY_MS_MAX = 5;
/** Entries of a group that are company enough. */
const COMPANY_ENTRIES = 4;
const NOT_SCHEDULED = Number.POSITIVE_INFINITY;

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #group: Group;
  readonly #settling: Settling;
  #active: Prepared | undefined;
  #offset: number;
  #nextLsn: Lsn;
  /** LSN behind the last one that was written. */
  #writtenUntil: Lsn;
  #durableLsn: Lsn;
  /** `group.usedBytes` plus the length of an entry may go up to here at once; beyond, `#makeRoom` decides. */
  #admitUntil = 0;
  /** Shortest linger in the group: 0 where its commit is due. */
  #lingerMs = NOT_SCHEDULED;
  #lingers: Cancel[] = [];
  /** Whether an entry of the group waited so that little is written. */
  #sparesCard = false;
  /** Entries of the last group. */
  #lastCount = 0;
  #syncing = false;
  #syncedOffset = 0;
  #syncedUntil: Lsn = 0;
  #fault: HubError | undefined;
  #closed = false;
  #afterSync: (() => void)[] = [];
  readonly #durableListeners: ((durableLsn: Lsn) => void)[] = [];
  readonly #faultListeners: ((fault: HubError) => void)[] = [];

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#group = options.group;
    const nextLsn = (): Lsn => this.#nextLsn;
    this.#settling = new Settling(options.timers, nextLsn, () => this.#settled());
    this.#active = options.active;
    this.#offset = options.offset;
    this.#nextLsn = options.nextLsn;
    this.#durableLsn = options.durableLsn;
    this.#writtenUntil = options.durableLsn + 1;
  }

  get lastLsn(): Lsn {
    return this.#nextLsn - 1;
  }

  get durableLsn(): Lsn {
    return this.#durableLsn;
  }

  get fault(): HubError | undefined {
    return this.#fault;
  }

  get active(): Segment | undefined {
    return this.#active?.segment;
  }

  /** Behind the last block that was written, durable or not. */
  get offset(): number {
    return this.#offset;
  }

  get pendingBytes(): number {
    return this.#group.usedBytes;
  }

  /** What was taken and is not written yet; the bytes are valid until the next append. */
  waiting(): Iterable<Uint8Array> {
    return this.#group.entries();
  }

  /** The one of them that became `lsn`; undefined where that would be a long search. */
  waitingEntry(lsn: Lsn): Uint8Array | undefined {
    return lsn < this.#writtenUntil ? undefined : this.#group.entryAt(lsn - this.#writtenUntil);
  }

  append(entry: Uint8Array, lingerMs: number): Lsn {
    if (this.#group.usedBytes + entry.length > this.#admitUntil) this.#makeRoom(entry.length);
    this.#group.put(entry);
    const lsn = this.#nextLsn;
    this.#nextLsn = lsn + 1;
    if (lingerMs < this.#lingerMs) {
      const hasCompany = lingerMs <= COMPANY_MS_MAX && this.#lastCount >= COMPANY_ENTRIES;
      this.#schedule(hasCompany ? 0 : lingerMs);
    }
    return lsn;
  }

  onDurable(listener: (durableLsn: Lsn) => void): void {
    this.#durableListeners.push(listener);
  }

  onFault(listener: (fault: HubError) => void): void {
    this.#faultListeners.push(listener);
  }

  /** Begins: what an open found pending is committed, and entries are admitted. */
  start(): void {
    this.#admit();
    if (this.#nextLsn > this.#writtenUntil) this.#schedule(0);
  }

  /** Looks again what may be admitted; `spaceIsLow` where the disk is fuller than allowed. */
  review(spaceIsLow: boolean): void {
    if (this.#fault?.code === 'journal.poisoned' || this.#closed) return;
    if (spaceIsLow) {
      this.#raise(new HubError('journal.disk-full', 'less room is free than journal.free_mib_min'));
    }
    if (this.#fault !== undefined) {
      // What was admitted before the fault goes first, where it finds a place; until then nothing else is.
      if (!this.#syncing) this.#commit();
      const hasRoom = !spaceIsLow && this.#options.supply.shortage === undefined;
      if (hasRoom && this.#group.isEmpty) this.#heal();
    }
    this.#admit();
  }

  /** Nothing is acknowledged any more; the process has to start again. */
  poison(message: string, cause: unknown): HubError {
    if (this.#fault?.code === 'journal.poisoned') return this.#fault;
    this.#options.log.error('journal.poisoned', { message, reason: messageOf(cause) });
    return this.#raise(new HubError('journal.poisoned', message, cause));
  }

  /**
   * Commits what waits, whatever its linger, and marks the journal as closed. Resolves when that is durable, or
   * at once where it cannot be.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#admit();
    while (this.#syncing || (this.#fault === undefined && this.#nextLsn > this.#writtenUntil)) {
      if (!this.#syncing) this.#commit();
      await this.#synchronised();
    }
    this.#cancelLingers();
    if (this.#fault === undefined) this.#writeClosingMark();
    await this.#synchronised();
    this.#active?.file.close();
  }

  /** Resolves when no sync runs. */
  #synchronised(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#syncing) this.#afterSync.push(resolve);
      else resolve();
    });
  }

  #schedule(lingerMs: number): void {
    this.#lingerMs = lingerMs;
    if (lingerMs > 0) {
      this.#sparesCard ||= lingerMs > COMPANY_MS_MAX;
      this.#lingers.push(this.#options.timers.after(lingerMs, () => this.#schedule(0)));
      return;
    }
    this.#cancelLingers();
    if (!this.#syncing) this.#gather();
  }

  #cancelLingers(): void {
    for (const cancel of this.#lingers) cancel();
    this.#lingers = [];
  }

  /** The group is due: it goes down as soon as it is large enough, or when all had their say. */
  #gather(): void {
    if (this.#fault !== undefined) return;
    if (this.#isLargeEnough()) {
      this.#commit();
      return;
    }
    this.#admit();
    this.#settling.begin();
  }

  /** True where the card waits for the group, and need not wait for more to come. */
  #isLargeEnough(): boolean {
    return this.#isAwaited && this.#group.usedBytes >= this.#options.pace.aheadBytes;
  }

  get #isAwaited(): boolean {
    return this.#lingerMs === 0 && !this.#syncing && !this.#closed && this.#fault === undefined;
  }

  /** Nobody has more to say. */
  #settled(): void {
    if (!this.#closed && !this.#syncing) this.#commit();
  }

  #commit(): void {
    if (this.#fault?.code === 'journal.poisoned' || this.#nextLsn === this.#writtenUntil) return;
    const firstLsn = this.#writtenUntil;
    const count = this.#nextLsn - firstLsn;
    const active = this.#segmentFor(this.#group.usedBytes + this.#options.sealer.overheadBytes);
    if (active === undefined) return;
    if (!this.#write(active, firstLsn, count)) return;
    this.#options.recent.add(firstLsn, count, this.#group.payload());
    this.#group.clear();
    this.#lastCount = count;
    this.#lingerMs = NOT_SCHEDULED;
    this.#sparesCard = false;
    this.#cancelLingers();
    this.#admit();
    this.#options.supply.wrote(active.segment, this.#offset);
  }

  /** The segment that has room for a block; the next one where need be. Undefined where none can be had. */
  #segmentFor(blockBytes: number): Prepared | undefined {
    const active = this.#active;
    if (active !== undefined && this.#offset + blockBytes <= active.segment.sizeBytes)
      return active;
    let next: Prepared;
    try {
      next = this.#options.supply.take();
    } catch (error) {
      const isPassing = error instanceof HubError && error.code !== 'journal.poisoned';
      if (isPassing) this.#raise(error);
      else this.poison('no segment can be made', error);
      return undefined;
    }
    active?.file.close();
    this.#active = next;
    this.#offset = BLOCKS_START;
    next.segment.firstLsn = this.#writtenUntil;
    next.segment.untilLsn = this.#writtenUntil;
    this.#options.onRotate(next.segment);
    return next;
  }

  #write(active: Prepared, firstLsn: Lsn, count: number): boolean {
    const { counts, sealer } = this.#options;
    const offset = this.#offset;
    const block = { firstLsn, count, packs: this.#sparesCard };
    const { bytes, blockBytes } = this.#group.seal(sealer, active.segment, offset, block);
    try {
      active.file.writeAt(bytes, offset);
    } catch (error) {
      if (systemCode(error) === 'ENOSPC') {
        this.#raise(
          new HubError('journal.disk-full', `no room for a block in ${active.segment.path}`, error),
        );
      } else {
        this.poison(`a write to ${active.segment.path} failed`, error);
      }
      return false;
    }
    active.segment.mark({ firstLsn, offset });
    counts.bytesWritten += bytes.length;
    counts.syncs += 1;
    this.#offset = offset + blockBytes;
    this.#writtenUntil = firstLsn + count;
    this.#syncedOffset = this.#offset;
    this.#syncedUntil = this.#writtenUntil;
    this.#syncing = true;
    this.#options.pace.began(blockBytes);
    active.file.datasync(this.#synced);
    return true;
  }

  readonly #synced = (error: Error | undefined): void => {
    this.#syncing = false;
    this.#options.pace.ended(this.#group.usedBytes);
    if (error !== undefined) this.poison('a sync failed', error);
    else if (this.#fault?.code !== 'journal.poisoned') this.#acknowledge();
    const waiting = this.#afterSync;
    this.#afterSync = [];
    for (const resolve of waiting) resolve();
  };

  #acknowledge(): void {
    const segment = this.#active?.segment;
    assert(segment !== undefined, 'a sync has a segment');
    segment.untilLsn = this.#syncedUntil;
    segment.endOffset = this.#syncedOffset;
    if (this.#syncedUntil > this.#durableLsn + 1) {
      this.#durableLsn = this.#syncedUntil - 1;
      for (const listener of this.#durableListeners) listener(this.#durableLsn);
    }
    if (this.#lingerMs === 0 && !this.#closed) this.#gather();
  }

  /** A block without entries: evidence for the next open that all before it was synced. */
  #writeClosingMark(): void {
    const active = this.#active;
    if (active === undefined) return;
    const hasRoom =
      this.#offset + BLOCK_HEAD_BYTES + this.#options.sealer.overheadBytes <=
      active.segment.sizeBytes;
    if (hasRoom) this.#write(active, this.#writtenUntil, 0);
  }

  /** Decides about an entry that goes beyond what is admitted: makes room for it, or throws. */
  #makeRoom(entryBytes: number): void {
    const { sealer, supply, pendingBytesMax } = this.#options;
    if (this.#isLargeEnough()) {
      this.#commit();
      if (this.#group.usedBytes + entryBytes <= this.#admitUntil) return;
    }
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#closed) throw new HubError('journal.busy', 'the journal is being closed');
    const headBytes = ENTRY_HEAD_BYTES_MAX + sealer.overheadBytes;
    const largest = pendingBytesMax - headBytes;
    if (BLOCK_HEAD_BYTES + entryBytes > largest) {
      throw new HubError('op.too-large', `an entry of ${entryBytes} bytes does not fit in a block`);
    }
    const needed = this.#group.usedBytes + entryBytes;
    if (needed > this.#roomBytes()) {
      if (supply.shortage !== undefined && needed <= largest) throw this.#shortageFault();
      throw new HubError('journal.busy', `${this.#group.usedBytes} bytes wait for the card`);
    }
    if (this.#lingerMs > 0) this.#schedule(0); // So much has gathered that waiting saves nothing more.
    this.#group.reserve(needed);
    this.#admit();
  }

  #admit(): void {
    const lingerBytes = this.#lingerMs > 0 ? LINGER_BYTES_MAX : this.#group.freeUntil;
    const aheadBytes = this.#isAwaited ? this.#options.pace.aheadBytes : Number.POSITIVE_INFINITY;
    const until = Math.min(this.#group.freeUntil, this.#roomBytes(), lingerBytes, aheadBytes);
    this.#admitUntil = this.#fault === undefined && !this.#closed ? until : 0;
  }

  /** How far `usedBytes` plus an entry's length may grow so that the block surely finds a place. */
  #roomBytes(): number {
    const { sealer, supply, pendingBytesMax } = this.#options;
    const active = this.#active?.segment;
    const here = active === undefined ? 0 : active.sizeBytes - this.#offset;
    const room = supply.shortage === undefined ? pendingBytesMax : Math.min(pendingBytesMax, here);
    return room - ENTRY_HEAD_BYTES_MAX - sealer.overheadBytes;
  }

  /** What to answer where the segment is full and there is no next one. */
  #shortageFault(): HubError {
    const { shortage } = this.#options.supply;
    if (shortage === 'full') {
      return new HubError('journal.full', 'the last segment is full, and none may be added');
    }
    if (shortage === 'disk-full') {
      return this.#raise(new HubError('journal.disk-full', 'no room for another segment'));
    }
    return this.poison('no segment can be made', shortage);
  }

  #raise(fault: HubError): HubError {
    const isNew = this.#fault?.code !== fault.code;
    this.#fault = fault;
    this.#admit();
    if (!isNew) return fault;
    if (fault.code !== 'journal.poisoned') {
      this.#options.log.warn('journal.refuses', { code: fault.code, reason: fault.message });
    }
    for (const listener of this.#faultListeners) listener(fault);
    return fault;
  }

  #heal(): void {
    this.#fault = undefined;
    this.#options.log.info('journal.healed');
  }
}
