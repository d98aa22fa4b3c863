/**
 * Records with few ops, whose ops were asked for, in memory: taking one back asks half a dozen questions, each of which costs more
 * than reading all that such a record has. An op that comes is added; whatever else happens to a record, its list goes.
 */
import { PackedOps } from './packed-ops.ts';
import type { PackedWrite } from './packed-write.ts';

/** Ops of a record that is listed. */
export const LISTED_OPS_MAX = 64;
/** Records of which something lies here, the ops of all lists, and their bytes; beyond these, all go. */
const RECORDS_MAX = 256;
const OPS_MAX = 1_024;
const BYTES_MAX = 1 << 19;

/** Records that are known to have too many; beyond these, they are counted anew. */
const LARGE_MAX = 1 << 16;

export class ListedRecords {
  /** By the key's number. */
  readonly #lists = new Map<number, PackedOps>();
  readonly #large = new Set<number>();
  #ops = 0;
  #bytes = 0;

  /** The record's ops; undefined where they are too many. `read` gives all of them, or more than `LISTED_OPS_MAX`. */
  of(keyId: number, read: () => PackedWrite[]): PackedOps | undefined {
    const known = this.#lists.get(keyId);
    if (known !== undefined || this.#large.has(keyId)) return known;
    const writes = read();
    if (writes.length > LISTED_OPS_MAX) {
      this.#noteLarge(keyId);
      return undefined;
    }
    this.#count(writes);
    const list = new PackedOps(writes);
    this.#lists.set(keyId, list);
    return list;
  }

  /** Takes note of an op that the record has now. */
  add(keyId: number, packed: PackedWrite): void {
    const list = this.#lists.get(keyId);
    if (list === undefined) return;
    list.add(packed);
    if (list.size > LISTED_OPS_MAX) this.#noteLarge(keyId);
    this.#count([packed]);
  }

  forget(keyId: number): void {
    this.#lists.delete(keyId);
    this.#large.delete(keyId);
  }

  clear(): void {
    this.#forgetLists();
    this.#large.clear();
  }

  #noteLarge(keyId: number): void {
    this.#lists.delete(keyId);
    if (this.#large.size >= LARGE_MAX) this.#large.clear();
    this.#large.add(keyId);
  }

  #forgetLists(): void {
    this.#lists.clear();
    this.#ops = this.#bytes = 0;
  }

  /** What goes from a list is counted until all go: that is sooner than need be, never later. */
  #count(writes: readonly PackedWrite[]): void {
    if (this.#lists.size >= RECORDS_MAX || this.#ops > OPS_MAX || this.#bytes > BYTES_MAX) {
      this.#forgetLists();
    }
    this.#ops += writes.length;
    for (const { length } of writes) this.#bytes += length;
  }
}
