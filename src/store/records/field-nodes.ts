/**
 * The writes that count of fields that were looked at for conflicts, so that the next look reads no table: a field that hundreds
 * have written blindly would cost all of them again with every write. A write that comes is put in its place; whatever else
 * happens to a record (a remove, an undo, a horizon, another stamp) makes its fields be read anew.
 */
import { FIELD_WRITES_MAX, type FieldNode, nodeOf } from '../../merge/conflicts.ts';
import { compareOrders, writeOrder } from '../../merge/order.ts';
import type { StampedOp } from '../../model/op.ts';

/** All together, some hundred bytes each; a field counts as one more. Beyond these, records go that were not looked at for longest. */
const NODES_MAX = 40 * FIELD_WRITES_MAX;

export class FieldNodes {
  readonly #byKey = new Map<number, Map<string, FieldNode[]>>();
  #count = 0;

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  /** The greatest first. */
  of(keyId: number, field: string, read: () => FieldNode[]): readonly FieldNode[] {
    const fields = this.#byKey.get(keyId) ?? new Map<string, FieldNode[]>();
    // Last in the map: it was looked at.
    this.#byKey.delete(keyId);
    this.#byKey.set(keyId, fields);
    const known = fields.get(field);
    if (known !== undefined) return known;
    const nodes = read();
    fields.set(field, nodes);
    this.#count += nodes.length + 1;
    this.#makeRoom(keyId);
    return nodes;
  }

  /** Puts a write that counts among those of its fields that lie here. */
  add(keyId: number, fields: ReadonlySet<string>, stamped: StampedOp): void {
    const known = this.#byKey.get(keyId);
    if (known === undefined) return;
    const { kind, body } = stamped.op;
    for (const field of fields) {
      const nodes = known.get(field);
      const node = nodes && nodeOf({ order: writeOrder(stamped), kind, body }, field);
      if (nodes === undefined || node === undefined) continue;
      let at = 0;
      while (at < nodes.length && compareOrders((nodes[at] as FieldNode).order, node.order) > 0) {
        at += 1;
      }
      nodes.splice(at, 0, node);
      if (nodes.length > FIELD_WRITES_MAX) nodes.pop();
      else this.#count += 1;
    }
    this.#makeRoom(keyId);
  }

  forget(keyId: number): void {
    const fields = this.#byKey.get(keyId);
    if (fields === undefined) return;
    for (const nodes of fields.values()) this.#count -= nodes.length + 1;
    this.#byKey.delete(keyId);
  }

  clear(): void {
    this.#byKey.clear();
    this.#count = 0;
  }

  /** Forgets others than this record. */
  #makeRoom(keyId: number): void {
    for (const other of this.#byKey.keys()) {
      if (this.#count <= NODES_MAX) return;
      if (other !== keyId) this.forget(other);
    }
  }
}
