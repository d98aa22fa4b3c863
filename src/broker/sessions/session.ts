/**
 * What the broker knows of one client id, whether its client is connected or not: subscriptions, messages under
 * way and waiting, identifiers of QoS 2 publishes it has taken from the client. A session that is not clean
 * outlives the connection; it is sent again what was not acknowledged, in order, with DUP [MQTT-4.4.0-1].
 *
 * A session never waits for its client: what cannot be sent now stays in the queue, and QoS 0 is dropped.
 */
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
import { InflightWindow } from './inflight-window.ts';
import { RetainedReplay } from './retained-replay.ts';
import { type QueueBudget, SessionQueue } from './session-queue.ts';

/** Whoever gets messages of matching topics; `qos` is that of the subscription. */
export interface Subscriber {
  deliver(publication: Publication, qos: Qos): void;
}

/** The connected client of a session. */
export interface SessionLink {
  /** False while the client takes less than it is sent. */
  readonly canSend: boolean;
  /** Sends at QoS 0, or drops where too much waits already. */
  sendFrame(publication: Publication): void;
  /** `packetId` 0 at QoS 0. */
  sendPublish(message: Message, qos: Qos, retain: boolean, dup: boolean, packetId: number): void;
  sendRelease(packetId: number): void;
  /** Calls `pump` again in the next turn of the event loop. */
  pumpLater(): void;
  /** Another connection took the session over. */
  onTakeover(): void;
}

/** What all sessions share. */
export interface SessionSurroundings {
  readonly limits: BrokerLimits;
  readonly gatekeeper: Gatekeeper;
  readonly budget: QueueBudget;
  readonly retained: RetainedStore;
  readonly counters: Counters;
}

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
  readonly #inflight = new InflightWindow();
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
  }

  get link(): SessionLink | undefined {
    return this.#link;
  }

  /** Messages that wait or are under way. */
  get backlog(): number {
    return this.#queue.size + this.#inflight.count;
  }

  attach(link: SessionLink): void {
    this.#link = link;
    this.detachedMs = undefined;
    this.#resendAt = this.#inflight.head;
    this.pump();
  }

  detach(nowMs: number): void {
    this.#link = undefined;
    this.detachedMs = nowMs;
  }

  /** Gives back what it holds of the common budget; the session is over. */
  discard(): void {
    this.#queue.clear();
    this.#around.budget.bytes -= this.#inflight.bytes;
  }

  deliver(publication: Publication, subscribedQos: Qos): void {
    if (!this.#mayHear(publication.topic.name)) return;
    const qos = Math.min(publication.qos, subscribedQos);
    if (qos === 0) {
      this.#link?.sendFrame(publication);
      return;
    }
    const isReady = this.#queue.size === 0 && this.#canSendNew() && this.#replay.isEmpty;
    if (isReady && this.#link !== undefined) {
      this.#sendNew(this.#link, publication.message, qos as 1 | 2, false);
    } else {
      this.#around.counters.cut += this.#queue.push(publication.message, qos as 1 | 2);
    }
  }

  /** Owes the client what is retained for a filter it has subscribed to. */
  replay(filter: string, qos: Qos): void {
    this.#replay.add(filter, qos);
  }

  onPuback(packetId: number): void {
    const before = this.#inflight.bytes;
    if (!this.#inflight.acknowledge(packetId)) return;
    this.#around.budget.bytes -= before - this.#inflight.bytes;
    if (!this.#isIdle()) this.pump();
  }

  /** The client has a QoS 2 message; also for an unknown identifier the answer is PUBREL. */
  onPubrec(packetId: number): void {
    const before = this.#inflight.bytes;
    this.#inflight.receive(packetId);
    this.#around.budget.bytes -= before - this.#inflight.bytes;
    this.#link?.sendRelease(packetId);
  }

  onPubcomp(packetId: number): void {
    if (this.#inflight.complete(packetId) && !this.#isIdle()) this.pump();
  }

  /** Sends what the client can take now: first again what it was sent before, then retained, then what waits. */
  pump(): void {
    const link = this.#link;
    if (link === undefined) return;
    while (link.canSend) {
      if (this.#resendAt < this.#inflight.tail) this.#resend(link);
      else if (!this.#canSendNew()) return;
      else if (!this.#replay.isEmpty) {
        const replayed = this.#replay.next((filter) => this.qosByFilter.has(filter));
        if (replayed === 'later') return link.pumpLater();
        if (replayed === undefined) continue;
        const { message, qos } = replayed;
        if (!this.#mayHear(message.topic.name)) continue;
        if (qos === 0) link.sendPublish(message, 0, true, false, 0);
        else this.#sendNew(link, message, qos, true);
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
    return this.#queue.size === 0 && this.#replay.isEmpty;
  }

  #canSendNew(): boolean {
    const window = this.#inflight;
    return (
      this.#link?.canSend === true &&
      this.#resendAt >= window.tail &&
      window.count < this.#around.limits.inflightMax &&
      window.bytes < INFLIGHT_BYTES_MAX &&
      !window.isFull
    );
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
