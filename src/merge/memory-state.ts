/**
 * A folded state in memory: what a device holds, and the yardstick that the tables of a hub are tested
 * against.
 */
import { compareBytes, utf8 } from '../base/bytes.ts';
import type { LivingState } from './digest.ts';
import type { EventWrite, FieldWrite, FoldTarget } from './fold.ts';
import type { WriteOrder } from './order.ts';

export class MemoryState implements FoldTarget, LivingState {
  readonly #events = new Map<string, EventWrite>();
  readonly #tombstones = new Map<string, WriteOrder>();
  readonly #records = new Map<string, Map<string, FieldWrite>>();

  event(key: string): EventWrite | undefined {
    return this.#events.get(key);
  }

  /** Living fields of a record; empty where there is none. */
  record(key: string): ReadonlyMap<string, FieldWrite> {
    return this.#records.get(key) ?? new Map();
  }

  eventOrder(key: string): WriteOrder | undefined {
    return this.#events.get(key)?.order;
  }

  putEvent(key: string, write: EventWrite): void {
    this.#events.set(key, write);
  }

  tombstone(key: string): WriteOrder | undefined {
    return this.#tombstones.get(key);
  }

  putTombstone(key: string, order: WriteOrder): void {
    this.#tombstones.set(key, order);
  }

  fieldOrder(key: string, field: string): WriteOrder | undefined {
    return this.#records.get(key)?.get(field)?.order;
  }

  /** A copy, so that the caller may drop fields on its way. */
  fieldOrders(key: string): Iterable<readonly [string, WriteOrder]> {
    return [...this.record(key)].map(([field, write]) => [field, write.order] as const);
  }

  putField(key: string, field: string, write: FieldWrite): void {
    const fields = this.#records.get(key);
    if (fields === undefined) this.#records.set(key, new Map([[field, write]]));
    else fields.set(field, write);
  }

  dropField(key: string, field: string): void {
    const fields = this.#records.get(key);
    fields?.delete(field);
    if (fields?.size === 0) this.#records.delete(key);
  }

  events(): Iterable<readonly [string, EventWrite]> {
    return byKeyBytes(this.#events);
  }

  *fields(): Iterable<readonly [string, string, FieldWrite]> {
    for (const [key, fields] of byKeyBytes(this.#records)) {
      for (const [field, write] of byKeyBytes(fields)) yield [key, field, write];
    }
  }
}

function byKeyBytes<T>(map: ReadonlyMap<string, T>): (readonly [string, T])[] {
  const pairs = [...map].map(([key, value]) => ({ key, bytes: utf8(key), value }));
  pairs.sort((a, b) => compareBytes(a.bytes, b.bytes));
  return pairs.map(({ key, value }) => [key, value] as const);
}
