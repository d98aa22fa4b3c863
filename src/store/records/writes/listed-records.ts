/**
 * Records with few ops, whose ops were asked for, in memory: taking one back asks half a dozen questions, each of which costs more
 * than reading all that such a record has. An op that comes is added; whatever else happens to a record, its list goes.
 */
import type { RecordWrite } from '../../../merge/record.ts';
import { ListedOps } from '../../../merge/record/record-ops.ts';

/** Ops of a record that is listed. */
export const LISTED_OPS_MAX = 64;
/** Records of which something lies here, the ops of all lists, and their bodies; beyond these, all go. */
const RECORDS_MAX = 256;
const OPS_MAX = 1_024;
const BYTES_MAX = 1 << 19;

export class ListedRecords {
  /** By the key's number; undefined for a record that has too many. */
  readonly #lists = new Map<number, ListedOps | undefined>();
  #ops = 0;
  #bytes = 0;

  /** The record's ops; undefined where they are too many. `read` gives all of them, or more than `LISTED_OPS_MAX`. */
  of(keyId: number, read: () => readonly RecordWrite[]): ListedOps | undefined {
    if (this.#lists.has(keyId)) return this.#lists.get(keyId);
    const writes = read();
    this.#count(writes);
    const list = writes.length > LISTED_OPS_MAX ? undefined : new ListedOps(writes);
    this.#lists.set(keyId, list);
    return list;
  }

  /** Takes note of an op that the record has now; its bytes are the caller's again. */
  add(keyId: number, write: RecordWrite): void {
    const list = this.#lists.get(keyId);
    if (list === undefined) return;
    list.add({ ...write, body: write.body.slice() });
    if (list.size > LISTED_OPS_MAX) this.#lists.set(keyId, undefined);
    this.#count([write]);
  }

  forget(keyId: number): void {
    this.#lists.delete(keyId);
  }

  clear(): void {
    this.#lists.clear();
    this.#ops = this.#bytes = 0;
  }

  /** What goes from a list is counted until all go: that is sooner than need be, never later. */
  #count(writes: readonly RecordWrite[]): void {
    if (this.#lists.size >= RECORDS_MAX || this.#ops > OPS_MAX || this.#bytes > BYTES_MAX) {
      this.clear();
    }
    if (writes.length > LISTED_OPS_MAX) return;
    this.#ops += writes.length;
    for (const { body } of writes) this.#bytes += body.length;
  }
}
