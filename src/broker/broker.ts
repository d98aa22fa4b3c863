/**
 * The MQTT broker of the hub: MQTT 3.1 and 3.1.1 on any `Connection`. What the door journals is acknowledged
 * only when it is durable; everything else is what a user of Mosquitto expects. README.md lists each normative
 * statement of the standard with its test.
 *
 * Control and data plane are one and our own. Brokers to build upon acknowledge before their hooks run, keep
 * few limits, and handle each message with promises and timers: README.md says what that costs.
 */
import type { Cancel, Clock, Timers } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Connection } from '../platform/network.ts';
import { Client, type ClientSurroundings } from './client.ts';
import type { Gatekeeper, MessageHandler, PublishDoor, Qos } from './contract.ts';
import { Counters } from './counters.ts';
import { KeepaliveWheel } from './keepalive-wheel.ts';
import { type BrokerLimits, DEFAULT_LIMITS } from './limits.ts';
import { PublisherGate } from './publishing/publisher-gate.ts';
import { RareLog } from './rare-log.ts';
import { Router } from './router.ts';
import { SessionRegistry } from './sessions/session-registry.ts';
import type { Subscriber } from './sessions/session.ts';
import { SysTopics } from './sys-topics.ts';
import { keepPayload, TopicTable } from './topics/message.ts';
import { RetainedStore } from './topics/retained.ts';
import { TopicIndex } from './topics/topic-index.ts';
import { BufferPool, TurnFlush } from './wire/outbox.ts';

export interface BrokerOptions {
  readonly door: PublishDoor;
  readonly gatekeeper: Gatekeeper;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Those that differ from DEFAULT_LIMITS. */
  readonly limits?: Partial<BrokerLimits>;
  /** What `$SYS/broker/version` says. */
  readonly version: string;
}

export interface BrokerStat {
  readonly clients: number;
  readonly clientsMax: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retained: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** QoS 1 and 2 messages that wait for clients or their acknowledgement, and what they cost. */
  readonly queued: number;
  readonly queuedBytes: number;
  /** QoS 0 messages dropped at slow clients. */
  readonly dropped: number;
  /** Messages cut from full queues. */
  readonly cut: number;
  readonly denied: number;
  readonly refused: number;
  readonly notRetained: number;
  /** Publishers that are not read because the card is behind. */
  readonly held: number;
}

/** Topics whose text and bytes are remembered. */
const TOPICS_MAX = 16_384;
const HOUSEKEEPING_MS = 10_000;
/** How long a right that was taken away may still be used to read. */
const RIGHTS_CHECK_MS = 1_000;

export class Broker {
  readonly #around: ClientSurroundings;
  readonly #index: TopicIndex<Subscriber>;
  readonly #retained: RetainedStore;
  readonly #budget: { bytes: number; readonly bytesMax: number };
  readonly #log: Log;
  readonly #sys: SysTopics;
  readonly #timers: readonly Cancel[];
  #autoIds = 0;

  static open(options: BrokerOptions): Broker {
    return new Broker(options);
  }

  private constructor(options: BrokerOptions) {
    const { door, gatekeeper, clock, timers, log } = options;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const counters = new Counters();
    this.#log = log;
    this.#index = new TopicIndex();
    this.#retained = new RetainedStore(limits);
    this.#budget = { bytes: 0, bytesMax: limits.queueBytesTotalMax };
    const { budget, retained } = { budget: this.#budget, retained: this.#retained };
    const sessions = new SessionRegistry(
      { limits, budget, retained, counters, gatekeeper },
      this.#index,
    );
    const soon = (callback: () => void): void => void timers.soon(callback);
    const turn = new TurnFlush(soon);
    const router = new Router({ door, index: this.#index, retained, counters });
    const gate = new PublisherGate(door, soon);
    this.#around = {
      limits,
      door,
      gatekeeper,
      clock,
      counters,
      sessions,
      turn,
      router,
      gate,
      soon,
      rareLog: new RareLog(log, clock),
      pool: new BufferPool(),
      topics: new TopicTable(TOPICS_MAX),
      wheel: new KeepaliveWheel(timers),
      connected: new Set(),
      online: new Set(),
      newClientId: () => this.#newClientId(),
    };
    door.onDurable((durableLsn) => {
      router.onDurable(durableLsn);
      gate.relieve();
      turn.flush();
    });
    this.#sys = new SysTopics({ version: options.version, clock, stat: () => this.stat() });
    this.#timers = [
      timers.every(HOUSEKEEPING_MS, () => this.#keepHouse()),
      timers.every(RIGHTS_CHECK_MS, () => sessions.recheckRights()),
    ];
  }

  /** Serves a client on a fresh connection. */
  accept(connection: Connection): void {
    connection.start(new Client(connection, this.#around));
  }

  /** Publishes a message of the hub's own; it does not pass the door. */
  publish(
    topic: string,
    payload: Uint8Array,
    { qos = 0, retain = false }: { readonly qos?: Qos; readonly retain?: boolean } = {},
  ): void {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    const kept = keepPayload(bytes, 0, bytes.length);
    const message = { topic: this.#around.topics.named(topic), payload: kept, qos, retain, lsn: 0 };
    this.#around.router.publish(message);
  }

  /**
   * Calls `handler` for each message of topics that `filter` names. Publishes to `sync/…` go to handlers alone,
   * and their outcome decides about the acknowledgement; at all other topics a handler is one more subscriber,
   * called at delivery, and its outcome does not matter.
   */
  onMessage(filter: string, handler: MessageHandler): void {
    this.#around.router.handle(filter, handler);
  }

  stat(): BrokerStat {
    const { counters, sessions, online, gate } = this.#around;
    let queued = 0;
    for (const session of sessions.values()) queued += session.backlog;
    const { clientsMax, messagesIn, messagesOut, bytesIn, bytesOut } = counters;
    const { dropped, cut, denied, refused, notRetained } = counters;
    return {
      clients: online.size,
      clientsMax,
      sessions: sessions.size,
      subscriptions: this.#index.size,
      retained: this.#retained.count,
      messagesIn,
      messagesOut,
      bytesIn,
      bytesOut,
      queued,
      queuedBytes: this.#budget.bytes,
      dropped,
      cut,
      denied,
      refused,
      notRetained,
      held: gate.heldCount,
    };
  }

  /** Closes all connections, without wills, and stops all timers; kept sessions end with the process. */
  close(): void {
    for (const cancel of this.#timers) cancel();
    this.#around.wheel.close();
    for (const client of Array.from(this.#around.connected)) client.shutDown();
  }

  #newClientId(): string {
    let clientId: string;
    do clientId = `auto-${(this.#autoIds += 1)}`;
    while (this.#around.sessions.has(clientId));
    return clientId;
  }

  #keepHouse(): void {
    const { sessions, clock, gate } = this.#around;
    const expired = sessions.expire(clock.monotonicMs());
    if (expired > 0) this.#log.info('broker.sessions.expired', { sessions: expired });
    gate.relieve(); // A door that recovered without a commit calls nobody.
    for (const [topic, text] of this.#sys.changed()) {
      this.publish(topic, Buffer.from(text), { retain: true });
    }
  }
}
