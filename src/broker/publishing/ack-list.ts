/**
 * Acknowledgements of one client that wait for the journal, in the order of its publishes [MQTT-4.6.0-2]
 * [MQTT-4.6.0-3]. When a commit makes an LSN durable, all that it covers leave together.
 */
import { assert } from '../../base/assert.ts';
import type { Lsn } from '../contract.ts';
import type { FrameWriter } from '../wire/frame-writer.ts';

/** More would need packet identifiers twice. */
export const WAITING_ACKS_MAX = 65_535;
const FIRST_CAPACITY = 32;
/** A larger list is given back once it has emptied. */
const KEPT_CAPACITY = 4096;

export class AckList {
  #lsns = new Float64Array(FIRST_CAPACITY);
  /** First byte of the ack and packet id, as `first << 16 | id`. */
  #acks = new Uint32Array(FIRST_CAPACITY);
  #head = 0;
  #tail = 0;

  get size(): number {
    return this.#tail - this.#head;
  }

  /** Adds an ack that waits for `lsn`, and for those before it. */
  push(lsn: Lsn, first: number, packetId: number): void {
    assert(this.size < WAITING_ACKS_MAX, 'the client was stopped before');
    if (this.#tail === this.#lsns.length) this.#makeRoom();
    const previous = this.size > 0 ? (this.#lsns[this.#tail - 1] as number) : 0;
    this.#lsns[this.#tail] = Math.max(lsn, previous);
    this.#acks[this.#tail] = (first << 16) | packetId;
    this.#tail += 1;
  }

  /** Moves to the writer what waits for `durableLsn` or less. */
  release(durableLsn: Lsn, writer: FrameWriter): void {
    let head = this.#head;
    while (head < this.#tail && (this.#lsns[head] as number) <= durableLsn) {
      const ack = this.#acks[head] as number;
      writer.ack(ack >> 16, ack & 0xffff);
      head += 1;
    }
    this.#head = head;
    if (head === this.#tail) this.clear();
  }

  clear(): void {
    this.#head = 0;
    this.#tail = 0;
    if (this.#lsns.length <= KEPT_CAPACITY) return;
    this.#lsns = new Float64Array(FIRST_CAPACITY);
    this.#acks = new Uint32Array(FIRST_CAPACITY);
  }

  #makeRoom(): void {
    const size = this.size;
    const isHalfEmpty = size * 2 <= this.#lsns.length;
    const lsns = isHalfEmpty ? this.#lsns : new Float64Array(2 * this.#lsns.length);
    const acks = isHalfEmpty ? this.#acks : new Uint32Array(2 * this.#acks.length);
    lsns.set(this.#lsns.subarray(this.#head, this.#tail));
    acks.set(this.#acks.subarray(this.#head, this.#tail));
    this.#lsns = lsns;
    this.#acks = acks;
    this.#head = 0;
    this.#tail = size;
  }
}
