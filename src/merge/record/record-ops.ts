/**
 * What the fold asks of the ops of a record: narrow questions, so that a record with thousands of ops is not read as a
 * whole because one of them was taken back. Tables answer from their indexes; who holds the ops in a list,
 * by `ListedOps`.
 */
import { encodeCbor } from '../../codec/writer.ts';
import { ASSET, CONTROL, type Kind, PATCH, REMOVE, UNDO } from '../../model/op.ts';
import { ASSET_FIELD } from '../asset-version.ts';
import { type OpId, textOfOpId } from '../op-id.ts';
import { compareOrders, prevails, type WriteOrder } from '../order.ts';
import { readUndo } from '../patch.ts';
import type { RecordWrite } from '../record.ts';
import { readRegisterWrites } from '../register-writes.ts';

export interface RecordOps {
  /** The op as it is kept; undefined where it is not. */
  writeOf(key: string, op: OpId): RecordWrite | undefined;
  /** The undos that name the op. */
  undosOf(key: string, op: OpId): readonly OpId[];
  /** Writes of the field below `below`, or all, the greatest first; some may turn out to be of other fields. */
  registerWrites(key: string, field: string, below?: WriteOrder): Iterable<RecordWrite>;
  /** The greatest first. */
  removes(key: string): Iterable<RecordWrite>;
  /** All ops that are greater than `above`, or all; in no particular order. */
  writesAbove(key: string, above: WriteOrder | undefined): Iterable<RecordWrite>;
  /** Patches and versions that may have told of the op as seen. */
  namersOf(key: string, op: OpId): Iterable<RecordWrite>;
  /** The record's horizons (horizon.ts). */
  horizons(key: string): readonly RecordWrite[];
}

/** The kind of op that writes the field. */
export function kindOfField(field: string): Kind {
  return field === ASSET_FIELD ? ASSET : PATCH;
}

/** Bytes that are in every body that writes the field. */
export function markOfField(field: string): Uint8Array {
  return field === ASSET_FIELD ? new Uint8Array(0) : encodeCbor(field);
}

/** The ops of one record in a list. */
export class ListedOps implements RecordOps {
  readonly #writes: readonly RecordWrite[];
  #byName: ReadonlyMap<string, RecordWrite> | undefined;
  #undosByTarget: ReadonlyMap<string, readonly OpId[]> | undefined;
  #namersBySeen: ReadonlyMap<string, readonly RecordWrite[]> | undefined;
  #writesByField: ReadonlyMap<string, readonly RecordWrite[]> | undefined;
  #sorted: readonly RecordWrite[] | undefined;

  constructor(writes: readonly RecordWrite[]) {
    this.#writes = writes;
  }

  writeOf(_key: string, op: OpId): RecordWrite | undefined {
    this.#byName ??= new Map(this.#writes.map((write) => [textOfOpId(write.order), write]));
    return this.#byName.get(textOfOpId(op));
  }

  undosOf(_key: string, op: OpId): readonly OpId[] {
    this.#undosByTarget ??= groupedBy(
      this.#writes,
      ({ kind, body }) => (kind === UNDO ? (readUndo(body) ?? []) : []),
      ({ order }) => order,
    );
    return this.#undosByTarget.get(textOfOpId(op)) ?? [];
  }

  registerWrites(_key: string, field: string, below?: WriteOrder): readonly RecordWrite[] {
    this.#writesByField ??= this.#groupedByField();
    const writes = this.#writesByField.get(field) ?? [];
    if (below === undefined) return writes;
    return writes.filter(({ order }) => compareOrders(order, below) < 0);
  }

  *removes(): Generator<RecordWrite> {
    for (const write of this.#inOrder()) if (write.kind === REMOVE) yield write;
  }

  writesAbove(_key: string, above: WriteOrder | undefined): RecordWrite[] {
    return this.#writes.filter(({ order }) => prevails(order, above));
  }

  namersOf(_key: string, op: OpId): readonly RecordWrite[] {
    this.#namersBySeen ??= groupedBy(this.#writes, seenIn, (write) => write);
    return this.#namersBySeen.get(textOfOpId(op)) ?? [];
  }

  horizons(): RecordWrite[] {
    return this.#writes.filter(({ kind }) => kind === CONTROL);
  }

  #groupedByField(): Map<string, RecordWrite[]> {
    const groups = new Map<string, RecordWrite[]>();
    for (const write of this.#inOrder()) {
      for (const field of readRegisterWrites(write.kind, write.body)?.fields.keys() ?? []) {
        const group = groups.get(field);
        if (group === undefined) groups.set(field, [write]);
        else group.push(write);
      }
    }
    return groups;
  }

  #inOrder(): readonly RecordWrite[] {
    this.#sorted ??= this.#writes.toSorted((a, b) => compareOrders(b.order, a.order));
    return this.#sorted;
  }
}

/** The ops that a patch or version told of as seen. */
export function seenIn({ kind, body }: Pick<RecordWrite, 'kind' | 'body'>): OpId[] {
  return [...(readRegisterWrites(kind, body)?.seen.values() ?? [])].flat();
}

function groupedBy<T>(
  writes: readonly RecordWrite[],
  namesIn: (write: RecordWrite) => readonly OpId[],
  pick: (write: RecordWrite) => T,
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const write of writes) {
    for (const id of namesIn(write)) {
      const name = textOfOpId(id);
      const group = groups.get(name);
      if (group === undefined) groups.set(name, [pick(write)]);
      else group.push(pick(write));
    }
  }
  return groups;
}
