/**
 * When a record is full (MERGE.md §3): what a door takes of it. Folding takes whatever came through some door, so a record may
 * have grown beyond its limits all the same, where several hubs filled it before they met.
 */
import { ADD, type Kind } from '../../model/op.ts';
import { readAdd } from '../patch.ts';
import type { Counter } from '../record.ts';
import { readRegisterWrites } from '../register-writes.ts';

/** Fields and counters that live, up to which a door takes more of them. */
export const RECORD_FIELDS_MAX = 4_096;
/** The same for their names and values together. */
export const RECORD_BYTES_MAX = 1 << 20;
const TOTAL_BYTES = 8;
const FIELD_MARK = '=';
const COUNTER_MARK = '+';

export interface RecordSize {
  readonly fields: number;
  readonly bytes: number;
}

/** Fields and counters, by a mark and their name: the most bytes that name and value have come to. */
export class Pieces {
  readonly sizes = new Map<string, number>();
  #bytes = 0;

  get size(): RecordSize {
    return { fields: this.sizes.size, bytes: this.#bytes };
  }

  putField(name: string, valueBytes: number): void {
    this.#put(FIELD_MARK, name, valueBytes);
  }

  putCounter(name: string): void {
    this.#put(COUNTER_MARK, name, TOTAL_BYTES);
  }

  /** What an op writes. */
  putOp(kind: Kind, body: Uint8Array): void {
    if (kind === ADD) for (const name of readAdd(body)?.keys() ?? []) this.putCounter(name);
    for (const [name, value] of readRegisterWrites(kind, body)?.fields ?? []) {
      this.putField(name, value.length);
    }
  }

  putAll({ sizes }: Pieces): void {
    for (const [piece, bytes] of sizes) this.#putSize(piece, bytes);
  }

  #put(mark: string, name: string, valueBytes: number): void {
    this.#putSize(mark + name, name.length + valueBytes);
  }

  #putSize(piece: string, bytes: number): void {
    const before = this.sizes.get(piece) ?? 0;
    if (bytes <= before) return;
    this.sizes.set(piece, bytes);
    this.#bytes += bytes - before;
  }
}

/** What a record would come to at most, if `pieces` came to what lives. */
export function sizeWith<T>(
  living: {
    readonly fields: ReadonlyMap<string, T>;
    readonly counters: ReadonlyMap<string, Counter>;
  },
  valueBytes: (value: T) => number,
  pieces: Pieces,
): RecordSize {
  const { fields, counters } = living;
  let count = fields.size + counters.size;
  let bytes = 0;
  for (const [name, value] of fields) bytes += name.length + valueBytes(value);
  for (const name of counters.keys()) bytes += name.length + TOTAL_BYTES;
  for (const [piece, most] of pieces.sizes) {
    const name = piece.slice(1);
    const value = piece.startsWith(FIELD_MARK) ? fields.get(name) : undefined;
    if (value !== undefined) bytes += Math.max(0, most - name.length - valueBytes(value));
    else if (piece.startsWith(FIELD_MARK) || !counters.has(name)) {
      count += 1;
      bytes += most;
    }
  }
  return { fields: count, bytes };
}

/** Whether it is beyond a limit. */
export function isOverfull({ fields, bytes }: RecordSize): boolean {
  return fields > RECORD_FIELDS_MAX || bytes > RECORD_BYTES_MAX;
}

/** Whether what is beyond a limit has grown. */
export function outgrows(before: RecordSize, after: RecordSize): boolean {
  return (
    (after.fields > RECORD_FIELDS_MAX && after.fields > before.fields) ||
    (after.bytes > RECORD_BYTES_MAX && after.bytes > before.bytes)
  );
}
