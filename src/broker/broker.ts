/**
 * The MQTT broker of the hub: MQTT 3.1 and 3.1.1 on any `Connection`. What the door journals is acknowledged
 * only when it is durable; everything else is what a user of Mosquitto expects. README.md lists each normative
 * statement of the standard with its test.
 *
 * Control and data plane are one and our own. Brokers to build upon acknowledge before their hooks run, keep
 * few limits, and handle each message with promises and timers: README.md says what that costs.
 */
import type { Cancel, Clock, Timers } from '../base/clock.ts';
import { HubError } from '../base/errors.ts';
import { type Log, RareLog } from '../base/log.ts';
import type { Connection } from '../platform/network/network.ts';
import { Client, type ClientSurroundings } from './connection/client.ts';
import type { Gatekeeper, Lsn, MessageHandler, PublishDoor, Qos, SessionLog } from './contract.ts';
import { type BrokerStat, Counters } from './counters.ts';
import { KeepaliveWheel } from './connection/keepalive-wheel.ts';
import { type BrokerLimits, DEFAULT_LIMITS } from './limits.ts';
import { PublisherGate } from './publishing/publisher-gate.ts';
import { Router } from './router.ts';
import { Durability } from './sessions/durability.ts';
import { type RecoveryParts, SessionRecovery, sumUp } from './sessions/session-recovery.ts';
import { SessionRegistry } from './sessions/session-registry.ts';
import type { Subscriber } from './sessions/session.ts';
import { SysTopics } from './sys-topics.ts';
import { keepPayload, TopicTable } from './topics/message.ts';
import { RetainedStore } from './topics/retained.ts';
import { TopicIndex } from './topics/topic-index.ts';
import { BufferPool, TurnFlush } from './wire/frame-writer.ts';

interface BrokerOptions {
  readonly door: PublishDoor;
  /** Where kept sessions survive a crash; without it they end with the process. */
  readonly sessionLog?: SessionLog;
  readonly gatekeeper: Gatekeeper;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Those that differ from DEFAULT_LIMITS. */
  readonly limits?: Partial<BrokerLimits>;
  /** What `$SYS/broker/version` says. */
  readonly version: string;
}

/** Topics whose text and bytes are remembered. */
const TOPICS_MAX = 16_384;
const HOUSEKEEPING_MS = 10_000;
/** What clients do wrong is told once in so long. */
const MISTAKES_MS = 10_000;

/** So much of the log behind the last file of sessions calls for a new one: a start reads what lies behind it. */
const SUM_UP_LSNS = 200_000;

export class Broker {
  readonly #around: ClientSurroundings;
  readonly #index: TopicIndex<Subscriber>;
  readonly #retained: RetainedStore;
  readonly #budget: { bytes: number; readonly bytesMax: number };
  readonly #log: Log;
  readonly #sys: SysTopics;
  readonly #stopHousekeeping: Cancel;
  readonly #durability: Durability | undefined;
  readonly #sessionLog: SessionLog | undefined;
  #recoveryParts: RecoveryParts | undefined;
  /** What the file of sessions covers, and the work on the next one. */
  #summedUpLsn: Lsn = 0;
  #summingUp: Promise<void> = Promise.resolve();
  #isSummingUp = false;
  /** What of the counters the log has told. */
  #told = { cut: 0, notRetained: 0 };
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
    const topics = new TopicTable(TOPICS_MAX);
    const soon = (callback: () => void): void => void timers.soon(callback);
    const turn = new TurnFlush(soon);
    const { sessionLog } = options;
    const sequencer = { after: (lsn: Lsn, change: () => void) => router.after(lsn, change) };
    const durability =
      sessionLog && new Durability({ sessionLog, sequencer, retained, topics, timers });
    const recheckRights = (): void => this.recheckRights();
    const router = new Router({
      door,
      index: this.#index,
      retained,
      counters,
      durability,
      recheckRights,
    });
    const sessions = new SessionRegistry(
      { limits, budget, retained, counters, gatekeeper, clock, durability },
      this.#index,
    );
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
      rareLog: new RareLog(log, clock, MISTAKES_MS),
      pool: new BufferPool(),
      topics,
      wheel: new KeepaliveWheel(timers),
      connected: new Set(),
      online: new Set(),
      newClientId: () => this.#newClientId(),
    };
    this.#durability = durability;
    this.#sessionLog = sessionLog;
    const recovery = sessionLog && this.#recover(sessionLog);
    door.onDurable((durableLsn) => {
      recovery?.onDurable(durableLsn);
      router.onDurable(durableLsn);
      gate.relieve();
      turn.flush();
    });
    this.#sys = new SysTopics({ version: options.version, clock, stat: () => this.stat() });
    this.#stopHousekeeping = timers.every(HOUSEKEEPING_MS, () => this.#keepHouse());
  }

  /** The oldest LSN that a session still has to read; Infinity where none has. */
  get pinnedLsn(): Lsn {
    let pinned = Infinity;
    for (const { owed } of this.#around.sessions.values()) {
      pinned = Math.min(pinned, owed?.oldestLsn ?? Infinity);
    }
    return pinned;
  }

  /** Takes from sessions what lies at or below `lsn`, because the log needs the room; it is counted as cut. */
  cutThrough(lsn: Lsn): void {
    let messages = 0;
    for (const session of this.#around.sessions.values())
      messages += session.owed?.cutThrough(lsn) ?? 0;
    this.#around.counters.cut += messages;
    this.#told.cut += messages;
    if (messages > 0) this.#log.warn('broker.queues.cut', { throughLsn: lsn, messages });
  }

  /** Writes the file of sessions; the log may be released up to the LSN that this resolves to. */
  async sumUp(): Promise<Lsn> {
    while (this.#isSummingUp) await this.#summingUp;
    if (this.#sessionLog === undefined || this.#recoveryParts === undefined) return Infinity;
    this.#isSummingUp = true;
    const lsn = this.#around.router.durableLsn;
    const saving = this.#sessionLog.save(sumUp(lsn, this.#recoveryParts));
    this.#summingUp = saving.finally(() => (this.#isSummingUp = false));
    await this.#summingUp;
    this.#summedUpLsn = lsn;
    return lsn;
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
   * Delivers what lies in the log at `lsn` as if a client had published it with QoS 1: to be called in the order of the log, before
   * anything else is written to it.
   */
  passOn(topic: string, payload: Uint8Array, lsn: Lsn): void {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    this.#around.router.passOn(this.#around.topics.named(topic), bytes, lsn);
  }

  /**
   * Calls `handler` for each message of topics that `filter` names. Publishes to `sync/…` go to handlers alone,
   * and their outcome decides about the acknowledgement; at all other topics a handler is one more subscriber,
   * called at delivery, and its outcome does not matter.
   */
  onMessage(filter: string, handler: MessageHandler): void {
    this.#around.router.handle(filter, handler);
  }

  /** Rights may have changed: who may not read any more hears no more, who is not known any more goes. */
  recheckRights(): void {
    // Later, because this may be asked for in the midst of a client's own publish.
    if (this.#around.sessions.recheckRights()) this.#around.soon(() => this.#dropUnknown());
  }

  stat(): BrokerStat {
    const { counters, sessions, online, gate } = this.#around;
    let queued = 0;
    for (const session of sessions.values()) queued += session.backlog;
    const { packetsIn: _packetsIn, ...counted } = counters;
    return {
      ...counted,
      clients: online.size,
      sessions: sessions.size,
      subscriptions: this.#index.size,
      retained: this.#retained.count,
      queued,
      queuedBytes: this.#budget.bytes,
      held: gate.heldCount,
    };
  }

  /** Closes all connections, without wills, and stops all timers; resolves when sessions are kept, if they can be. */
  async close(): Promise<void> {
    this.#stopHousekeeping();
    this.#around.wheel.close();
    for (const client of Array.from(this.#around.connected)) client.shutDown();
    this.#durability?.close();
    await this.#tryToSumUp();
  }

  #recover(sessionLog: SessionLog): SessionRecovery {
    const { sessions, topics, clock, router } = this.#around;
    const parts: RecoveryParts = {
      sessionLog,
      sessions,
      topics,
      clock,
      retained: this.#retained,
      log: this.#log,
      deliver: (publication) => router.redeliver(publication),
    };
    this.#recoveryParts = parts;
    const recovery = new SessionRecovery(parts);
    const fileLsn = recovery.start();
    this.#summedUpLsn = recovery.isFileForeign ? -Infinity : fileLsn;
    return recovery;
  }

  async #tryToSumUp(): Promise<void> {
    try {
      await this.sumUp();
    } catch (error) {
      // The old file and the log behind it say the same.
      if (!(error instanceof HubError)) throw error;
      this.#log.warn('broker.sessions.not-saved', { reason: error.message });
    }
  }

  #dropUnknown(): void {
    const { gatekeeper, online } = this.#around;
    for (const client of Array.from(online)) {
      if (gatekeeper.isAdmitted?.(client.principal) === false) client.drop('no longer admitted');
    }
  }

  #newClientId(): string {
    let clientId: string;
    do clientId = `auto-${(this.#autoIds += 1)}`;
    while (this.#around.sessions.has(clientId));
    return clientId;
  }

  #keepHouse(): void {
    this.recheckRights();
    const { sessions, clock, gate } = this.#around;
    const expired = sessions.expire(clock.monotonicMs());
    if (expired.sessions > 0) this.#log.info('broker.sessions.expired', expired);
    const behind = this.#around.router.durableLsn - this.#summedUpLsn;
    if (behind >= SUM_UP_LSNS && !this.#isSummingUp) void this.#tryToSumUp();
    gate.relieve(); // A door that recovered without a commit calls nobody.
    this.#tellLosses();
    for (const [topic, text] of this.#sys.changed()) {
      this.publish(topic, Buffer.from(text), { retain: true });
    }
  }

  /** What limits have cost since the last look: no client is told, so a person has to be. */
  #tellLosses(): void {
    const { cut, notRetained } = this.#around.counters;
    const messages = cut - this.#told.cut;
    const { queueMessagesMax, queueBytesMax, queueBytesTotalMax } = this.#around.limits;
    const limits = { queueMessagesMax, queueBytesMax, queueBytesTotalMax };
    if (messages > 0) this.#log.warn('broker.queues.full', { messages, ...limits });
    const lost = notRetained - this.#told.notRetained;
    const { retainedMessagesMax, retainedBytesMax } = this.#around.limits;
    if (lost > 0) {
      const room = { retainedMessagesMax, retainedBytesMax };
      this.#log.warn('broker.retained.full', { messages: lost, ...room });
    }
    this.#told = { cut, notRetained };
  }
}
