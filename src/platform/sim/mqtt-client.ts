/**
 * Simulated twin of machine-mqtt-client.ts: a broker in memory, and clients on links of their own. A link takes
 * its time and can be cut at any message. Beyond what MQTT over TCP does in one session, it can lose, double and
 * reorder messages, which is how a broker that restarts or a subscriber that comes late looks from the other end.
 */
import type { Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type {
  MqttClient,
  MqttSession,
  MqttSessionHandlers,
  MqttSessionOptions,
} from '../network/mqtt-client.ts';

/** How one client's link behaves; may be changed at any time. */
export interface SimMqttLink {
  delayMs: number;
  /** Added to the delay of each message, up to this much: messages overtake each other. */
  jitterMs: number;
  /** Part of the messages that vanish although the sender got its acknowledgement. */
  lossRatio: number;
  /** Part of the messages that come twice. */
  doubleRatio: number;
  /** No connection can be made. */
  isDown: boolean;
  /** The link is cut in the middle of this many messages from now, counting both directions. */
  cutAfterMessages: number | undefined;
}

const GOOD_LINK: SimMqttLink = {
  delayMs: 0,
  jitterMs: 0,
  lossRatio: 0,
  doubleRatio: 0,
  isDown: false,
  cutAfterMessages: undefined,
};

/** What the topic and the fixed header of a publish take beside the payload. */
const HEADER_BYTES = 6;

interface SimMqttBrokerOptions {
  readonly timers: Timers;
  readonly random: Random;
  /** Who is let in; everybody without it. */
  readonly accepts?: (options: MqttSessionOptions) => boolean;
}

export class SimMqttBroker {
  readonly timers: Timers;
  readonly random: Random;
  readonly #accepts: (options: MqttSessionOptions) => boolean;
  readonly #sessions = new Map<string, SimMqttSession>();
  readonly #retained = new Map<string, Uint8Array>();

  constructor(options: SimMqttBrokerOptions) {
    this.timers = options.timers;
    this.random = options.random;
    this.#accepts = options.accepts ?? ((): boolean => true);
  }

  /** A client machine on a link of its own. */
  client(link: Partial<SimMqttLink> = {}): SimMqttClient {
    return new SimMqttClient(this, { ...GOOD_LINK, ...link });
  }

  /** For clients: a session begins, and takes the place of an earlier one with its id [MQTT-3.1.4-2]; false where it may not. */
  admits(session: SimMqttSession): boolean {
    const { clientId } = session.options;
    if (!this.#accepts(session.options)) return false;
    this.#sessions.get(clientId)?.lose('taken over');
    this.#sessions.set(clientId, session);
    return true;
  }

  /** For sessions: one is over; an abrupt end lets its will go out [MQTT-3.1.2-8]. */
  leave(session: SimMqttSession, isAbrupt: boolean): void {
    const { clientId, will } = session.options;
    if (this.#sessions.get(clientId) === session) this.#sessions.delete(clientId);
    if (isAbrupt && will !== undefined) this.route(will.topic, will.payload, will.retain);
  }

  route(topic: string, payload: Uint8Array, retain: boolean): void {
    if (retain && payload.length === 0) this.#retained.delete(topic);
    else if (retain) this.#retained.set(topic, payload);
    for (const session of this.#sessions.values()) session.offer(topic, payload);
  }

  retainedFor(filter: string): [topic: string, payload: Uint8Array][] {
    return [...this.#retained].filter(([topic]) => isMatch(filter, topic));
  }
}

export class SimMqttClient implements MqttClient {
  readonly link: SimMqttLink;
  /** Messages that began their way over this link, both directions. */
  messages = 0;
  readonly #broker: SimMqttBroker;
  /** What is on its way, in the order of leaving; without jitter nothing arrives before what left earlier. */
  readonly #underWay: { hasArrived: boolean; readonly resolve: () => void }[] = [];
  #session: SimMqttSession | undefined;

  constructor(broker: SimMqttBroker, link: SimMqttLink) {
    this.#broker = broker;
    this.link = link;
  }

  async connect(options: MqttSessionOptions, handlers: MqttSessionHandlers): Promise<MqttSession> {
    await this.travel();
    if (this.link.isDown) {
      handlers.onVain?.(0);
      throw new HubError('uplink.unreachable', `${options.url}: no route`);
    }
    const session = new SimMqttSession(this, this.#broker, options, handlers);
    if (!this.#broker.admits(session)) {
      const { clientId, username = '', password = '' } = options;
      handlers.onVain?.(HEADER_BYTES + clientId.length + username.length + password.length);
      throw new HubError('uplink.refused', `${options.url}: not authorised`);
    }
    this.#session = session;
    return session;
  }

  /** Ends the running session as a lost link does. */
  cut(): void {
    this.#session?.lose('link cut');
  }

  /** Counts a message; false where the link is cut under it. */
  carry(): boolean {
    this.messages += 1;
    if (this.link.cutAfterMessages === undefined) return true;
    this.link.cutAfterMessages -= 1;
    if (this.link.cutAfterMessages >= 0) return true;
    this.link.cutAfterMessages = undefined;
    this.cut();
    return false;
  }

  travel(): Promise<void> {
    const { delayMs, jitterMs } = this.link;
    const { timers, random } = this.#broker;
    const totalMs = delayMs + jitterMs * random.fraction();
    return new Promise((resolve) => {
      if (jitterMs > 0) {
        timers.after(totalMs, resolve);
        return;
      }
      const traveller = { hasArrived: false, resolve };
      this.#underWay.push(traveller);
      timers.after(totalMs, () => {
        traveller.hasArrived = true;
        while (this.#underWay[0]?.hasArrived === true) this.#underWay.shift()?.resolve();
      });
    });
  }
}

class SimMqttSession implements MqttSession {
  readonly options: MqttSessionOptions;
  bytesOut = 0;
  bytesIn = 0;
  readonly #client: SimMqttClient;
  readonly #broker: SimMqttBroker;
  readonly #handlers: MqttSessionHandlers;
  readonly #filters = new Set<string>();
  readonly #waiting = new Set<(error: HubError) => void>();
  #isOpen = true;

  constructor(
    client: SimMqttClient,
    broker: SimMqttBroker,
    options: MqttSessionOptions,
    handlers: MqttSessionHandlers,
  ) {
    this.#client = client;
    this.#broker = broker;
    this.options = options;
    this.#handlers = handlers;
  }

  publish(
    topic: string,
    payload: Uint8Array,
    options: { qos: 0 | 1; retain?: boolean },
  ): Promise<void> {
    const kept = payload.slice(); // The sender may go on using its buffer.
    return this.#untilEnd(async () => {
      this.bytesOut += topic.length + kept.length + HEADER_BYTES;
      const passes = this.#client.carry();
      await this.#client.travel();
      if (!passes) return;
      for (let copies = this.#copies(); copies > 0; copies--) {
        this.#broker.route(topic, kept, options.retain ?? false);
      }
      if (options.qos === 1) await this.#client.travel();
    });
  }

  subscribe(filters: readonly string[]): Promise<void> {
    return this.#untilEnd(async () => {
      await this.#client.travel();
      for (const filter of filters) {
        this.#filters.add(filter);
        for (const [topic, payload] of this.#broker.retainedFor(filter)) this.offer(topic, payload);
      }
      await this.#client.travel();
    });
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#end('closed by us', false);
    await this.#client.travel();
  }

  /** The link breaks. */
  lose(reason: string): void {
    if (this.#isOpen) this.#end(reason, true);
  }

  /** A message from the broker, where a subscription asks for it. */
  offer(topic: string, payload: Uint8Array): void {
    if (![...this.#filters].some((filter) => isMatch(filter, topic))) return;
    if (!this.#isOpen || !this.#client.carry()) return;
    for (let copies = this.#copies(); copies > 0; copies--) void this.#deliver(topic, payload);
  }

  async #deliver(topic: string, payload: Uint8Array): Promise<void> {
    await this.#client.travel();
    if (!this.#isOpen) return;
    this.bytesIn += topic.length + payload.length + HEADER_BYTES;
    void this.#handlers.onMessage(topic, payload.slice());
  }

  #copies(): number {
    const { lossRatio, doubleRatio } = this.#client.link;
    const dice = this.#broker.random.fraction();
    if (dice < lossRatio) return 0;
    return dice < lossRatio + doubleRatio ? 2 : 1;
  }

  #untilEnd(run: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#isOpen) {
        reject(new HubError('net.closed', 'the session has ended'));
        return;
      }
      this.#waiting.add(reject);
      const settle = (finish: () => void): void => {
        if (this.#waiting.delete(reject)) finish();
      };
      run().then(
        () => settle(resolve),
        (error: Error) => settle(() => reject(error)),
      );
    });
  }

  #end(reason: string, isAbrupt: boolean): void {
    this.#isOpen = false;
    this.#broker.leave(this, isAbrupt);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const reject of waiting) reject(new HubError('net.closed', reason));
    this.#handlers.onClose(reason);
  }
}

/** Topic filters of MQTT 3.1.1 §4.7; names and filters are taken to be well-formed. */
function isMatch(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (const [index, want] of wanted.entries()) {
    if (want === '#') return true;
    if (index >= levels.length || (want !== '+' && want !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}
