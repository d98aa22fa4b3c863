/**
 * All ops of a record that has few, as they are kept: a question reads what it asks for, and nothing else is decoded. Ops of
 * records come as one byte string each (packed-write.ts), in which kind, order and name lie at known places.
 */
import type { OpId } from '../../../merge/op-id.ts';
import { compareTimes, encodeOrder, type WriteOrder } from '../../../merge/order.ts';
import type { RecordWrite } from '../../../merge/record.ts';
import { kindOfField, markOfField } from '../../../merge/record/record-ops.ts';
import { ASSET, type Kind, PATCH, REMOVE } from '../../../model/op.ts';
import {
  bodyHas,
  compareRanks,
  isNamed,
  kindOf,
  nameOfOp,
  type PackedWrite,
  unpackWrite,
} from './packed-write.ts';

export class PackedOps {
  /** The greatest first, once `#isSorted`. */
  readonly #ops: PackedWrite[];
  #isSorted = false;

  constructor(ops: PackedWrite[]) {
    this.#ops = ops;
  }

  get size(): number {
    return this.#ops.length;
  }

  /** Takes an op that is not among them. */
  add(packed: PackedWrite): void {
    this.#ops.push(packed);
    this.#isSorted = false;
  }

  writeOf(op: OpId): RecordWrite | undefined {
    const name = nameOfOp(op);
    const packed = this.#ops.find((each) => isNamed(each, name));
    return packed && unpackWrite(packed);
  }

  /** The greatest first; some may turn out to be of other fields. */
  *registerWrites(field: string, below: WriteOrder | undefined): Generator<RecordWrite> {
    const mark = markOfField(field);
    const rank = below && encodeOrder(below);
    for (const packed of this.#ofKind(kindOfField(field))) {
      if (rank !== undefined && compareRanks(packed, rank) >= 0) continue;
      if (bodyHas(packed, mark)) yield unpackWrite(packed);
    }
  }

  *removes(): Generator<RecordWrite> {
    for (const packed of this.#ofKind(REMOVE)) yield unpackWrite(packed);
  }

  writesAbove(above: WriteOrder | undefined): RecordWrite[] {
    const rank = above && encodeOrder(above);
    return this.#ops
      .filter((packed) => rank === undefined || compareRanks(packed, rank) > 0)
      .map((packed) => unpackWrite(packed));
  }

  /** Patches and versions that are later than the op and have its name (`mark`) in their bodies. */
  namersOf(op: WriteOrder, mark: Uint8Array): RecordWrite[] {
    return this.#ops
      .filter((packed) => kindOf(packed) === PATCH || kindOf(packed) === ASSET)
      .filter((packed) => bodyHas(packed, mark))
      .map((packed) => unpackWrite(packed))
      .filter(({ order }) => compareTimes(order, op) > 0);
  }

  *#ofKind(kind: Kind): Generator<PackedWrite> {
    if (!this.#isSorted) this.#ops.sort((a, b) => compareRanks(b, a));
    this.#isSorted = true;
    for (const packed of this.#ops) if (kindOf(packed) === kind) yield packed;
  }
}
