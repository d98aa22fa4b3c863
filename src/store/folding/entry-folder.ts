/**
 * Takes entries of the journal and folds them, each op once. Events, which come in bursts, are read where they lie
 * (op-scan.ts) and gathered; all else is decoded and folded by merge/fold.ts.
 */
import { assert } from '../../base/assert.ts';
import { textOf } from '../../base/bytes.ts';
import { CborError } from '../../codec/reader.ts';
import { fold, foldAgain, restamp } from '../../merge/fold.ts';
import { againIn, isWildEvent } from '../../merge/op-again.ts';
import { type OpStamp, stampsIn } from '../../merge/op-stamps.ts';
import { eventOrder, writeOrder } from '../../merge/order.ts';
import { joinItem, stateItemsIn } from '../../merge/state/state-entry.ts';
import type { Flip } from '../../merge/record/undone.ts';
import { readRegisterWrites } from '../../merge/register-writes.ts';
import type { StateItem } from '../../merge/state/state-item.ts';
import { carriesBytes } from '../../model/asset-bytes.ts';
import { decodeEntry, encodeOpEntry } from '../../model/entry.ts';
import { heldIn } from '../../model/held.ts';
import { DOC, EVENT, type StampedOp } from '../../model/op.ts';
import { LOG } from '../../model/class.ts';
import { laneOf } from '../../model/origin.ts';
import type { ConflictBook } from '../records/conflict-book.ts';
import type { EventGather, KeySlot } from '../readings/event-gather.ts';
import type { FoldProgress } from './fold-progress.ts';
import { OpScan } from './op-scan.ts';
import type { LaneOps } from './seen-ops.ts';
import { isSeen } from '../state/state-items.ts';
import type { BootTimes } from '../times/boot-times.ts';
import type { StateTables } from '../state/state-tables.ts';

interface FolderParts {
  readonly tables: StateTables;
  readonly gather: EventGather;
  readonly progress: FoldProgress;
  readonly book: ConflictBook;
  readonly times: BootTimes;
}

export class EntryFolder {
  readonly #tables: StateTables;
  readonly #gather: EventGather;
  readonly #progress: FoldProgress;
  readonly #book: ConflictBook;
  readonly #times: BootTimes;
  readonly #scan = new OpScan();

  constructor({ tables, gather, progress, book, times }: FolderParts) {
    this.#tables = tables;
    this.#gather = gather;
    this.#progress = progress;
    this.#book = book;
    this.#times = times;
  }

  /** Folds an op that is decoded already. */
  fold(stamped: StampedOp): void {
    const { op, bytes, stamp } = stamped;
    if (op.kind === EVENT) this.take(encodeOpEntry(bytes, stamp));
    else this.#foldOther(stamped, this.#laneOf(stamped));
  }

  /**
   * Folds an entry of the journal; its bytes are the caller's again afterwards. Throws `CborError` where it
   * cannot be read.
   */
  take(entry: Uint8Array): void {
    const scan = this.#scan;
    if (!scan.read(entry)) {
      const decoded = decodeEntry(entry);
      if (decoded.type !== 'op') return this.#takeLocal(decoded.body);
      return this.#foldOther(decoded.stamped, this.#laneOf(decoded.stamped));
    }
    if (scan.kind !== EVENT) return this.#takeOther(entry);
    const { bytes, keyAt, keyEnd } = scan;
    const slot = this.#gather.slotAt(bytes, keyAt, keyEnd) ?? this.#newSlot(entry);
    const lane = this.#progress.laneOf(scan);
    if (!lane.add(scan.seq)) return this.#hearAgain(entry);
    const atMs = this.#times.readingMs(scan, lane.origin, slot.name);
    this.#gather.add(slot, scan, lane.origin, atMs);
    this.#progress.noteStampOf(scan);
  }

  /** An event that came before; with another stamp it may be another candidate for its key. */
  #hearAgain(entry: Uint8Array): void {
    const decoded = decodeEntry(entry);
    if (decoded.type === 'op' && isWildEvent(decoded.stamped)) this.#joinEvent(decoded.stamped);
  }

  #joinEvent(stamped: StampedOp): void {
    const { key, body, class: opClass } = stamped.op;
    if (opClass === LOG) return;
    const write = { order: eventOrder(stamped), body: body.slice() };
    joinItem(this.#tables, { type: 'event', key, write });
  }

  /** What the scan stands on but what is no text is found out here, the first time that the key comes. */
  #newSlot(entry: Uint8Array): KeySlot {
    const { bytes, keyAt, keyEnd } = this.#scan;
    const name = textOf(bytes.subarray(keyAt, keyEnd));
    if (name !== undefined) return this.#gather.addSlot(name, bytes, keyAt, keyEnd);
    decodeEntry(entry);
    throw new CborError('key is not UTF-8', keyAt);
  }

  #laneOf({ op }: StampedOp): LaneOps {
    return this.#progress.seen.lane(laneOf(op.origin, op.class));
  }

  /** Folds the op that the scan stands on. */
  #takeOther(entry: Uint8Array): void {
    const decoded = decodeEntry(entry);
    assert(decoded.type === 'op', 'the scan reads nothing but ops');
    this.#foldOther(decoded.stamped, this.#progress.laneOf(this.#scan));
  }

  /** Folds an op that is no event. */
  #foldOther(stamped: StampedOp, lane: LaneOps): void {
    const { op, stamp } = stamped;
    assert(op.kind !== EVENT, 'the scan reads whatever event there is');
    if (!lane.add(op.seq)) {
      if (foldAgain(this.#tables, stamped)) this.#book.lookAnew(op.key, stamp.hlc.ms);
      return;
    }
    if (op.kind === DOC) this.#foldDoc(stamped);
    else if (!carriesBytes(op)) this.#foldWrite(stamped);
    this.#progress.noteStamp(stamp.hub, stamp.hlc);
  }

  #takeLocal(body: Uint8Array): void {
    for (const stamp of stampsIn(body)) this.#restamp(stamp);
    this.#join(stateItemsIn(body));
    const again = againIn(body);
    if (again !== undefined) this.#joinEvent(again);
    const held = heldIn(body);
    if (held !== undefined) this.#progress.join(held.lanes);
  }

  /** Items of a state that was taken over; which ops they stand for is said behind the last of them. */
  #join(items: readonly StateItem[]): void {
    if (items.length === 0) return;
    const newestMsByKey = new Map<string, number>();
    const wasUnsure = this.#tables.isUnsure;
    this.#tables.isUnsure = true;
    for (const item of items) {
      if (item.type === 'hub') this.#progress.noteStamp(item.hub, item.hlc);
      joinItem(this.#tables, item);
      if (item.type === 'write') newestMsByKey.set(item.key, item.write.order.hlc.ms);
    }
    const { seen } = this.#progress;
    this.#tables.isUnsure = wasUnsure || items.some((item) => !isSeen(item, seen));
    for (const [key, ms] of newestMsByKey) this.#book.lookAnew(key, ms);
  }

  /** Another hub had accepted an op before this one did, or before the one that it came from. */
  #restamp(stamp: OpStamp): void {
    const key = this.#tables.writeTables.keyOfOp(stamp.op);
    if (key !== undefined && restamp(this.#tables, key, stamp)) {
      this.#book.lookAnew(key, stamp.hlc.ms);
    }
  }

  #foldDoc(stamped: StampedOp): void {
    const { op } = stamped;
    fold(this.#tables, stamped);
    this.#times.note(stamped);
    this.#tables.docLog.note(op.key, writeOrder(stamped), op.body.length);
  }

  #foldWrite(stamped: StampedOp): void {
    const { op, stamp } = stamped;
    this.#times.note(stamped);
    const written = readRegisterWrites(op.kind, op.body);
    const isPlain = this.#book.isPlain(stamped, written);
    const flips: Flip[] = [];
    const touched = fold(this.#tables, stamped, written, flips);
    this.#book.noteFolded(stamped, touched, flips);
    if (!isPlain) this.#book.look(op.key, touched, stamp.hlc.ms);
  }
}
