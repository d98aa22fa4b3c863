/**
 * The part of a site's state that this device has asked for, as the hub has it: what pages of the hub bring is folded
 * by the same rules as on the hub (merge/MERGE.md), so equal ops give an equal digest. Own ops are not in it until they
 * come back from the hub, which has given them their stamp.
 */
import { fold } from '../../merge/fold.ts';
import type { EventWrite } from '../../merge/fold-target.ts';
import { MemoryState } from '../../merge/state/memory-state.ts';
import { eventOrder, prevails, writeOrder } from '../../merge/order.ts';
import type { RecordWrite } from '../../merge/record.ts';
import { opBehind } from '../../merge/state/state-entry.ts';
import { keepWrite, refold } from '../../merge/record/standing.ts';
import { carriesBytes } from '../../model/asset-bytes.ts';
import type { StateItem } from '../../merge/state/state-item.ts';
import { ADD, ASSET, compareStamps, DOC, EVENT, type Kind, PATCH } from '../../model/op.ts';
import { joinVectors, type VersionVector } from '../../model/version-vector.ts';
import type { DeltaItem, ReadPage } from '../../protocol/delta-message.ts';

/** What comes to what stands and takes nothing away: a record with ten thousand ops is not folded anew for it. */
const ADDING_KINDS: ReadonlySet<Kind> = new Set([PATCH, ADD, ASSET]);

export class Replica {
  readonly state = new MemoryState();
  readonly #eventKeys = new Set<string>();
  #vector: VersionVector = new Map();

  /** All ops in scope up to here are in the state. */
  get vector(): VersionVector {
    return this.#vector;
  }

  /** What is here stays; all of it is asked for once more. */
  claimNothing(): void {
    this.#vector = new Map();
  }

  /** Keys of records that ever had an op. */
  get recordKeys(): readonly string[] {
    return this.state.recordKeys();
  }

  /** A document as one update of Yjs; undefined where there is none. */
  docState(key: string): Uint8Array | undefined {
    return this.state.doc(key)?.document.update();
  }

  /** All of it as items, to be kept. */
  *items(): Generator<StateItem> {
    for (const key of this.#eventKeys) {
      const write = this.state.event(key);
      if (write !== undefined) yield { type: 'event', key, write };
    }
    for (const key of this.recordKeys) {
      for (const write of this.state.writes(key)) yield { type: 'write', key, write };
    }
    for (const [key, doc] of this.state.docs()) yield { type: 'doc', key, doc };
  }

  /** Folds a page; the keys that it touched. */
  take({ items, lanes }: Pick<ReadPage, 'items' | 'lanes'>): ReadonlySet<string> {
    const touched = new Set<string>();
    const records = new Set<string>();
    for (const item of items) this.#takeItem(item, touched, records);
    for (const key of records) refold(this.state, key);
    this.#vector = joinVectors(this.#vector, lanes);
    return touched;
  }

  #takeItem(item: DeltaItem, touched: Set<string>, records: Set<string>): void {
    if (item.type === 'op') {
      const { op } = item.stamped;
      if (op.kind === EVENT) {
        this.#takeEvent(op.key, { order: eventOrder(item.stamped), body: op.body }, touched);
      } else if (op.kind === DOC) {
        fold(this.state, item.stamped);
        touched.add(op.key);
      } else if (!carriesBytes(op)) {
        const { stamp } = item.stamped;
        const write = { order: writeOrder(item.stamped), kind: op.kind, body: op.body, stamp };
        this.#takeWrite(op.key, write, touched, records);
      }
      return;
    }
    const { item: piece } = item;
    if (piece.type === 'event') this.#takeEvent(piece.key, piece.write, touched);
    else if (piece.type === 'doc') {
      this.state.joinDoc(piece.key, piece.doc);
      touched.add(piece.key);
    } else if (piece.type === 'write') this.#takeWrite(piece.key, piece.write, touched, records);
  }

  /** Bytes are copied: they lie in a page of which little is kept. */
  #takeEvent(key: string, { order, body }: EventWrite, touched: Set<string>): void {
    if (!prevails(order, this.state.eventOrder(key))) return;
    this.state.putEvent(key, { order, body: body.slice() });
    this.#eventKeys.add(key);
    touched.add(key);
  }

  #takeWrite(
    key: string,
    { order, kind, body, stamp }: RecordWrite,
    touched: Set<string>,
    records: Set<string>,
  ): void {
    const write = { order, kind, body: body.slice(), stamp };
    if (ADDING_KINDS.has(kind) && this.state.opsOf(key).writeOf(order) === undefined) {
      fold(this.state, opBehind(key, write));
      touched.add(key);
      return;
    }
    if (!keepWrite(this.state, key, write) && !this.#takeSmaller(key, write)) return;
    touched.add(key);
    records.add(key);
  }

  /** Two hubs may have stamped one op; the smaller stamp counts (MERGE.md §4). */
  #takeSmaller(key: string, write: RecordWrite): boolean {
    const before = this.state.opsOf(key).writeOf(write.order);
    if (before?.stamp === undefined || write.stamp === undefined) return false;
    if (compareStamps(write.stamp, before.stamp) >= 0) return false;
    this.state.replaceWrite(key, before, write);
    return true;
  }
}
