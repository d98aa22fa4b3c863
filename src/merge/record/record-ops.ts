/**
 * What the fold asks of the ops of a record: narrow questions, so that a record with thousands of ops is not read as a
 * whole because one of them was taken back. Tables answer from their indexes; who holds the ops in a list,
 * by `ListedOps`.
 */
import { addTo } from '../../base/groups.ts';
import { placeOf } from '../../base/halving.ts';
import { encodeCbor } from '../../codec/writer.ts';
import { ASSET, CONTROL, type Kind, PATCH, REMOVE, UNDO } from '../../model/op.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import { ASSET_FIELD } from '../asset/asset-version.ts';
import { type OpId, textOfOpId } from '../op-id.ts';
import { compareOrders, compareTimes, prevails, type WriteOrder } from '../order.ts';
import { readUndo } from '../patch.ts';
import { inOrder, type RecordWrite } from '../record.ts';
import { readRegisterWrites } from '../register-writes.ts';
import { isCovered } from './horizon.ts';

/** The ops of one record. */
export interface RecordOps {
  /** The op as it is kept; undefined where it is not. */
  writeOf(op: OpId): RecordWrite | undefined;
  /** The undos that name the op. */
  undosOf(op: OpId): readonly OpId[];
  /**
   * Writes of the field below `below`, or all, the greatest first; some may turn out to be of other fields. Those that are
   * not above `above` may be left out.
   */
  registerWrites(field: string, below?: WriteOrder, above?: WriteOrder): Iterable<RecordWrite>;
  /** The greatest first. */
  removes(): Iterable<RecordWrite>;
  /** All ops that are greater than `above`, or all; in no particular order. */
  writesAbove(above: WriteOrder | undefined): Iterable<RecordWrite>;
  /** Patches and versions that are later than the op and may have told of it as seen. */
  namersOf(op: WriteOrder): Iterable<RecordWrite>;
  /** The record's horizons (horizon.ts); the same list as long as none comes or goes. */
  horizons(): readonly RecordWrite[];
  /** Orders of all but the horizons, page by page. */
  orders(): Iterable<readonly WriteOrder[]>;
}

/** A patch writes no more fields. */
const FIELDS_ASKED_MAX = 64;

/** The same ops, for a question of each of so many fields: of many, all is read once, since each of them may search all of it. */
export function forFields(ops: RecordOps, fields: number): RecordOps {
  return fields > FIELDS_ASKED_MAX ? new ListedOps(ops.writesAbove(undefined)) : ops;
}

/** The kind of op that writes the field. */
export function kindOfField(field: string): Kind {
  return field === ASSET_FIELD ? ASSET : PATCH;
}

/** Bytes that are in every body that writes the field. */
export function markOfField(field: string): Uint8Array {
  return field === ASSET_FIELD ? new Uint8Array(0) : encodeCbor(field);
}

/** The ops of one record in lists: what is asked for seldom is made when it is, and goes on with what comes from then on. */
export class ListedOps implements RecordOps {
  readonly #byName = new Map<string, RecordWrite>();
  #undosByTarget: Map<string, OpId[]> | undefined;
  #horizons: readonly RecordWrite[] = [];
  #namersBySeen: Map<string, RecordWrite[]> | undefined;
  /** The greatest last, as in the next: what comes is mostly greater than what is there. */
  #writesByField: Map<string, RecordWrite[]> | undefined;
  #sorted: RecordWrite[] | undefined;

  constructor(writes: Iterable<RecordWrite> = []) {
    for (const write of writes) this.add(write);
  }

  get size(): number {
    return this.#byName.size;
  }

  /** Keeps the op; false where it was kept before. */
  add(write: RecordWrite): boolean {
    const name = textOfOpId(write.order);
    if (this.#byName.has(name)) return false;
    this.#byName.set(name, write);
    if (this.#sorted !== undefined) insert(this.#sorted, write);
    if (this.#writesByField !== undefined) {
      for (const field of fieldsOf(write)) {
        const writes = this.#writesByField.get(field);
        if (writes === undefined) this.#writesByField.set(field, [write]);
        else insert(writes, write);
      }
    }
    if (this.#namersBySeen !== undefined) noteSeen(this.#namersBySeen, write);
    if (write.kind === CONTROL) this.#horizons = [...this.#horizons, write];
    else if (write.kind === UNDO) this.#noteUndo(write);
    return true;
  }

  /** Keeps `write` in the place of the same op. */
  replace(write: RecordWrite): void {
    const name = textOfOpId(write.order);
    this.#byName.set(name, write);
    this.#horizons = this.#horizons.map((each) => (textOfOpId(each.order) === name ? write : each));
    this.#forget();
  }

  /** Forgets the ops that the vector covers, horizons excepted, and of the horizons those in `gone`. */
  drop(vector: VersionVector, gone: readonly RecordWrite[]): void {
    const names = new Set(gone.map(({ order }) => textOfOpId(order)));
    for (const [name, write] of this.#byName) {
      if (names.has(name) || isCovered(vector, write)) this.#byName.delete(name);
    }
    this.#horizons = this.#horizons.filter(({ order }) => !names.has(textOfOpId(order)));
    this.#forget();
    // Undos that went name what went with them, or nothing that they reached: `writeOf` no longer finds them.
  }

  /** All of them, in the order in which they came. */
  all(): RecordWrite[] {
    return [...this.#byName.values()];
  }

  writeOf(op: OpId): RecordWrite | undefined {
    return this.#byName.get(textOfOpId(op));
  }

  undosOf(op: OpId): readonly OpId[] {
    return this.#undosByTarget?.get(textOfOpId(op)) ?? [];
  }

  *registerWrites(field: string, below?: WriteOrder): Generator<RecordWrite> {
    this.#writesByField ??= this.#groupedByField();
    const writes = this.#writesByField.get(field) ?? [];
    yield* downwards(writes, below === undefined ? writes.length : placeIn(writes, below));
  }

  *removes(): Generator<RecordWrite> {
    const writes = this.#inOrder();
    for (const write of downwards(writes, writes.length)) if (write.kind === REMOVE) yield write;
  }

  writesAbove(above: WriteOrder | undefined): RecordWrite[] {
    if (above === undefined) return this.all();
    const writes = this.#inOrder();
    return writes.slice(placeOf(writes, ({ order }) => !prevails(order, above)));
  }

  namersOf(op: WriteOrder): RecordWrite[] {
    this.#namersBySeen ??= this.#groupedBySeen();
    const namers = this.#namersBySeen.get(textOfOpId(op)) ?? [];
    return namers.filter(({ order }) => compareTimes(order, op) > 0);
  }

  horizons(): readonly RecordWrite[] {
    return this.#horizons;
  }

  orders(): (readonly WriteOrder[])[] {
    const ops = this.all().filter(({ kind }) => kind !== CONTROL);
    return [ops.map(({ order }) => order)];
  }

  #forget(): void {
    this.#namersBySeen = undefined;
    this.#writesByField = undefined;
    this.#sorted = undefined;
  }

  #noteUndo({ order, body }: RecordWrite): void {
    this.#undosByTarget ??= new Map();
    for (const id of readUndo(body) ?? []) addTo(this.#undosByTarget, textOfOpId(id), order);
  }

  #groupedByField(): Map<string, RecordWrite[]> {
    const groups = new Map<string, RecordWrite[]>();
    for (const write of this.#inOrder()) {
      for (const field of fieldsOf(write)) addTo(groups, field, write);
    }
    return groups;
  }

  #groupedBySeen(): Map<string, RecordWrite[]> {
    const groups = new Map<string, RecordWrite[]>();
    for (const write of this.#byName.values()) noteSeen(groups, write);
    return groups;
  }

  #inOrder(): readonly RecordWrite[] {
    this.#sorted ??= inOrder(this.all());
    return this.#sorted;
  }
}

function fieldsOf({ kind, body }: RecordWrite): Iterable<string> {
  return readRegisterWrites(kind, body)?.fields.keys() ?? [];
}

function noteSeen(namersBySeen: Map<string, RecordWrite[]>, write: RecordWrite): void {
  for (const id of seenIn(write)) addTo(namersBySeen, textOfOpId(id), write);
}

/** Where the order has its place in the list, behind all smaller ones. */
function placeIn(writes: readonly RecordWrite[], of: WriteOrder): number {
  return placeOf(writes, ({ order }) => compareOrders(order, of) < 0);
}

function insert(writes: RecordWrite[], write: RecordWrite): void {
  writes.splice(placeIn(writes, write.order), 0, write);
}

/** Those in front of the place, the last one first. */
function* downwards(writes: readonly RecordWrite[], place: number): Generator<RecordWrite> {
  for (let at = place - 1; at >= 0; at--) yield writes[at] as RecordWrite;
}

/** The ops that a patch or version told of as seen. */
export function seenIn({ kind, body }: Pick<RecordWrite, 'kind' | 'body'>): OpId[] {
  return [...(readRegisterWrites(kind, body)?.seen.values() ?? [])].flat();
}
