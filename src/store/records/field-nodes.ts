/**
 * The writes that count of fields that were looked at for conflicts, so that the next look reads no table: a field that hundreds
 * have written blindly would cost all of them again with every write. A write that comes, or that an undo brings back, is put
 * in its place, and one that an undo takes away is taken out; whatever else happens to a record (a remove, a horizon, another
 * stamp) makes its fields be read anew.
 */
import { FIELD_WRITES_MAX, type FieldNode, nodeOf } from '../../merge/conflicts.ts';
import { compareOrders, prevails, type WriteOrder } from '../../merge/order.ts';
import type { RecordWrite } from '../../merge/record.ts';
import type { Flip } from '../../merge/record/undone.ts';
import { readRegisterWrites } from '../../merge/register-writes.ts';

/** What is looked at of an op. */
export type FieldOp = Pick<RecordWrite, 'order' | 'kind' | 'body'>;

interface Field {
  /** The greatest first. */
  readonly nodes: FieldNode[];
  /** Whether there are no others below them. */
  isAll: boolean;
}

/** So many more are read than are looked at, to take the place of those that are taken away. */
const SPARE = 64;
const READ_MAX = FIELD_WRITES_MAX + SPARE;
/** All together, some hundred bytes each; a field counts as one more. Beyond these, records go that were not looked at for longest. */
const NODES_MAX = 40 * FIELD_WRITES_MAX;

export class FieldNodes {
  readonly #byKey = new Map<number, Map<string, Field>>();
  #count = 0;

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  /** The greatest first, as many as are looked at. `read` gives the greatest, at most as many as it is told. */
  of(keyId: number, field: string, read: (nodesMax: number) => FieldNode[]): readonly FieldNode[] {
    const fields = this.#byKey.get(keyId) ?? new Map<string, Field>();
    // Last in the map: it was looked at.
    this.#byKey.delete(keyId);
    this.#byKey.set(keyId, fields);
    let known = fields.get(field);
    if (known === undefined) {
      const nodes = read(READ_MAX);
      known = { nodes, isAll: nodes.length < READ_MAX };
      fields.set(field, known);
      this.#count += nodes.length + 1;
      this.#makeRoom(keyId);
    }
    return known.nodes.slice(0, FIELD_WRITES_MAX);
  }

  /** Puts a write that counts among those of its fields that lie here. */
  add(keyId: number, fields: Iterable<string>, write: FieldOp): void {
    const known = this.#byKey.get(keyId);
    if (known === undefined) return;
    for (const name of fields) {
      const field = known.get(name);
      const node = field && nodeOf(write, name);
      if (field !== undefined && node !== undefined) this.#put(field, node);
    }
    this.#makeRoom(keyId);
  }

  /** Takes out what an undo has taken away, and puts in what it has brought back. */
  flip(keyId: number, flips: readonly Flip[], tombstone: WriteOrder | undefined): void {
    const known = this.#byKey.get(keyId);
    if (known === undefined) return;
    for (const { write, isUndone } of flips) {
      if (!prevails(write.order, tombstone)) continue;
      const fields = readRegisterWrites(write.kind, write.body)?.fields.keys() ?? [];
      if (!isUndone) this.add(keyId, fields, write);
      else for (const name of fields) this.#take(known, name, write.order);
    }
  }

  forget(keyId: number): void {
    const fields = this.#byKey.get(keyId);
    if (fields === undefined) return;
    for (const { nodes } of fields.values()) this.#count -= nodes.length + 1;
    this.#byKey.delete(keyId);
  }

  clear(): void {
    this.#byKey.clear();
    this.#count = 0;
  }

  #put(field: Field, node: FieldNode): void {
    const { nodes } = field;
    let at = 0;
    while (at < nodes.length && compareOrders((nodes[at] as FieldNode).order, node.order) > 0) {
      at += 1;
    }
    // What comes below the last of them may not be the next one.
    if (at === nodes.length && !field.isAll) return;
    nodes.splice(at, 0, node);
    this.#count += 1;
    if (nodes.length <= READ_MAX) return;
    nodes.pop();
    this.#count -= 1;
    field.isAll = false;
  }

  #take(fields: Map<string, Field>, name: string, order: WriteOrder): void {
    const field = fields.get(name);
    const at = field?.nodes.findIndex((node) => compareOrders(node.order, order) === 0) ?? -1;
    if (field === undefined || at < 0) return;
    field.nodes.splice(at, 1);
    this.#count -= 1;
    if (field.isAll || field.nodes.length >= FIELD_WRITES_MAX) return;
    fields.delete(name);
    this.#count -= field.nodes.length + 1;
  }

  /** Forgets others than this record, and this one where it alone has too many. */
  #makeRoom(keyId: number): void {
    for (const other of this.#byKey.keys()) {
      if (this.#count <= NODES_MAX) return;
      if (other !== keyId || this.#count > 2 * NODES_MAX) this.forget(other);
    }
  }
}
