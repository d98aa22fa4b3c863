/**
 * The half of a kept session that outlives a crash: messages of the log that its client is owed (durable-lane.ts),
 * sent from the log, and what the client has confirmed, put on record where the standard depends on it.
 */
import type { Lsn } from '../contract.ts';
import type { Counters } from '../counters.ts';
import type { BrokerLimits } from '../limits.ts';
import type { Message } from '../topics/message.ts';
import type { Durability, LaneReader, ProgressingSession } from './durability.ts';
import {
  AWAITS_PUBACK,
  AWAITS_PUBCOMP,
  AWAITS_PUBREC,
  DONE,
  DurableLane,
  LANE_IDS,
} from './durable-lane.ts';
import type { SessionLink } from './session-link.ts';
import type { QueueBudget } from './session-queue.ts';
import type { LaneProgress } from './session-records.ts';
import type { KeptSession } from './sessions-file.ts';

interface OwedSurroundings {
  readonly limits: BrokerLimits;
  readonly budget: QueueBudget;
  readonly counters: Counters;
}

/** What a message costs the common budget. */
const ENTRY_BYTES = 8;

export class OwedMessages implements ProgressingSession {
  readonly clientId: string;
  isOver = false;
  /** The connected client; messages are sent by `sendNext` alone. */
  link: SessionLink | undefined;
  readonly #around: OwedSurroundings;
  readonly #durability: Durability;
  readonly #lane = new DurableLane();
  #reader: LaneReader | undefined;
  #costBytes = 0;
  /** The last record that something sent to the client has to wait for. */
  #recordLsn: Lsn = 0;
  /** During recovery: what was noted last of the client's progress. */
  #noted: LaneProgress = { base: 0, sent: 0, isOnline: true };

  constructor(clientId: string, durability: Durability, around: OwedSurroundings) {
    this.clientId = clientId;
    this.#durability = durability;
    this.#around = around;
  }

  /** Messages that are owed, under way or not. */
  get size(): number {
    return this.#lane.size;
  }

  /** Messages under way. */
  get openCount(): number {
    return this.#lane.openCount;
  }

  /** True where this connection has been sent everything. */
  get isSent(): boolean {
    return this.#lane.isSent;
  }

  /** True where the next message was sent to an earlier connection, and not confirmed. */
  get isAgain(): boolean {
    return !this.#lane.isSent && !this.#lane.isAtNew;
  }

  /** False where the client has to confirm something before another message can have an identifier. */
  get hasId(): boolean {
    return this.#lane.hasId;
  }

  /** True where the message that came last is all that waits. */
  get isOneNew(): boolean {
    return this.#lane.unsentCount === 1 && this.#lane.isAtNew && this.#lane.hasId;
  }

  get oldestLsn(): Lsn | undefined {
    return this.#lane.oldestLsn;
  }

  get progress(): LaneProgress {
    const { base, sent } = this.#lane;
    return { base, sent, isOnline: this.link !== undefined || this.#lane.isDoubtful };
  }

  /** Whether an identifier is one of these messages'. */
  owns(packetId: number): boolean {
    return packetId <= LANE_IDS;
  }

  attach(link: SessionLink): void {
    this.link = link;
    this.#lane.restart();
    this.#durability.arrived(this);
  }

  detach(): void {
    this.link = undefined;
    this.#reader = undefined;
    this.#progressed();
  }

  /** The session is over: gives back what it holds of the common budget. */
  discard(): void {
    this.isOver = true;
    this.#around.budget.bytes -= this.#costBytes;
    this.#costBytes = 0;
  }

  /** Adds a message; beyond the limits the oldest are cut, and counted. */
  push(lsn: Lsn, qos: 1 | 2): void {
    const { budget, limits, counters } = this.#around;
    this.#lane.push(lsn, qos);
    counters.cutFor(this.clientId, this.#lane.cutTo(limits.queueMessagesMax));
    this.#account();
    while (budget.bytes > budget.bytesMax && this.#lane.size > 0) {
      counters.cutFor(this.clientId, this.#lane.cutTo(this.#lane.size - 1));
      this.#account();
    }
  }

  /** Sends the next message, which is read from the log unless it is given. */
  sendNext(link: SessionLink, given?: Message): void {
    const lane = this.#lane;
    const { lsn, state, packetId, dup } = lane.take();
    if (state === DONE) return;
    if (state === AWAITS_PUBCOMP) {
      this.#release(packetId);
      return;
    }
    const message = given ?? this.#read(lsn);
    if (message === undefined) {
      lane.giveUpLast();
      this.#around.counters.cut += 1;
    } else {
      link.sendPublish(message, state === AWAITS_PUBACK ? 1 : 2, false, dup, packetId);
    }
    if (lane.isSent) this.#reader = undefined; // An idle reader would hold a block.
  }

  /** Whether a message with this identifier is under way. */
  isOpen(packetId: number): boolean {
    return this.#lane.isOpen(packetId);
  }

  /** True where it closed a message. */
  onPuback(packetId: number): boolean {
    return this.#close(packetId, AWAITS_PUBACK);
  }

  /** Answers PUBREL when PUBREC is on record; throws `HubError` where it cannot be. False where it is one of QoS 1. */
  onPubrec(packetId: number): boolean {
    const lane = this.#lane;
    if (lane.isIn(packetId, AWAITS_PUBACK)) return false;
    const sequence = lane.sequenceOf(packetId);
    if (sequence !== undefined && lane.isIn(packetId, AWAITS_PUBREC)) {
      const { clientId } = this;
      this.#recordLsn = this.#durability.write({ kind: 'received', clientId, sequence });
      lane.move(packetId, AWAITS_PUBREC, AWAITS_PUBCOMP);
    }
    this.#release(packetId);
    return true;
  }

  onPubcomp(packetId: number): boolean {
    return this.#close(packetId, AWAITS_PUBCOMP);
  }

  /**
   * The client has released the identifier of a publish of its own; returns the LSN by which that is on record, for
   * one that is free already, too. Throws `HubError` where it cannot be.
   */
  onPubrel(packetId: number, isTaken: boolean): Lsn {
    const { clientId } = this;
    if (isTaken) this.#recordLsn = this.#durability.write({ kind: 'released', clientId, packetId });
    return this.#recordLsn;
  }

  /** Gives up what lies at or below `lsn`; returns how many messages. */
  cutThrough(lsn: Lsn): number {
    const cut = this.#lane.cutThrough(lsn);
    this.#progressed();
    return cut;
  }

  kept(): Pick<KeptSession, 'base' | 'sent' | 'isOnline' | 'lane'> {
    return { ...this.progress, lane: this.#lane.entries() };
  }

  restore(kept: Pick<KeptSession, 'base' | 'sent' | 'isOnline' | 'lane'>): void {
    this.#lane.beginAt(kept.base);
    for (const [lsn, state] of kept.lane) this.#lane.restore(lsn, state);
    this.#noted = kept;
  }

  restoreProgress(progress: LaneProgress): void {
    this.#noted = progress;
  }

  restoreReceived(sequence: number): void {
    this.#lane.restoreReceived(sequence);
  }

  /** The log has been read, which ended at `lastLsn`: what the client may have been sent will be sent again with DUP. */
  recovered(lastLsn: Lsn): void {
    const { base, sent, isOnline } = this.#noted;
    const { inflightMax } = this.#around.limits;
    if (isOnline) this.#lane.recover(base, Math.max(sent, base + inflightMax), lastLsn);
    else this.#lane.recover(base, sent, 0);
    this.#account();
  }

  #close(packetId: number, state: typeof AWAITS_PUBACK | typeof AWAITS_PUBCOMP): boolean {
    if (!this.#lane.move(packetId, state, DONE)) return false;
    this.#progressed();
    return true;
  }

  #read(lsn: Lsn): Message | undefined {
    this.#reader ??= this.#durability.reader();
    return this.#reader.find(lsn);
  }

  /** PUBREL, when it is on record that the client has the message: it forgets the identifier at PUBREL. */
  #release(packetId: number): void {
    this.#durability.after(this.#recordLsn, () => this.link?.sendRelease(packetId));
  }

  #progressed(): void {
    this.#account();
    this.#durability.progressed(this);
  }

  #account(): void {
    const costBytes = this.#lane.size * ENTRY_BYTES;
    this.#around.budget.bytes += costBytes - this.#costBytes;
    this.#costBytes = costBytes;
  }
}
