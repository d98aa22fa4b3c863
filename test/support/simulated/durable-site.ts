/**
 * A broker with journal and door on a simulated machine that can be killed, or lose its power, and started again;
 * clients on simulated lines. Packets are compared in words, as in broker-site.ts.
 */
import { type Log, type LogFields, SILENT_LOG } from '../../../src/base/log.ts';
import { Broker } from '../../../src/broker/broker.ts';
import type { BrokerLimits } from '../../../src/broker/limits.ts';
import { JournalSessionLog } from '../../../src/hub/storage/sessions.ts';
import { passingOn } from '../../../src/hub/sync/passing-on.ts';
import type { CaptureRule } from '../../../src/ingest/door/capture.ts';
import { Door } from '../../../src/ingest/door/door.ts';
import { Journal } from '../../../src/journal/journal.ts';
import { PLAIN_SEALER } from '../../../src/journal/sealer.ts';
import { unfoldable } from '../../../src/merge/fold.ts';
import { HlcClock } from '../../../src/model/hlc.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimCrash, SimFiles } from '../../../src/platform/sim/files.ts';
import { SimLife } from '../../../src/platform/sim/life.ts';
import { joinedEnds } from './line.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { OPS_FILTER } from '../../../src/sync/ops-door.ts';
import { NamedGatekeeper, Probe } from './broker-site.ts';
import { connect, type ConnectFields } from '../made/mqtt-packets.ts';
import { HUB } from '../made/ops.ts';

export interface DurableSiteOptions {
  readonly seed?: number;
  readonly segmentBytes?: number;
  readonly limits?: Partial<BrokerLimits>;
  readonly capture?: readonly CaptureRule[];
}

const deviceOf = (topic: string): string => topic.split('/')[1] ?? '';

export class DurableSite {
  readonly clock = new SimClock(Date.UTC(2026, 2, 1));
  readonly random: SeededRandom;
  readonly files: SimFiles;
  readonly logged: { event: string; fields: LogFields }[] = [];
  readonly #options: DurableSiteOptions;
  #life = new SimLife(this.clock);
  #journal: Journal | undefined;
  #broker: Broker | undefined;
  #door: Door | undefined;
  #boots = 0;

  constructor(options: DurableSiteOptions = {}) {
    this.#options = options;
    this.random = new SeededRandom(options.seed ?? 1);
    this.files = new SimFiles({ random: this.random.fork('disk') });
  }

  static async open(options: DurableSiteOptions = {}): Promise<DurableSite> {
    const site = new DurableSite(options);
    await site.start();
    return site;
  }

  get journal(): Journal {
    return this.#journal as Journal;
  }

  get door(): Door {
    return this.#door as Door;
  }

  get broker(): Broker {
    return this.#broker as Broker;
  }

  async start(): Promise<void> {
    const { files, clock, random } = this;
    const { segmentBytes = 1 << 20, limits = {}, capture = [] } = this.#options;
    const life = new SimLife(clock);
    this.#life = life;
    const { timers } = life;
    const journal = await Journal.open({
      files,
      clock,
      timers,
      segmentBytes,
      dir: '/data/journal',
      log: SILENT_LOG,
      random: random.fork(`salt${this.#boots}`),
      totalBytesMax: 64 * segmentBytes,
      freeBytesMin: 0,
      sealer: PLAIN_SEALER,
    });
    this.#boots += 1;
    const door = Door.open({
      journal,
      clock,
      capture,
      hub: HUB,
      bootId: this.#boots,
      hlc: new HlcClock(clock),
      log: SILENT_LOG,
      knownVector: new Map(),
      lingerMs: () => 0,
      unfoldable,
    });
    const write = (event: string, fields: LogFields = {}): void => {
      this.logged.push({ event, fields });
    };
    const log: Log = { debug: write, info: write, warn: write, error: write };
    const hub: Origin = HUB;
    const path = '/data/sessions.cbor';
    this.#journal = journal;
    this.#door = door;
    this.#broker = Broker.open({
      door,
      clock,
      timers,
      log,
      limits,
      sessionLog: new JournalSessionLog({ journal, hub, files, path }),
      gatekeeper: new NamedGatekeeper(clock),
      version: 'heliograph test',
    });
    const acceptOps = passingOn(door, this.#broker);
    this.#broker.onMessage(OPS_FILTER, ({ topic, payload, from }) => {
      const outcome = acceptOps(payload, { role: 'device', ...from, device: deviceOf(topic) });
      return outcome.lsn === 0 ? undefined : { lsn: outcome.lsn };
    });
  }

  /** The process ends without a word and starts again; what the kernel had is there. */
  async killed(): Promise<void> {
    this.#life.end();
    this.files.kill();
    await this.start();
    await this.turn();
  }

  /** The machine loses its power and starts again; what was not synced is there or not, as the dice say. */
  async powerCut(): Promise<void> {
    this.#life.end();
    this.files.powerCut();
    await this.start();
    await this.turn();
  }

  /** A proper stop, and a start. */
  async restarted(): Promise<void> {
    const closing = this.broker.close();
    await this.turn(10);
    await closing;
    const journalClosing = this.journal.close();
    await this.turn(10);
    await journalClosing;
    this.#life.end();
    await this.start();
    await this.turn();
  }

  async client(id: string, fields: ConnectFields = {}): Promise<Probe> {
    const [client] = await this.greeted(id, fields);
    return client;
  }

  /** A client, and what it heard upon its CONNECT. */
  async greeted(id: string, fields: ConnectFields = {}): Promise<[Probe, string[]]> {
    this.#mustLive();
    const [near, far] = joinedEnds(this.clock, ['probe', 'broker'], {});
    this.broker.accept(far);
    const probe = new Probe(near, this.clock);
    const heard = await probe.send(connect({ id, clean: false, ...fields }));
    heard.push(...(await this.settled(probe)));
    if (!heard[0]?.startsWith('connack 0')) throw new Error(`${id} was not let in: ${heard[0]}`);
    return [probe, heard];
  }

  /** What a client hears until nothing more comes. */
  async settled(probe: Probe): Promise<string[]> {
    await this.turn(5);
    return probe.heard();
  }

  /** Sends, and waits for the card. */
  async say(probe: Probe, ...packets: Uint8Array[]): Promise<string[]> {
    this.#mustLive();
    const heard = await probe.send(...packets);
    return [...heard, ...(await this.settled(probe))];
  }

  /** A dead machine hears nothing. */
  #mustLive(): void {
    if (this.files.crashed) throw new SimCrash('this machine is dead');
  }

  async turn(ms = 0): Promise<void> {
    await this.clock.advance(ms);
  }
}
