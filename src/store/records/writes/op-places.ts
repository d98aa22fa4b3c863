/**
 * Where each op on a record lies, by its name: the record, and what of its order is no part of the name. An index of SQLite
 * costs every op as much as its own row. Here the numbers of a lane lie together, 64 to a row: a device sends its ops in
 * sequence, so a burst writes one such row for many of them.
 *
 *   offset  bytes  field     (of one place, at (seq mod 64) times 29; zeros where no op is kept)
 *        0      4  key_id, big-endian
 *        4      1  authority
 *        5      8  effective HLC
 *       13     16  HLC and hub of the stamp; zero where an older version did not keep it
 *
 * What was looked at last lies in memory and is written back with a transaction; it has changes only within an open one.
 */
import { assert } from '../../../base/assert.ts';
import { putUint32, uint32At } from '../../../base/bytes.ts';
import type { OpId } from '../../../merge/op-id.ts';
import type { WriteOrder } from '../../../merge/order.ts';
import type { RecordWrite } from '../../../merge/record.ts';
import type { OpClass } from '../../../model/class.ts';
import { HLC_BYTES, hlcAt, putHlc } from '../../../model/hlc.ts';
import { putStampMark, STAMP_MARK_BYTES, type StampMark } from '../../../model/op.ts';
import { bytesOfOrigin, type Origin } from '../../../model/origin.ts';
import type { SqliteFile } from '../../database/sqlite.ts';
import { stampAt } from './packed-write.ts';

/** Where an op lies. */
export interface Place {
  readonly keyId: number;
  readonly order: WriteOrder;
  readonly stamp: StampMark | undefined;
}

interface Chunk {
  readonly origin: Origin;
  readonly class: OpClass;
  readonly number: number;
  readonly places: Uint8Array;
}

const CHUNK_OPS = 64;
const AUTHORITY_AT = 4;
const HLC_AT = AUTHORITY_AT + 1;
const STAMP_AT = HLC_AT + HLC_BYTES;
const PLACE_BYTES = STAMP_AT + STAMP_MARK_BYTES;
const CHUNK_BYTES = CHUNK_OPS * PLACE_BYTES;
const KEY_ID_MAX = 0xffffffff;
/** Chunks in memory, of 2 KB each; beyond, all go. */
const CHUNKS_MAX = 1_024;
const GET = 'SELECT places FROM op_places WHERE origin = ? AND chunk = ? AND class = ?';
const PUT = 'INSERT OR REPLACE INTO op_places (origin, chunk, class, places) VALUES (?, ?, ?, ?)';
const DROP = 'DELETE FROM op_places WHERE origin = ? AND chunk = ? AND class = ?';
const CHUNK_CLASSES = 'SELECT class FROM op_places WHERE origin = ? AND chunk = ?';
const NEXT_CHUNK =
  'SELECT chunk FROM op_places WHERE origin = ? AND chunk >= ? ORDER BY chunk LIMIT 1';

export class OpPlaces {
  readonly #db: SqliteFile;
  readonly #chunks = new Map<string, Chunk>();
  readonly #dirty = new Set<Chunk>();
  /** Ops of one lane come in runs. */
  #recent: Chunk | undefined;

  constructor(db: SqliteFile) {
    this.#db = db;
  }

  /** Notes where the op lies, in the open transaction. */
  put(keyId: number, { order, stamp }: RecordWrite): void {
    assert(keyId <= KEY_ID_MAX, 'numbers of keys have 32 bits');
    const chunk = this.#chunkOf(order);
    const { places } = chunk;
    const at = (order.seq % CHUNK_OPS) * PLACE_BYTES;
    this.#dirty.add(chunk);
    putUint32(places, at, keyId);
    places[at + AUTHORITY_AT] = order.authority;
    putHlc(places, at + HLC_AT, order.hlc);
    if (stamp === undefined) places.fill(0, at + STAMP_AT, at + PLACE_BYTES);
    else putStampMark(places, at + STAMP_AT, stamp);
  }

  /** The op is not kept on this record any more. */
  drop(keyId: number, op: OpId): void {
    if (this.find(op)?.keyId !== keyId) return;
    const chunk = this.#chunkOf(op);
    const at = (op.seq % CHUNK_OPS) * PLACE_BYTES;
    chunk.places.fill(0, at, at + PLACE_BYTES);
    this.#dirty.add(chunk);
  }

  /** Where the op lies; undefined where it is not kept. */
  find(op: OpId): Place | undefined {
    return placeIn(this.#chunkOf(op), op.seq);
  }

  /** The ops of a lane that are kept, by their numbers. */
  *inLane(origin: Origin, opClass: OpClass, from: number, to: number): Generator<Place> {
    for (const number of this.#numbersOf(origin, from)) {
      if (number * CHUNK_OPS > to) return;
      const chunk = this.#chunk(origin, opClass, number);
      for (let seq = Math.max(from, number * CHUNK_OPS); seq < (number + 1) * CHUNK_OPS; seq++) {
        if (seq > to) return;
        const place = placeIn(chunk, seq);
        if (place !== undefined) yield place;
      }
    }
  }

  /** The ops that an origin made, by number and class, from this number on. */
  *ofOrigin(origin: Origin, from: number): Generator<Place> {
    for (const number of this.#numbersOf(origin, from)) {
      const classes = this.#db.rows(CHUNK_CLASSES, [bytesOfOrigin(origin), number]);
      const chunks = classes.map((row) => this.#chunk(origin, row['class'] as OpClass, number));
      for (let seq = Math.max(from, number * CHUNK_OPS); seq < (number + 1) * CHUNK_OPS; seq++) {
        for (const chunk of chunks) {
          const place = placeIn(chunk, seq);
          if (place !== undefined) yield place;
        }
      }
    }
  }

  /** Writes what has changed. */
  flush(): void {
    for (const chunk of this.#dirty) this.#write(chunk);
    this.#dirty.clear();
    if (this.#chunks.size > CHUNKS_MAX) this.clear();
  }

  /** Forgets all, written or not. */
  clear(): void {
    this.#chunks.clear();
    this.#dirty.clear();
    this.#recent = undefined;
  }

  /** Numbers of the chunks in which the origin has ops, from that of a seq on. */
  *#numbersOf(origin: Origin, fromSeq: number): Generator<number> {
    this.flush();
    const bytes = bytesOfOrigin(origin);
    for (let least = Math.floor(fromSeq / CHUNK_OPS); ;) {
      const number = this.#db.row(NEXT_CHUNK, [bytes, least])?.['chunk'];
      if (typeof number !== 'number') return;
      yield number;
      least = number + 1;
    }
  }

  #chunkOf({ origin, class: opClass, seq }: OpId): Chunk {
    return this.#chunk(origin, opClass, Math.floor(seq / CHUNK_OPS));
  }

  #chunk(origin: Origin, opClass: OpClass, number: number): Chunk {
    const recent = this.#recent;
    if (recent?.number === number && recent.origin === origin && recent.class === opClass) {
      return recent;
    }
    const name = `${origin}/${opClass}/${number}`;
    const chunk = this.#chunks.get(name) ?? this.#read(name, origin, opClass, number);
    this.#recent = chunk;
    return chunk;
  }

  #read(name: string, origin: Origin, opClass: OpClass, number: number): Chunk {
    if (this.#chunks.size >= CHUNKS_MAX) {
      this.flush();
      this.clear();
    }
    const places = new Uint8Array(CHUNK_BYTES);
    const row = this.#db.row(GET, [bytesOfOrigin(origin), number, opClass]);
    if (row !== undefined) places.set((row['places'] as Uint8Array).subarray(0, CHUNK_BYTES));
    const chunk = { origin, class: opClass, number, places };
    this.#chunks.set(name, chunk);
    return chunk;
  }

  #write({ origin, class: opClass, number, places }: Chunk): void {
    let end = CHUNK_OPS;
    while (end > 0 && uint32At(places, (end - 1) * PLACE_BYTES) === 0) end -= 1;
    const key = [bytesOfOrigin(origin), number, opClass];
    if (end === 0) this.#db.run(DROP, key);
    else this.#db.run(PUT, [...key, places.subarray(0, end * PLACE_BYTES)]);
  }
}

function placeIn({ origin, class: opClass, places }: Chunk, seq: number): Place | undefined {
  const at = (seq % CHUNK_OPS) * PLACE_BYTES;
  const keyId = uint32At(places, at);
  if (keyId === 0) return undefined;
  const [authority, hlc] = [places[at + AUTHORITY_AT] as number, hlcAt(places, at + HLC_AT)];
  const order = { authority, hlc, origin, seq, class: opClass };
  return { keyId, order, stamp: stampAt(places, at + STAMP_AT) };
}
