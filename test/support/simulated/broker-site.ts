/**
 * A broker in simulated time with clients on simulated lines, a door that tests open and close by hand, and a
 * gatekeeper that knows a few names. Packets are compared in words: `publish a/b hello qos1 id3`.
 */
import type { HubError } from '../../../src/base/errors.ts';
import type { Log, LogFields } from '../../../src/base/log.ts';
import { Broker } from '../../../src/broker/broker.ts';
import type {
  Admission,
  Credentials,
  Gatekeeper,
  InboundPublish,
  Lsn,
  Principal,
  PublishDoor,
} from '../../../src/broker/contract.ts';
import type { BrokerLimits } from '../../../src/broker/limits.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { joinedEnds, type LineOptions, type SimConnection } from './line.ts';
import { connect, type ConnectFields, describePacket, PacketReader } from '../made/mqtt-packets.ts';

/** Journals what the rule says; what it took becomes durable at `commit`. */
class HandDoor implements PublishDoor {
  /** `now`: durable at once, as long as nothing waits. */
  mode: 'journal' | 'pass' | 'now' = 'now';
  saturated = false;
  fault: HubError | undefined;
  /** Answers the next publishes with this. */
  refusal: HubError | undefined;
  /** Answers with an earlier LSN, as the door does for a redelivery. */
  redelivery: Lsn | undefined;
  readonly admitted: string[] = [];
  #lsn: Lsn;
  #listener: (durableLsn: Lsn) => void = () => undefined;
  /** As it was when the broker was opened. */
  readonly durableLsn: Lsn;

  constructor(durableLsn: Lsn) {
    this.durableLsn = durableLsn;
    this.#lsn = durableLsn;
  }

  admit(publish: InboundPublish): Admission {
    if (this.refusal !== undefined) return { kind: 'refused', fault: this.refusal };
    if (this.mode === 'pass') return { kind: 'pass' };
    if (this.redelivery !== undefined) return { kind: 'journaled', lsn: this.redelivery };
    const payload = Buffer.from(publish.payload).toString();
    this.admitted.push(`${publish.clientId} ${publish.topic} ${payload} qos${publish.qos}`);
    this.#lsn += 1;
    const lsn = this.#lsn;
    if (this.mode === 'now') this.#listener(lsn);
    return { kind: 'journaled', lsn };
  }

  onDurable(listener: (durableLsn: Lsn) => void): void {
    this.#listener = listener;
  }

  /** The card has taken everything up to `lsn`, or everything. */
  commit(lsn: Lsn = this.#lsn): void {
    this.#listener(lsn);
  }

  get lsn(): Lsn {
    return this.#lsn;
  }
}

/** Lets everyone in except `stranger`; nobody publishes below `secret/` or reads it; `slow` takes a second. */
export class NamedGatekeeper implements Gatekeeper {
  readonly #clock: SimClock;
  /** Topics and filters that nobody may use from now on. */
  readonly #closed = new Set<string>();
  /** Who has asked to come in, with which password. */
  readonly asked: string[] = [];

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  async authenticate(credentials: Credentials): Promise<Principal | undefined> {
    const { clientId, username = 'anyone', password } = credentials;
    this.asked.push(`${clientId} ${username} ${Buffer.from(password ?? []).toString()}`);
    if (username === 'broken') throw new Error('the user file cannot be read');
    if (username === 'slow') await new Promise<void>((done) => this.#clock.after(1000, done));
    const isKnown = username !== 'stranger' && (password === undefined || password.length > 0);
    return isKnown ? { name: username, role: 'device', clientId } : undefined;
  }

  mayPublish(_principal: Principal, topic: string): boolean {
    return !topic.startsWith('secret/') && !this.#closed.has(topic);
  }

  /** As the real one: `sync/<device>/…` is that device's alone, also behind a wildcard. */
  mayRead({ clientId }: Principal, filter: string): boolean {
    const [first, device] = filter.split('/');
    if (first === 'sync') return device === clientId;
    return first !== 'secret' && !this.#closed.has(filter);
  }

  get revision(): number {
    return this.#closed.size;
  }

  close(topicOrFilter: string): void {
    this.#closed.add(topicOrFilter);
  }
}

/** A client of the test: what it heard, in words, and whether the broker has closed the line. */
export class Probe {
  readonly line: SimConnection;
  readonly #clock: SimClock;
  readonly #reader = new PacketReader();
  #heard: string[] = [];
  isClosed = false;

  constructor(line: SimConnection, clock: SimClock) {
    this.line = line;
    this.#clock = clock;
    line.start({
      onData: (bytes) => {
        for (const { first, body } of this.#reader.feed(bytes)) {
          this.#heard.push(describePacket(first, body));
        }
      },
      onDrain: () => undefined,
      onClose: () => {
        this.isClosed = true;
      },
    });
  }

  /** Sends packets in one piece and lets everything settle; returns what was heard since the last time. */
  async send(...packets: Uint8Array[]): Promise<string[]> {
    this.line.write(Buffer.concat(packets));
    await this.#clock.advance(0);
    return this.heard();
  }

  /** What was heard since the last time. */
  heard(): string[] {
    const heard = this.#heard;
    this.#heard = [];
    return heard;
  }

  /** The line breaks without a word. */
  async vanish(): Promise<void> {
    this.line.cut();
    await this.#clock.advance(0);
  }
}

export interface SiteOptions {
  readonly limits?: Partial<BrokerLimits>;
  readonly line?: Partial<LineOptions>;
  /** What an earlier run has journaled. */
  readonly durableLsn?: Lsn;
}

export class Site {
  readonly clock = new SimClock(Date.UTC(2026, 2, 1));
  readonly door: HandDoor;
  readonly gatekeeper = new NamedGatekeeper(this.clock);
  readonly broker: Broker;
  readonly logged: { event: string; fields: LogFields }[] = [];
  readonly #line: Partial<LineOptions>;

  constructor({ limits = {}, line = {}, durableLsn = 0 }: SiteOptions = {}) {
    this.#line = line;
    this.door = new HandDoor(durableLsn);
    const write = (event: string, fields: LogFields = {}): void => {
      this.logged.push({ event, fields });
    };
    const log: Log = { debug: write, info: write, warn: write, error: write };
    const { clock, door, gatekeeper } = this;
    const version = 'heliograph test';
    this.broker = Broker.open({ door, gatekeeper, clock, timers: clock, log, limits, version });
  }

  /** A line to the broker, before any packet. */
  dial(line: Partial<LineOptions> = {}): Probe {
    const [near, far] = joinedEnds(this.clock, ['probe', 'broker'], { ...this.#line, ...line });
    this.broker.accept(far);
    return new Probe(near, this.clock);
  }

  /** A client that has sent CONNECT and forgotten the CONNACK. */
  async client(
    id: string,
    fields: ConnectFields = {},
    line: Partial<LineOptions> = {},
  ): Promise<Probe> {
    const probe = this.dial(line);
    const heard = await probe.send(connect({ id, ...fields }));
    if (!heard[0]?.startsWith('connack 0')) throw new Error(`${id} was not let in: ${heard[0]}`);
    return probe;
  }

  async turn(ms = 0): Promise<void> {
    await this.clock.advance(ms);
  }

  async commit(lsn?: Lsn): Promise<void> {
    this.door.commit(lsn);
    await this.turn();
  }
}
