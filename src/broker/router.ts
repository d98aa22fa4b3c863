/**
 * The way of a message from its publisher to its subscribers, with the promise in the middle: what the door
 * journals is acknowledged and delivered after its commit, in the order of the journal, whether or not the
 * publisher is still there. What the door lets pass, and QoS 0, is delivered at once.
 */
import { HubError } from '../base/errors.ts';
import {
  type Admission,
  INTERNAL_PREFIX,
  type InboundPublish,
  type Lsn,
  type MessageHandler,
  type MessageOutcome,
  PASS,
  type Principal,
  type PublishDoor,
} from './contract.ts';
import type { Counters } from './counters.ts';
import { Fifo } from './fifo.ts';
import type { Durability, Sequencer } from './sessions/durability.ts';
import type { Subscriber } from './sessions/session.ts';
import type { Message, Topic } from './topics/message.ts';
import { Publication, type PublishPacket } from './topics/publication.ts';
import type { RetainedStore } from './topics/retained.ts';
import { type Match, TopicIndex } from './topics/topic-index.ts';

/** The client a publish came from, or came from once: a will is published when it is gone. */
export interface Publisher {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly principal: Principal;
}

/** A client with acknowledgements that wait for the journal. */
export interface AckWaiter {
  /** Sends what is durable now; false where nothing waits any more. */
  releaseAcks(durableLsn: Lsn): boolean;
}

interface Pending {
  readonly lsn: Lsn;
  /** What is delivered, or done, when `lsn` is durable. */
  readonly next: Publication | (() => void);
}

interface RouterParts {
  readonly door: PublishDoor;
  readonly index: TopicIndex<Subscriber>;
  readonly retained: RetainedStore;
  readonly counters: Counters;
  /** Undefined where sessions and retained messages end with the process. */
  readonly durability: Durability | undefined;
  /** Takes back subscriptions whose right is gone; cheap where no rights have changed. */
  readonly recheckRights: () => void;
}

export class Router implements Sequencer {
  readonly #parts: RouterParts;
  readonly #handlers = new TopicIndex<MessageHandler>();
  /** Journaled and not yet durable, in the order of their LSNs. The door's saturation bounds it. */
  readonly #pending = new Fifo<Pending>();
  /** Changes among them: after one, other sessions may want what comes now. */
  #pendingChanges = 0;
  #waiters: AckWaiter[] = [];
  #durableLsn: Lsn;
  #highestLsn: Lsn = 0;

  constructor(parts: RouterParts) {
    this.#parts = parts;
    this.#durableLsn = parts.door.durableLsn;
  }

  get durableLsn(): Lsn {
    return this.#durableLsn;
  }

  handle(filter: string, handler: MessageHandler): void {
    this.#handlers.subscribe(filter, handler, 2);
  }

  /** Takes a publish that is allowed; the answer says what its acknowledgement waits for. */
  accept(packet: PublishPacket, from: Publisher): Admission {
    this.#parts.recheckRights();
    if (packet.topic.name.startsWith(INTERNAL_PREFIX)) return this.#handleInternal(packet, from);
    if (packet.qos === 0) {
      this.#acceptUnacknowledged(packet);
      return PASS;
    }
    const admission = this.#parts.door.admit(inboundPublish(packet, from));
    if (admission.kind === 'refused') return admission;
    if (admission.kind === 'pass') return this.#acceptUncaptured(packet, from);
    const { lsn } = admission;
    // An LSN that was given before marks a redelivery. Until its commit, the first coming is delivered for both;
    // after it, the ack may have been sent, and the standard wants a new publication [MQTT-4.3.2-2].
    if (lsn <= this.#highestLsn && lsn > this.#durableLsn) return admission;
    if (lsn > this.#durableLsn) this.#deliverWhenDurable(packet, lsn);
    else if (this.#isWanted(packet)) this.#deliver(Publication.ofPacket(packet, lsn, true));
    return admission;
  }

  after(lsn: Lsn, change: () => void): void {
    if (lsn <= this.#durableLsn) {
      change();
      return;
    }
    this.#pendingChanges += 1;
    this.#pending.push({ lsn, next: change });
  }

  /** Calls `releaseAcks` of the client at every commit until nothing of it waits. */
  awaitDurable(waiter: AckWaiter): void {
    this.#waiters.push(waiter);
  }

  /** A commit: acknowledgements first, then the messages themselves. */
  onDurable(durableLsn: Lsn): void {
    this.#durableLsn = durableLsn;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (waiter.releaseAcks(durableLsn)) this.#waiters.push(waiter);
    }
    for (let first = this.#pending.peek(); first !== undefined; first = this.#pending.peek()) {
      if (first.lsn > durableLsn) break;
      this.#pending.shift();
      if (typeof first.next === 'function') {
        this.#pendingChanges -= 1;
        first.next();
      } else {
        this.#deliver(first.next);
      }
    }
  }

  /** Delivers what an earlier run has taken: to sessions, and to what is retained. */
  redeliver(publication: Publication): void {
    if (publication.retain) this.#parts.retained.set(publication.message);
    for (const { subscriber, qos } of this.#parts.index.match(publication.topic.name)) {
      subscriber.deliver(publication, qos);
    }
  }

  /** Publishes a message of the hub's own. */
  publish(message: Message): void {
    this.#parts.recheckRights();
    this.#deliver(Publication.ofMessage(message));
  }

  /** Delivers a message of QoS 1 when its place in the log is durable; its bytes may change after the call. */
  passOn(topic: Topic, payload: Buffer, lsn: Lsn): void {
    const bytes = { buffer: payload, bodyStart: 0, payloadStart: 0, end: payload.length };
    const packet = { topic, qos: 1, retain: false, dup: false, packetId: 0, ...bytes } as const;
    this.#deliverWhenDurable(packet, lsn);
  }

  #deliver(publication: Publication): void {
    const topic = publication.topic.name;
    if (publication.retain) {
      if (!this.#parts.retained.set(publication.message)) this.#parts.counters.notRetained += 1;
      this.#parts.durability?.retained(topic, publication.lsn);
    }
    for (const { subscriber, qos } of this.#parts.index.match(topic)) {
      subscriber.deliver(publication, qos);
    }
    if (this.#handlers.size === 0 || !publication.hasBytes) return;
    for (const { subscriber: handler } of this.#handlers.match(topic)) {
      this.#call(handler, publication, undefined);
    }
  }

  #acceptUnacknowledged(packet: PublishPacket): void {
    if (!this.#isWanted(packet)) return;
    const publication = Publication.ofPacket(packet, 0);
    // A retained message must not overtake one of higher QoS that waits for the journal: the last one stays.
    if (packet.retain && this.#pending.size > 0) {
      this.#pending.push({ lsn: this.#highestLsn, next: publication.keep() });
    } else {
      this.#deliver(publication);
    }
  }

  /** A publish that is no op: where a kept session is owed it, or it is retained, it goes into the log all the same. */
  #acceptUncaptured(packet: PublishPacket, from: Publisher): Admission {
    const { durability } = this.#parts;
    if (durability === undefined || !(packet.retain || this.#isOwed(packet))) {
      if (this.#isWanted(packet)) this.#deliver(Publication.ofPacket(packet, 0));
      return PASS;
    }
    const { qos, retain, packetId, buffer, payloadStart, end } = packet;
    const topic = packet.topic.encoded.subarray(2);
    const payload = buffer.subarray(payloadStart, end);
    const publish = { topic, payload, qos, retain, clientId: from.clientId, packetId };
    let lsn: Lsn;
    try {
      lsn = durability.write({ kind: 'message', publish });
    } catch (error) {
      if (error instanceof HubError) return { kind: 'refused', fault: error };
      throw error;
    }
    this.#deliverWhenDurable(packet, lsn);
    return { kind: 'journaled', lsn };
  }

  #deliverWhenDurable(packet: PublishPacket, lsn: Lsn): void {
    this.#highestLsn = Math.max(lsn, this.#highestLsn);
    const matches = this.#parts.index.match(packet.topic.name);
    let needsBytes = packet.retain || this.#hasHandler(packet);
    for (let i = 0; i < matches.length && !needsBytes; i++) {
      needsBytes = (matches[i] as Match<Subscriber>).subscriber.needsBytes;
    }
    if (needsBytes) {
      this.#pending.push({ lsn, next: Publication.ofPacket(packet, lsn).keep() });
    } else if (matches.length > 0 || this.#pendingChanges > 0) {
      this.#pending.push({ lsn, next: Publication.ofLogged(packet, lsn) });
    }
  }

  #isOwed(packet: PublishPacket): boolean {
    const matches = this.#parts.index.match(packet.topic.name);
    return matches.some(({ subscriber, qos }) => subscriber.isDurable && qos > 0);
  }

  #hasHandler(packet: PublishPacket): boolean {
    return this.#handlers.size > 0 && this.#handlers.match(packet.topic.name).length > 0;
  }

  #isWanted(packet: PublishPacket): boolean {
    if (packet.retain || this.#parts.index.match(packet.topic.name).length > 0) return true;
    return this.#hasHandler(packet);
  }

  #handleInternal(packet: PublishPacket, from: Publisher): Admission {
    const publication = Publication.ofPacket(packet, 0);
    const handlers = this.#handlers.match(packet.topic.name);
    if (handlers.length === 0) this.#parts.counters.denied += 1;
    let lsn = 0;
    for (const { subscriber: handler } of handlers) {
      const outcome = this.#call(handler, publication, from.principal);
      if (outcome === undefined) continue;
      if ('refused' in outcome) return { kind: 'refused', fault: outcome.refused };
      lsn = Math.max(lsn, outcome.lsn);
    }
    return lsn === 0 ? PASS : { kind: 'journaled', lsn };
  }

  #call(
    handler: MessageHandler,
    publication: Publication,
    from: Principal | undefined,
  ): MessageOutcome {
    const { qos, retain } = publication;
    const topic = publication.topic.name;
    return handler({ topic, payload: publication.copyPayload(), qos, retain, from });
  }
}

function inboundPublish(packet: PublishPacket, from: Publisher): InboundPublish {
  const { qos, retain, dup, packetId } = packet;
  const { clientId, username } = from;
  const topic = packet.topic.name;
  const payload = packet.buffer.subarray(packet.payloadStart, packet.end);
  return username === undefined
    ? { topic, payload, qos, retain, dup, clientId, packetId }
    : { topic, payload, qos, retain, dup, clientId, packetId, username };
}
