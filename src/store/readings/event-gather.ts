/**
 * Events on their way into the tables. They gather here by key, and reach the tables as one chunk of readings
 * and one newest event a key, however many came: in a burst that is what a transaction costs, and in quiet
 * times the card is written once an hour instead of once a message. Queries look in here too.
 *
 * All payloads lie in one arena, readings are numbers in arrays: nothing is made per op but a copy of its payload.
 */
import { EMPTY_BYTES } from '../../base/bytes.ts';
import { compareOrders, encodeOrder, type WriteOrder } from '../../merge/order.ts';
import { LOG, type OpClass } from '../../model/class.ts';
import type { Origin } from '../../model/origin.ts';
import { ByteCache } from '../folding/byte-cache.ts';
import type { KeyIds } from '../database/key-ids.ts';
import type { OpScan } from '../folding/op-scan.ts';
import { type ChunkRow, ChunkWriter, type Reading } from './reading-chunk.ts';
import type { SqliteFile } from '../database/sqlite.ts';

/** What may gather; the owner is asked to flush well before. */
const READINGS_MAX = 16_384;
const ARENA_BYTES_MAX = 4 << 20;
const ARENA_BYTES_MIN = 64 * 1024;
/** From here on a flush is due. */
const READINGS_DUE = 14_336;
const ARENA_BYTES_DUE = 3 << 20;
const SLOTS_MAX = 8192;
const NONE = -1;

const UPSERT_EVENT = `
  INSERT INTO events (key_id, rank, body) VALUES (?, ?, ?)
  ON CONFLICT (key_id) DO UPDATE SET rank = excluded.rank, body = excluded.body
  WHERE excluded.rank > events.rank`;

/** What has gathered of one key. */
export interface KeySlot {
  readonly name: string;
  /** Number of the key, 0 until a flush has needed it. */
  id: number;
  isPending: boolean;
  /** Chain of readings, as they came. */
  first: number;
  last: number;
  isInOrder: boolean;
  /** The newest event that is not in the tables: its reading, and its order but for authority, which is 0. */
  newest: number;
  ms: number;
  counter: number;
  origin: Origin;
  seq: number;
  class: OpClass;
}

/** Where the chunks go. */
interface ChunkSink {
  addChunk(keyId: number, chunk: ChunkRow): void;
}

export class EventGather {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  readonly #sink: ChunkSink;
  readonly #slots = new ByteCache<KeySlot>(SLOTS_MAX);
  readonly #writer = new ChunkWriter();
  #pending: KeySlot[] = [];
  #pendingAt = 0;
  #arena = new Uint8Array(ARENA_BYTES_MIN);
  #arenaEnd = 0;
  #count = 0;
  readonly #atMs = new Float64Array(READINGS_MAX);
  readonly #from = new Int32Array(READINGS_MAX);
  readonly #to = new Int32Array(READINGS_MAX);
  readonly #next = new Int32Array(READINGS_MAX);

  constructor(db: SqliteFile, keys: KeyIds, sink: ChunkSink) {
    this.#db = db;
    this.#keys = keys;
    this.#sink = sink;
  }

  get isEmpty(): boolean {
    return this.#pendingAt === this.#pending.length;
  }

  /** True where a flush should come before more is added. */
  get isDue(): boolean {
    return this.#count >= READINGS_DUE || this.#arenaEnd >= ARENA_BYTES_DUE;
  }

  /** The slot of the key that lies in `bytes`. */
  slotAt(bytes: Uint8Array, from: number, to: number): KeySlot | undefined {
    return this.#slots.find(bytes, from, to);
  }

  /** A slot for a key that has none. */
  addSlot(name: string, bytes: Uint8Array, from: number, to: number): KeySlot {
    const slot: KeySlot = {
      name,
      id: 0,
      isPending: false,
      first: NONE,
      last: NONE,
      isInOrder: true,
      newest: NONE,
      ms: 0,
      counter: 0,
      origin: '' as Origin,
      seq: 0,
      class: LOG,
    };
    this.#slots.add(bytes, from, to, slot);
    return slot;
  }

  /**
   * Takes the event that the scan stands on, as a reading of the moment `atMs`; its payload is copied. Flushes where there
   * is no room.
   */
  add(slot: KeySlot, scan: OpScan, origin: Origin, atMs: number): void {
    const { bodyAt, bodyEnd, ms } = scan;
    if (!this.#hasRoom(bodyEnd - bodyAt)) {
      this.flush(Infinity, false);
      this.#makeRoom(bodyEnd - bodyAt);
    }
    const index = this.#count++;
    this.#atMs[index] = atMs;
    this.#from[index] = this.#arenaEnd;
    this.#arena.set(scan.bytes.subarray(bodyAt, bodyEnd), this.#arenaEnd);
    this.#arenaEnd += bodyEnd - bodyAt;
    this.#to[index] = this.#arenaEnd;
    this.#next[index] = NONE;
    if (!slot.isPending) {
      slot.isPending = true;
      this.#pending.push(slot);
    }
    if (slot.last === NONE) slot.first = index;
    else {
      this.#next[slot.last] = index;
      if (atMs < (this.#atMs[slot.last] as number)) slot.isInOrder = false;
    }
    slot.last = index;
    if (scan.class !== LOG && prevails(slot, scan, origin)) {
      slot.newest = index;
      slot.ms = ms;
      slot.counter = scan.counter;
      slot.origin = origin;
      slot.seq = scan.seq;
      slot.class = scan.class as OpClass;
    }
  }

  /**
   * Writes a part of what has gathered into the open transaction, at most `rowsMax` chunks; true where all is
   * written.
   */
  flush(rowsMax: number, compact: boolean): boolean {
    for (let rows = 0; !this.isEmpty && rows < rowsMax;) {
      const slot = this.#pending[this.#pendingAt] as KeySlot;
      rows += this.#writeChunks(slot, rowsMax - rows, compact);
      if (slot.first !== NONE) return false;
      this.#writeNewest(slot);
      this.#pendingAt += 1;
      emptySlot(slot);
    }
    if (!this.isEmpty) return false;
    this.#forgetPending();
    return true;
  }

  /** Writes the newest event of each key, which is state; the readings, which are history, gather on. */
  writeNewest(): void {
    for (let at = this.#pendingAt; at < this.#pending.length; at++) {
      this.#writeNewest(this.#pending[at] as KeySlot);
    }
  }

  /** The readings of a key that are not in the tables yet, as they came. */
  *readingsOf(name: string): Generator<Reading> {
    for (let at = this.#pendingAt; at < this.#pending.length; at++) {
      const slot = this.#pending[at] as KeySlot;
      if (slot.name !== name) continue;
      for (let index = slot.first; index !== NONE; index = this.#next[index] as number) {
        yield { atMs: this.#atMs[index] as number, payload: this.#payload(index).slice() };
      }
    }
  }

  /** Drops all: the tables were emptied. */
  clear(): void {
    for (const slot of this.#pending) emptySlot(slot);
    this.#forgetPending();
    this.#slots.clear();
  }

  /** Writes at most `rowsMax` chunks of a key and takes their readings off its chain; returns how many. */
  #writeChunks(slot: KeySlot, rowsMax: number, compact: boolean): number {
    const keyId = this.#idOf(slot);
    if (!slot.isInOrder) this.#bringInOrder(slot);
    const writer = this.#writer;
    let rows = 0;
    while (slot.first !== NONE && rows < rowsMax) {
      const index = slot.first;
      const atMs = this.#atMs[index] as number;
      const from = this.#from[index] as number;
      const to = this.#to[index] as number;
      if (writer.hasRoom(atMs, to - from)) {
        writer.add(atMs, this.#arena, from, to);
        slot.first = this.#next[index] as number;
        if (slot.first !== NONE) continue;
      }
      this.#sink.addChunk(keyId, writer.take(compact));
      rows += 1;
    }
    return rows;
  }

  #writeNewest(slot: KeySlot): void {
    if (slot.newest === NONE) return;
    const rank = encodeOrder(orderOf(slot));
    this.#db.run(UPSERT_EVENT, [this.#idOf(slot), rank, this.#payload(slot.newest)]);
    slot.newest = NONE;
  }

  #idOf(slot: KeySlot): number {
    if (slot.id === 0) slot.id = this.#keys.idOf(slot.name);
    return slot.id;
  }

  /** Chains the readings of a key by time; those of one moment stay as they came. */
  #bringInOrder(slot: KeySlot): void {
    const indexes: number[] = [];
    for (let at = slot.first; at !== NONE; at = this.#next[at] as number) indexes.push(at);
    const atMs = this.#atMs;
    indexes.sort((a, b) => (atMs[a] as number) - (atMs[b] as number) || a - b);
    slot.first = indexes[0] as number;
    for (const [at, index] of indexes.entries()) this.#next[index] = indexes[at + 1] ?? NONE;
    slot.last = indexes.at(-1) as number;
    slot.isInOrder = true;
  }

  #payload(index: number): Uint8Array {
    return this.#arena.subarray(this.#from[index], this.#to[index]);
  }

  #forgetPending(): void {
    this.#pending = [];
    this.#pendingAt = this.#count = this.#arenaEnd = 0;
  }

  #hasRoom(bytes: number): boolean {
    if (this.#count === READINGS_MAX) return false;
    const needed = this.#arenaEnd + bytes;
    if (needed <= this.#arena.length) return true;
    return needed <= ARENA_BYTES_MAX && this.#makeRoom(needed);
  }

  /** Sees to it that the arena has as many bytes; what lies in it stays. */
  #makeRoom(bytes: number): true {
    if (bytes <= this.#arena.length) return true;
    const length = Math.min(ARENA_BYTES_MAX, Math.max(bytes, this.#arena.length * 2));
    const grown = new Uint8Array(Math.max(bytes, length));
    grown.set(this.#arenaEnd === 0 ? EMPTY_BYTES : this.#arena.subarray(0, this.#arenaEnd));
    this.#arena = grown;
    return true;
  }
}

function emptySlot(slot: KeySlot): void {
  slot.isPending = false;
  slot.first = slot.last = slot.newest = NONE;
  slot.isInOrder = true;
}

/** The rule of MERGE.md §2, with as few comparisons as it takes. */
function prevails(slot: KeySlot, scan: OpScan, origin: Origin): boolean {
  if (slot.newest === NONE || scan.ms > slot.ms) return true;
  if (scan.ms < slot.ms) return false;
  const { ms, counter, seq } = scan;
  const order = { authority: 0, hlc: { ms, counter }, origin, seq, class: scan.class as OpClass };
  return compareOrders(order, orderOf(slot)) > 0;
}

function orderOf(slot: KeySlot): WriteOrder {
  const { ms, counter, origin, seq } = slot;
  return { authority: 0, hlc: { ms, counter }, origin, seq, class: slot.class };
}
