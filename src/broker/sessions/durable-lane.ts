/**
 * QoS 1 and 2 messages that lie in the log and are owed to one kept session, in the order of the log: those under
 * way, then those that wait. A message is eight bytes here, its LSN and its state; what it says is read from the log
 * when it is sent.
 *
 * Every message has a sequence number, and its packet identifier follows from that. Whoever folds the same log comes
 * to the same numbers, so after a crash a message is sent again under the identifier its client knows
 * [MQTT-4.4.0-1], though nothing was written when it was sent first.
 */
import { assert } from '../../base/assert.ts';
import type { Lsn } from '../contract.ts';

/** Identifiers 1 … 49,152 are of lanes; those above are of messages that are not in the log. */
export const LANE_IDS = 49_152;

export const AWAITS_PUBACK = 0;
export const AWAITS_PUBREC = 1;
/** The client has the message; PUBREL is owed. */
export const AWAITS_PUBCOMP = 2;
export const DONE = 3;
export type LaneState =
  typeof AWAITS_PUBACK | typeof AWAITS_PUBREC | typeof AWAITS_PUBCOMP | typeof DONE;

const CHUNK_SHIFT = 7;
const CHUNK = 1 << CHUNK_SHIFT;

export class DurableLane {
  /** Oldest message that is not done; the one behind the last that was ever sent; the one behind the newest. */
  #base = 0;
  #sent = 0;
  #tail = 0;
  /** Next one to send on this connection: below `#sent` it is sent again. */
  #next = 0;
  /** Sent and not done. */
  #open = 0;
  /** What lies here or below may have been sent before a crash, though nothing says so. */
  #doubtfulLsn: Lsn = 0;
  /** LSN times 4 plus state, from the chunk that holds `#base` on. */
  #chunks: Float64Array[] = [];

  get base(): number {
    return this.#base;
  }

  get sent(): number {
    return this.#sent;
  }

  get tail(): number {
    return this.#tail;
  }

  get openCount(): number {
    return this.#open;
  }

  /** Messages that are not done, or hidden between such. */
  get size(): number {
    return this.#tail - this.#base;
  }

  /** True where this connection has been sent everything. */
  get isSent(): boolean {
    return this.#next === this.#tail;
  }

  /** True where `take` would give a message that was never sent. */
  get isAtNew(): boolean {
    return this.#next >= this.#sent;
  }

  /** True where the next message that was never sent, for all that is known, may have been before a crash. */
  get isDoubtful(): boolean {
    return this.#sent < this.#tail && this.#lsnAt(this.#sent) <= this.#doubtfulLsn;
  }

  /** Messages that this connection has not been sent. */
  get unsentCount(): number {
    return this.#tail - this.#next;
  }

  /** LSN of the oldest message that is owed, undefined where none is. */
  get oldestLsn(): Lsn | undefined {
    return this.#base === this.#tail ? undefined : this.#lsnAt(this.#base);
  }

  /** Identifiers left: at 0 the oldest has to go first. */
  get hasId(): boolean {
    return this.#next - this.#base < LANE_IDS;
  }

  push(lsn: Lsn, qos: 1 | 2): void {
    const state = qos === 1 ? AWAITS_PUBACK : AWAITS_PUBREC;
    const place = this.#tail - this.#origin();
    if (place >> CHUNK_SHIFT === this.#chunks.length) this.#chunks.push(new Float64Array(CHUNK));
    this.#tail += 1;
    this.#set(this.#tail - 1, lsn * 4 + state);
  }

  /** A new connection: what is not done is sent again. */
  restart(): void {
    this.#next = this.#base;
  }

  /** The next message of this connection; the caller has looked at `isSent`. */
  take(): { lsn: Lsn; state: LaneState; packetId: number; dup: boolean } {
    const sequence = this.#next;
    assert(sequence < this.#tail, 'the caller has looked');
    const value = this.#at(sequence);
    const isAgain = sequence < this.#sent;
    this.#next = sequence + 1;
    if (!isAgain) {
      this.#sent = sequence + 1;
      if (stateOf(value) !== DONE) this.#open += 1;
    }
    const packetId = (sequence % LANE_IDS) + 1;
    const lsn = Math.floor(value / 4);
    const dup = isAgain || lsn <= this.#doubtfulLsn;
    return { lsn, state: stateOf(value), packetId, dup };
  }

  /** Whether the message with this identifier is under way in that state. */
  isIn(packetId: number, state: LaneState): boolean {
    const sequence = this.sequenceOf(packetId);
    return sequence !== undefined && stateOf(this.#at(sequence)) === state;
  }

  /** Whether a message with this identifier is under way and not done. */
  isOpen(packetId: number): boolean {
    const sequence = this.sequenceOf(packetId);
    return sequence !== undefined && stateOf(this.#at(sequence)) !== DONE;
  }

  /** Moves a message on; true where it was in `from`. */
  move(packetId: number, from: LaneState, to: LaneState): boolean {
    const sequence = this.sequenceOf(packetId);
    if (sequence === undefined) return false;
    const value = this.#at(sequence);
    if (stateOf(value) !== from) return false;
    this.#set(sequence, value - from + to);
    if (to === DONE) this.#finish();
    return true;
  }

  /** Gives up the message that was taken last: it cannot be read. */
  giveUpLast(): void {
    const sequence = this.#next - 1;
    const value = this.#at(sequence);
    if (stateOf(value) === DONE) return;
    this.#set(sequence, value - stateOf(value) + DONE);
    this.#finish();
  }

  /** Gives up the oldest ones, down to `sizeMax`; returns how many were owed. */
  cutTo(sizeMax: number): number {
    return this.#cutWhile(() => this.size > sizeMax);
  }

  /** Gives up what lies at or below `lsn`; returns how many were owed. */
  cutThrough(lsn: Lsn): number {
    return this.#cutWhile(() => (this.oldestLsn ?? Infinity) <= lsn);
  }

  /**
   * As a crash left it: the sequence numbers up to which the client had confirmed and been sent everything, and the LSN
   * up to which it may have been sent more.
   */
  recover(base: number, sent: number, doubtfulLsn: Lsn): void {
    this.#doubtfulLsn = doubtfulLsn;
    while (this.#base < Math.min(base, this.#tail)) this.#dropOldest();
    this.#sent = Math.max(this.#base, Math.min(sent, this.#tail));
    this.#next = this.#base;
    this.#open = 0;
    for (let sequence = this.#base; sequence < this.#sent; sequence++) {
      if (stateOf(this.#at(sequence)) !== DONE) this.#open += 1;
    }
  }

  /** An empty lane that goes on at a sequence number. */
  beginAt(sequence: number): void {
    assert(this.#tail === 0, 'only a fresh lane');
    this.#base = this.#sent = this.#tail = this.#next = sequence;
  }

  /** LSN and state of all from `base` on. */
  *entries(): Generator<[lsn: Lsn, state: LaneState]> {
    for (let sequence = this.#base; sequence < this.#tail; sequence++) {
      const value = this.#at(sequence);
      yield [Math.floor(value / 4), stateOf(value)];
    }
  }

  /** Adds one as `entries` gave it. */
  restore(lsn: Lsn, state: LaneState): void {
    this.push(lsn, 1);
    this.#set(this.#tail - 1, lsn * 4 + state);
  }

  /** A PUBREC that was on record: the message must not be sent again. */
  restoreReceived(sequence: number): void {
    if (sequence < this.#base || sequence >= this.#tail) return;
    const value = this.#at(sequence);
    if (stateOf(value) === AWAITS_PUBREC) this.#set(sequence, value + 1);
  }

  #cutWhile(isTooMuch: () => boolean): number {
    let cut = 0;
    while (this.#base < this.#tail && isTooMuch()) {
      if (stateOf(this.#at(this.#base)) !== DONE) cut += 1;
      this.#dropOldest();
    }
    return cut;
  }

  #dropOldest(): void {
    const wasOpen = this.#base < this.#sent && stateOf(this.#at(this.#base)) !== DONE;
    if (wasOpen) this.#open -= 1;
    this.#advance();
    this.#sent = Math.max(this.#sent, this.#base);
    this.#next = Math.max(this.#next, this.#base);
  }

  #finish(): void {
    this.#open -= 1;
    while (this.#base < this.#sent && stateOf(this.#at(this.#base)) === DONE) this.#advance();
    this.#next = Math.max(this.#next, this.#base);
  }

  #advance(): void {
    this.#base += 1;
    if (this.#base === this.#tail) this.#chunks = [];
    else if (this.#base % CHUNK === 0) this.#chunks.shift();
  }

  /** Sequence number of an identifier that is under way. */
  sequenceOf(packetId: number): number | undefined {
    if (packetId > LANE_IDS) return undefined;
    const ahead = (packetId - 1 - (this.#base % LANE_IDS) + LANE_IDS) % LANE_IDS;
    const sequence = this.#base + ahead;
    return sequence < this.#sent ? sequence : undefined;
  }

  /** Sequence number of the first slot. */
  #origin(): number {
    return this.#base - (this.#base % CHUNK);
  }

  #at(sequence: number): number {
    const place = sequence - this.#origin();
    return (this.#chunks[place >> CHUNK_SHIFT] as Float64Array)[place % CHUNK] as number;
  }

  #lsnAt(sequence: number): Lsn {
    return Math.floor(this.#at(sequence) / 4);
  }

  #set(sequence: number, value: number): void {
    const place = sequence - this.#origin();
    (this.#chunks[place >> CHUNK_SHIFT] as Float64Array)[place % CHUNK] = value;
  }
}

function stateOf(value: number): LaneState {
  return (value % 4) as LaneState;
}
