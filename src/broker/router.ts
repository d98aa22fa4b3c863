/**
 * The way of a message from its publisher to its subscribers, with the promise in the middle: what the door
 * journals is acknowledged and delivered after its commit, in the order of the journal, whether or not the
 * publisher is still there. What the door lets pass, and QoS 0, is delivered at once.
 */
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
import type { Subscriber } from './sessions/session.ts';
import type { Message } from './topics/message.ts';
import { Publication, type PublishPacket } from './topics/publication.ts';
import type { RetainedStore } from './topics/retained.ts';
import { TopicIndex } from './topics/topic-index.ts';

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
  readonly publication: Publication;
}

export interface RouterParts {
  readonly door: PublishDoor;
  readonly index: TopicIndex<Subscriber>;
  readonly retained: RetainedStore;
  readonly counters: Counters;
}

export class Router {
  readonly #parts: RouterParts;
  readonly #handlers = new TopicIndex<MessageHandler>();
  /** Journaled and not yet durable, in the order of their LSNs. The door's saturation bounds it. */
  readonly #pending = new Fifo<Pending>();
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
    if (packet.topic.name.startsWith(INTERNAL_PREFIX)) return this.#handleInternal(packet, from);
    if (packet.qos === 0) {
      this.#acceptUnacknowledged(packet);
      return PASS;
    }
    const admission = this.#parts.door.admit(inboundPublish(packet, from));
    if (admission.kind === 'refused') return admission;
    if (admission.kind === 'pass') {
      if (this.#isWanted(packet)) this.#deliver(Publication.ofPacket(packet, 0));
      return admission;
    }
    const { lsn } = admission;
    // An LSN that was given before marks a redelivery. Until its commit, the first coming is delivered for both;
    // after it, the ack may have been sent, and the standard wants a new publication [MQTT-4.3.2-2].
    if (lsn <= this.#highestLsn && lsn > this.#durableLsn) return admission;
    this.#highestLsn = Math.max(lsn, this.#highestLsn);
    if (this.#isWanted(packet)) {
      const publication = Publication.ofPacket(packet, lsn);
      if (lsn <= this.#durableLsn) this.#deliver(publication);
      else this.#pending.push({ lsn, publication: publication.keep() });
    }
    return admission;
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
    for (let next = this.#pending.peek(); next !== undefined; next = this.#pending.peek()) {
      if (next.lsn > durableLsn) break;
      this.#pending.shift();
      this.#deliver(next.publication);
    }
  }

  /** Publishes a message of the hub's own. */
  publish(message: Message): void {
    this.#deliver(Publication.ofMessage(message));
  }

  #deliver(publication: Publication): void {
    const topic = publication.topic.name;
    if (publication.retain && !this.#parts.retained.set(publication.message)) {
      this.#parts.counters.notRetained += 1;
    }
    for (const { subscriber, qos } of this.#parts.index.match(topic)) {
      subscriber.deliver(publication, qos);
    }
    if (this.#handlers.size === 0) return;
    for (const { subscriber: handler } of this.#handlers.match(topic)) {
      this.#call(handler, publication, undefined);
    }
  }

  #acceptUnacknowledged(packet: PublishPacket): void {
    if (!this.#isWanted(packet)) return;
    const publication = Publication.ofPacket(packet, 0);
    // A retained message must not overtake one of higher QoS that waits for the journal: the last one stays.
    if (packet.retain && this.#pending.size > 0) {
      this.#pending.push({ lsn: this.#highestLsn, publication: publication.keep() });
    } else {
      this.#deliver(publication);
    }
  }

  #isWanted(packet: PublishPacket): boolean {
    if (packet.retain || this.#parts.index.match(packet.topic.name).length > 0) return true;
    return this.#handlers.size > 0 && this.#handlers.match(packet.topic.name).length > 0;
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
