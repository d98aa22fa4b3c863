/**
 * What the broker knows of one client id, whether its client is connected or not: subscriptions, messages under
 * way and waiting, identifiers of QoS 2 publishes it has taken from the client. A session that is not clean
 * outlives the connection; it is sent again what was not acknowledged, in order, with DUP [MQTT-4.4.0-1].
 *
 * A session never waits for its client: what cannot be sent now stays in the queue, and QoS 0 is dropped.
 *
 * With a log, a kept session owes its client messages of the log, eight bytes each, and finds all it needs again
 * after a crash (owed-messages.ts). What is in no log, the hub's own messages, waits as a copy and ends with the process.
 */
import type { Clock } from '../../base/clock.ts';
import {
  type Gatekeeper,
  INTERNAL_PREFIX,
  type Lsn,
  type Principal,
  type Qos,
} from '../contract.ts';
import type { Counters } from '../counters.ts';
import type { BrokerLimits } from '../limits.ts';
import type { Message } from '../topics/message.ts';
import type { Publication } from '../topics/publication.ts';
import type { RetainedStore } from '../topics/retained.ts';
import type { Durability } from './durability.ts';
import { LANE_IDS } from './durable-lane.ts';
import { InflightWindow } from './inflight-window.ts';
import { OwedMessages } from './owed-messages.ts';
import { RetainedReplay } from './retained-replay.ts';
import type { SessionLink } from './session-link.ts';
import { type QueueBudget, SessionQueue } from './session-queue.ts';
import { PacketError } from '../wire/packets.ts';

/** Whoever gets messages of matching topics; `qos` is that of the subscription. */
export interface Subscriber {
  /** True where it needs a message's bytes when it is delivered; else it reads the log when it wants them. */
  readonly needsBytes: boolean;
  /** True where what it is owed must be in the log. */
  readonly isDurable: boolean;
  deliver(publication: Publication, qos: Qos): void;
}

/** What all sessions share. */
export interface SessionSurroundings {
  readonly limits: BrokerLimits;
  readonly gatekeeper: Gatekeeper;
  readonly clock: Clock;
  readonly budget: QueueBudget;
  readonly retained: RetainedStore;
  readonly counters: Counters;
  /** Undefined where sessions end with the process. */
  readonly durability: Durability | undefined;
}

/** The complaint about a client that answers QoS 1 with PUBREC, QoS 2 with PUBACK, or ends what it has not received. */
const WRONG_STEP = 'not the acknowledgement that is due [MQTT-4.8.0-1]';

/** Bytes under way to one client, so that a thousand large messages do not all leave the queue at once. */
const INFLIGHT_BYTES_MAX = 4 << 20;

export class Session implements Subscriber {
  readonly clientId: string;
  /** Who it belongs to, as of the last login. */
  principal: Principal;
  readonly clean: boolean;
  readonly qosByFilter = new Map<string, Qos>();
  /** QoS 2 publishes of the client between PUBLISH and PUBREL, each with the LSN its PUBREC waits for. */
  readonly receivedLsnById = new Map<number, Lsn>();
  /** When the client left, on the monotonic clock; undefined while it is connected. */
  detachedMs: number | undefined;
  readonly #around: SessionSurroundings;
  readonly #queue: SessionQueue;
  readonly #inflight: InflightWindow;
  /** Undefined for a session that ends with its connection, or without a log. */
  readonly owed: OwedMessages | undefined;
  isOver = false;
  readonly #replay: RetainedReplay;
  #link: SessionLink | undefined;
  /** Sequence number in the window up to which this connection has been sent again what an earlier one was sent. */
  #resendAt = 0;

  constructor(principal: Principal, clean: boolean, around: SessionSurroundings) {
    this.clientId = principal.clientId;
    this.principal = principal;
    this.clean = clean;
    this.#around = around;
    this.#queue = new SessionQueue(around.limits, around.budget);
    this.#replay = new RetainedReplay(around.retained);
    const { durability } = around;
    if (!clean && durability !== undefined) {
      this.owed = new OwedMessages(this.clientId, durability, around);
    }
    this.#inflight = new InflightWindow(this.owed === undefined ? 0 : LANE_IDS);
  }

  get isDurable(): boolean {
    return this.owed !== undefined;
  }

  get needsBytes(): boolean {
    return this.owed === undefined || this.#link !== undefined;
  }

  get link(): SessionLink | undefined {
    return this.#link;
  }

  /** Messages that wait or are under way. */
  get backlog(): number {
    return this.#queue.size + this.#inflight.count + (this.owed?.size ?? 0);
  }

  attach(link: SessionLink): void {
    this.#link = link;
    this.detachedMs = undefined;
    this.#resendAt = this.#inflight.head;
    this.owed?.attach(link);
    this.pump();
  }

  detach(nowMs: number): void {
    this.#link = undefined;
    this.detachedMs = nowMs;
    this.owed?.detach();
  }

  /** Gives back what it holds of the common budget; the session is over. */
  discard(): void {
    this.isOver = true;
    this.#queue.clear();
    this.#around.budget.bytes -= this.#inflight.bytes;
    this.owed?.discard();
  }

  deliver(publication: Publication, subscribedQos: Qos): void {
    if (!this.#mayHear(publication.topic.name)) return;
    const qos = Math.min(publication.qos, subscribedQos);
    if (qos === 0) {
      if (publication.hasBytes) this.#link?.sendFrame(publication);
      return;
    }
    if (this.owed !== undefined && publication.lsn > 0) {
      if (!publication.isAgain) this.#deliverOwed(this.owed, publication, qos as 1 | 2);
      return;
    }
    // Without bytes it was published before this session subscribed.
    if (!publication.hasBytes) return;
    const isReady = this.#queue.size === 0 && this.#canSendNew() && this.#replay.isEmpty;
    if (isReady && this.#link !== undefined) {
      this.#sendNew(this.#link, publication.message, qos as 1 | 2, false);
    } else {
      const cut = this.#queue.push(publication.message, qos as 1 | 2);
      this.#around.counters.cutFor(this.clientId, cut);
    }
  }

  /**
   * The client has released the identifier of a QoS 2 publish; returns the LSN by which that is on record. Throws
   * `HubError` where it cannot be.
   */
  releaseReceived(packetId: number): Lsn {
    const lsn = this.owed?.onPubrel(packetId, this.receivedLsnById.has(packetId)) ?? 0;
    this.receivedLsnById.delete(packetId);
    return lsn;
  }

  /** Owes the client what is retained for a filter it has subscribed to. */
  replay(filter: string, qos: Qos): void {
    this.#replay.add(filter, qos);
  }

  /** PUBACK. What is not under way is passed over; throws `PacketError` where that is not its message's next step. */
  onPuback(packetId: number): void {
    if (this.owed?.owns(packetId) === true) {
      this.#onClosed(this.owed.onPuback(packetId), packetId);
      return;
    }
    const before = this.#inflight.bytes;
    const isClosed = this.#inflight.acknowledge(packetId);
    this.#around.budget.bytes -= before - this.#inflight.bytes;
    this.#onClosed(isClosed, packetId);
  }

  /**
   * The client has a QoS 2 message; also for an unknown identifier the answer is PUBREL. Throws `PacketError` where the message
   * is of QoS 1, `HubError` where it cannot be put on record.
   */
  onPubrec(packetId: number): void {
    if (this.owed?.owns(packetId) === true) {
      if (!this.owed.onPubrec(packetId)) throw new PacketError(WRONG_STEP);
      return;
    }
    const before = this.#inflight.bytes;
    if (!this.#inflight.receive(packetId)) throw new PacketError(WRONG_STEP);
    this.#around.budget.bytes -= before - this.#inflight.bytes;
    this.#link?.sendRelease(packetId);
  }

  /** PUBCOMP; as `onPuback`. */
  onPubcomp(packetId: number): void {
    const owed = this.owed?.owns(packetId) === true ? this.owed : undefined;
    this.#onClosed(owed?.onPubcomp(packetId) ?? this.#inflight.complete(packetId), packetId);
  }

  #onClosed(isClosed: boolean, packetId: number): void {
    if (isClosed) {
      if (!this.#isIdle()) this.pump();
      return;
    }
    const holder = this.owed?.owns(packetId) === true ? this.owed : this.#inflight;
    if (holder.isOpen(packetId)) throw new PacketError(WRONG_STEP);
  }

  /** Sends what the client can take now: first again what it was sent before, then retained, then what waits. */
  pump(): void {
    const link = this.#link;
    if (link === undefined) return;
    while (link.canSend) {
      if (this.#resendAt < this.#inflight.tail) this.#resend(link);
      else if (this.owed?.isAgain === true) this.owed.sendNext(link);
      else if (!this.#canSendNew()) return;
      else if (!this.#replay.isEmpty) {
        const replayed = this.#replay.next((filter) => this.qosByFilter.has(filter));
        if (replayed === 'later') return link.pumpLater();
        if (replayed === undefined) continue;
        const { message, qos } = replayed;
        if (!this.#mayHear(message.topic.name)) continue;
        if (qos === 0) link.sendPublish(message, 0, true, false, 0);
        else this.#sendNew(link, message, qos, true);
      } else if (this.owed?.isSent === false) {
        if (!this.owed.hasId) return;
        this.owed.sendNext(link);
      } else {
        const queued = this.#queue.shift();
        if (queued === undefined) return;
        this.#sendNew(link, queued.message, queued.qos, false);
      }
    }
  }

  /** What is internal is for one device, however wide the filter of another. */
  #mayHear(topic: string): boolean {
    if (!topic.startsWith(INTERNAL_PREFIX)) return true;
    return this.#around.gatekeeper.mayRead(this.principal, topic);
  }

  #isIdle(): boolean {
    return this.#queue.size === 0 && this.#replay.isEmpty && this.owed?.isSent !== false;
  }

  #canSendNew(): boolean {
    const window = this.#inflight;
    return (
      this.#link?.canSend === true &&
      this.#resendAt >= window.tail &&
      window.count + (this.owed?.openCount ?? 0) < this.#around.limits.inflightMax &&
      window.bytes < INFLIGHT_BYTES_MAX &&
      !window.isFull
    );
  }

  /** A message of the log: it is owed, and sent at once if nothing is before it. */
  #deliverOwed(owed: OwedMessages, publication: Publication, qos: 1 | 2): void {
    owed.push(publication.lsn, qos);
    const link = this.#link;
    if (link === undefined || !owed.isOneNew || !this.#replay.isEmpty || !this.#canSendNew())
      return;
    owed.sendNext(link, publication.hasBytes ? publication.message : undefined);
  }

  #sendNew(link: SessionLink, message: Message, qos: 1 | 2, retained: boolean): void {
    const before = this.#inflight.bytes;
    const packetId = this.#inflight.add(message, qos, retained);
    this.#around.budget.bytes += this.#inflight.bytes - before;
    this.#resendAt = this.#inflight.tail;
    link.sendPublish(message, qos, retained, false, packetId);
  }

  #resend(link: SessionLink): void {
    this.#resendAt = Math.max(this.#resendAt, this.#inflight.head);
    if (this.#resendAt === this.#inflight.tail) return;
    const entry = this.#inflight.at(this.#resendAt);
    this.#resendAt += 1;
    if (entry === undefined) return;
    const { message, packetId, qos, retained } = entry;
    if (message === undefined) link.sendRelease(packetId);
    else link.sendPublish(message, qos, retained, true, packetId);
  }
}
