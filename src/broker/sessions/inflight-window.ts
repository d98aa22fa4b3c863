/**
 * QoS 1 and 2 messages under way to one client, by packet identifier, in the order they were sent, until the
 * client has acknowledged them. Identifiers are given out in a circle, so that an identifier says where its
 * message lies: no search, no map, and memory only for the span that is really open.
 */
import { assert } from '../../base/assert.ts';
import { type Message, messageBytes } from '../topics/message.ts';

const PACKET_ID_MAX = 65_535;
const FIRST_SLOTS = 8;

const FREE = 0;
const AWAITS_PUBACK = 1;
const AWAITS_PUBREC = 2;
const AWAITS_PUBCOMP = 3;
const STATE_MASK = 3;
const RETAINED_FLAG = 4;

interface Inflight {
  readonly packetId: number;
  readonly qos: 1 | 2;
  /** It answers a new subscription with a retained message. */
  readonly retained: boolean;
  /** Undefined once the client has it and only PUBREL is owed. */
  readonly message: Message | undefined;
}

export class InflightWindow {
  /** Identifiers `#idsBelow + 1` … 65535 in a circle. */
  readonly #idsBelow: number;
  readonly #ids: number;
  #messages: (Message | undefined)[] = [];
  #states = new Uint8Array(0);
  /** Sequence numbers: of the oldest that is open, and of the next. The identifier follows from it. */
  #head = 0;
  #tail = 0;
  #count = 0;
  #bytes = 0;

  /** `idsBelow`: identifiers 1 … `idsBelow` are somebody else's. */
  constructor(idsBelow = 0) {
    this.#idsBelow = idsBelow;
    this.#ids = PACKET_ID_MAX - idsBelow;
  }

  /** Messages that are not acknowledged. */
  get count(): number {
    return this.#count;
  }

  /** What they cost. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Oldest sequence number that may be open, and the one behind the newest: the range for `at`. */
  get head(): number {
    return this.#head;
  }

  get tail(): number {
    return this.#tail;
  }

  /** True where no identifier is free. */
  get isFull(): boolean {
    return this.#tail - this.#head >= this.#ids;
  }

  /** Takes a message under way; returns its packet identifier. */
  add(message: Message, qos: 1 | 2, retained: boolean): number {
    assert(!this.isFull, 'the sender asks first');
    if (this.#tail - this.#head === this.#messages.length) this.#grow();
    const slot = this.#slotOf(this.#tail);
    this.#messages[slot] = message;
    const state = qos === 1 ? AWAITS_PUBACK : AWAITS_PUBREC;
    this.#states[slot] = retained ? state | RETAINED_FLAG : state;
    this.#count += 1;
    this.#bytes += messageBytes(message);
    const packetId = this.#idOf(this.#tail);
    this.#tail += 1;
    return packetId;
  }

  /** The message with this sequence number, where it is still open. */
  at(sequence: number): Inflight | undefined {
    const slot = this.#slotOf(sequence);
    const state = this.#states[slot] as number;
    if (state === FREE) return undefined;
    return {
      packetId: this.#idOf(sequence),
      qos: (state & STATE_MASK) === AWAITS_PUBACK ? 1 : 2,
      retained: (state & RETAINED_FLAG) !== 0,
      message: this.#messages[slot],
    };
  }

  /** True where a message with this identifier is not closed yet. */
  isOpen(packetId: number): boolean {
    const slot = this.#find(packetId);
    return slot >= 0 && this.#states[slot] !== FREE;
  }

  /** PUBACK: true where it closed a QoS 1 message. */
  acknowledge(packetId: number): boolean {
    return this.#close(packetId, AWAITS_PUBACK);
  }

  /** PUBREC: the client has the message, PUBREL is owed from now on. False where it is one of QoS 1. */
  receive(packetId: number): boolean {
    const slot = this.#find(packetId);
    const state = slot < 0 ? FREE : (this.#states[slot] as number) & STATE_MASK;
    if (state !== AWAITS_PUBREC) return state !== AWAITS_PUBACK;
    this.#states[slot] = AWAITS_PUBCOMP;
    this.#dropMessage(slot);
    return true;
  }

  /** PUBCOMP: true where it closed a QoS 2 message. */
  complete(packetId: number): boolean {
    return this.#close(packetId, AWAITS_PUBCOMP);
  }

  #close(packetId: number, state: number): boolean {
    const slot = this.#find(packetId);
    if (slot < 0 || ((this.#states[slot] as number) & STATE_MASK) !== state) return false;
    this.#states[slot] = FREE;
    this.#dropMessage(slot);
    this.#count -= 1;
    while (this.#head < this.#tail && this.#states[this.#slotOf(this.#head)] === FREE) {
      this.#head += 1;
    }
    return true;
  }

  #dropMessage(slot: number): void {
    const message = this.#messages[slot];
    if (message !== undefined) this.#bytes -= messageBytes(message);
    this.#messages[slot] = undefined;
  }

  /** The slot of an identifier that is in the open span, or -1. */
  #find(packetId: number): number {
    const ids = this.#ids;
    if (packetId <= this.#idsBelow) return -1;
    const ahead = (packetId - 1 - this.#idsBelow - (this.#head % ids) + ids) % ids;
    const sequence = this.#head + ahead;
    return sequence < this.#tail ? this.#slotOf(sequence) : -1;
  }

  #idOf(sequence: number): number {
    return (sequence % this.#ids) + 1 + this.#idsBelow;
  }

  #slotOf(sequence: number): number {
    return sequence % this.#messages.length;
  }

  #grow(): void {
    const slots = Math.min(Math.max(FIRST_SLOTS, 2 * this.#messages.length), this.#ids);
    const messages = Array.from<Message | undefined>({ length: slots });
    const states = new Uint8Array(slots);
    for (let sequence = this.#head; sequence < this.#tail; sequence++) {
      messages[sequence % slots] = this.#messages[this.#slotOf(sequence)];
      states[sequence % slots] = this.#states[this.#slotOf(sequence)] as number;
    }
    this.#messages = messages;
    this.#states = states;
  }
}
