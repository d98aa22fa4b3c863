/**
 * A month in the field, in simulated time: the real journal, store, power brain, uplink and regional node live on a
 * simulated machine and site, while weather, links and faults do what the seed says. The checks run all the time;
 * the first broken promise ends the pilot with the seed, the simulated time and the last events.
 *
 * At the end of the counted days the faults stop, the sun shines and everything is sent: then nothing that was
 * acknowledged may be missing upstream, and both sides must have the same state.
 */
import { turn } from '../base/clock.ts';
import { HubError, messageOf } from '../base/errors.ts';
import { CLASS_NAMES, CLASSES, LOG } from '../model/class.ts';
import { makeTempDir } from '../platform/children.ts';
import { machineTimers } from '../platform/clock.ts';
import { machineFiles } from '../platform/files/machine-files.ts';
import { SimClock } from '../platform/sim/clock.ts';
import { SimFiles } from '../platform/sim/files.ts';
import { SimMqttBroker, type SimMqttClient } from '../platform/sim/mqtt-client.ts';
import { SeededRandom } from '../platform/sim/random.ts';
import type { SimSite } from '../platform/sim/site.ts';
import type { Sky } from '../platform/sim/sky.ts';
import { Books } from './judging/books.ts';
import { checks } from './judging/checks.ts';
import { Devices, keyOf } from './world/devices.ts';
import { EventLog, PilotFailure } from './events.ts';
import {
  type FaultEvent,
  faultText,
  isAway,
  type PlannedFault,
  planFaults,
} from './world/faults.ts';
import { HubClock } from './world/hub-clock.ts';
import { HubLife, type HubWorld } from './lives/hub-life.ts';
import { pilotFiles } from './world/pilot-files.ts';
import { siteOf } from './world/light-model.ts';
import { Contract } from './world/contract.ts';
import { LINK_DELAY_MS, PilotLink } from './world/pilot-link.ts';
import type { PilotOutcome } from './outcome.ts';
import { Recorder } from './recorder.ts';
import { RegionLife } from './lives/region-life.ts';
import { CARD_BYTES, Troubles } from './troubles.ts';
import { DAY_MS, MINUTE_MS, type Scenario } from './scenario.ts';

/** Who waits for a pilot. */
export interface Watch {
  /** Hears of each day that is over. */
  readonly onDay?: (day: number) => void;
  /** Ends the pilot within a simulated hour: `runPilot` throws the reason. */
  readonly signal?: AbortSignal;
}

const DAY_MINUTES = 1_440;
/** systemd starts the process again after this. */
const RESTART_MS = 5_000;
/** Time for everything to be sent in the end. */
const DRAIN_MINUTES_MAX = 4 * DAY_MINUTES;

/** Runs a pilot; throws `PilotFailure` where a promise is broken. */
export async function runPilot(scenario: Scenario, watch: Watch = {}): Promise<PilotOutcome> {
  const folder = makeTempDir('heliograph-pilot-');
  const pilot = new Pilot(scenario, folder, watch);
  try {
    return await pilot.run();
  } catch (error) {
    if (error instanceof PilotFailure || watch.signal?.aborted === true) throw error;
    throw pilot.failure(messageOf(error), error);
  } finally {
    machineFiles.remove(folder);
  }
}

class Pilot {
  readonly scenario: Scenario;
  readonly clock: SimClock;
  readonly hubClock: HubClock;
  readonly site: SimSite;
  readonly recorder = new Recorder();
  readonly books = new Books((fromMs, toMs) => this.recorder.wasAway(fromMs, toMs));
  readonly events: EventLog;
  readonly devices: Devices;
  readonly link: PilotLink;
  readonly contract: Contract;
  readonly hubDisk: SimFiles;
  hub: HubLife | undefined;
  region: RegionLife | undefined;
  /** Believed by the hub. */
  #believedWh = 0;
  #restarts = 0;
  #minute = 0;
  #hubBackAtMs = 0;
  #regionBackAtMs = 0;
  #plugPulledUntilMs = 0;
  #isMended = false;
  readonly #watch: Watch;
  readonly #random: SeededRandom;
  readonly #faults: PlannedFault[];
  readonly #hubRadio: SimMqttClient;
  readonly #hubWorld: HubWorld;
  readonly #regionWorld: Parameters<typeof RegionLife.open>[0];
  readonly #troubles: Troubles;

  constructor(scenario: Scenario, folder: string, watch: Watch) {
    const { preset, seed, startMs, devices, days, faults } = scenario;
    const random = new SeededRandom(seed).fork('pilot');
    const clock = new SimClock(startMs);
    this.scenario = scenario;
    this.#watch = watch;
    this.clock = clock;
    this.#random = random.fork('life');
    this.hubClock = new HubClock(clock);
    this.events = new EventLog(clock);
    const sky: Sky = {
      ghiWm2: (wallMs) => (this.#isMended ? 1_000 : scenario.sky.ghiWm2(wallMs)),
    };
    this.site = siteOf({ preset, startMs, sky });
    this.devices = new Devices(devices, this.books, random.fork('devices'));
    this.#faults = planFaults(days, faults, random.fork('faults'));
    const broker = new SimMqttBroker({ timers: clock, random: random.fork('broker') });
    this.#hubRadio = broker.client({ delayMs: LINK_DELAY_MS[preset.link] });
    this.contract = new Contract(clock, scenario.quotaMib);
    this.link = new PilotLink({
      kind: preset.link,
      client: this.#hubRadio,
      timers: clock,
      contract: this.contract,
      spend: (wh) => this.site.spend(wh),
      onAttempt: () => checks.reserve(this, this.hub),
      onUp: () => this.hubClock.repair(),
    });
    this.hubDisk = new SimFiles({ random: random.fork('hub disk'), capacityBytes: CARD_BYTES });
    this.#hubWorld = {
      scenario,
      clock,
      hubClock: this.hubClock,
      random: random.fork('hub'),
      files: pilotFiles(this.hubDisk, machineFiles),
      dataDir: `${folder}/hub`,
      link: this.link,
      site: {
        measure: () => {
          this.site.advance(clock.wallMs());
          return this.site.measure();
        },
        spend: (energyWh) => {
          this.#believedWh += energyWh;
        },
      },
      log: this.events,
    };
    this.#troubles = new Troubles({
      clock,
      hubClock: this.hubClock,
      hubDisk: this.hubDisk,
      link: this.link,
      radio: this.#hubRadio.link,
      random: random.fork('troubles'),
    });
    const regionDisk = new SimFiles({ random: random.fork('region disk') });
    this.#regionWorld = {
      clock,
      random: random.fork('region'),
      files: pilotFiles(regionDisk, machineFiles),
      dataDir: `${folder}/region`,
      link: broker.client({ delayMs: 5 }),
      log: this.events,
      onStored: ({ op }) => {
        checks.contract(this, op.class);
        this.books.stored(keyOf(op.origin, op.class, op.seq), clock.wallMs());
      },
    };
  }

  async run(): Promise<PilotOutcome> {
    const { days } = this.scenario;
    for (; this.#minute < days * DAY_MINUTES; this.#minute++) await this.#liveMinute();
    const downRatio = this.site.totals.downMs / (days * DAY_MS);
    const energy = { radioWh: this.link.energyWh, believedWh: this.#believedWh };
    const { sessions, bytes } = this.link;
    const contract = this.contract.use();
    this.books.closeAt(this.clock.wallMs());
    const byClass = this.books.figures();
    this.recorder.end(this.clock.wallMs());
    const digest = await this.#drain();
    return {
      scenario: this.scenario,
      byClass,
      downRatio,
      radioWhPerDay: energy.radioWh / days,
      believedWhPerDay: energy.believedWh / days,
      sessionsPerDay: sessions / days,
      radioBytes: bytes,
      contract,
      restarts: this.#restarts,
      acknowledged: this.books.acknowledgedTotal,
      digest,
      recorder: this.recorder,
      books: this.books,
    };
  }

  /** What the files of a folder of the hub's data take. */
  bytesBelow(folder: string): number {
    const dir = `${this.#hubWorld.dataDir}/${folder}`;
    return this.hubDisk
      .list(dir)
      .reduce((sum, name) => sum + this.hubDisk.open(`${dir}/${name}`, 'read').size(), 0);
  }

  failure(message: string, cause?: unknown): PilotFailure {
    return new PilotFailure(message, this.clock.wallMs(), this.events.lines, cause);
  }

  async #liveMinute(): Promise<void> {
    const endMs = (this.#minute + 1) * MINUTE_MS;
    this.#troubles.endOver();
    while ((this.#faults[0]?.minute ?? Infinity) <= this.#minute) {
      this.#strike((this.#faults.shift() as PlannedFault).event);
    }
    await this.#supply();
    const isPowered = this.#isPowered();
    this.devices.minute(this.#minute, this.clock.wallMs(), isPowered, this.hub);
    await this.clock.advance(Math.max(0, endMs - this.clock.monotonicMs()));
    this.site.advance(this.clock.wallMs());
    checks.order(this);
    if (this.#minute % 15 === 14) this.#quarter();
    if (this.#minute % 60 === 59) await this.#hour();
  }

  async #hour(): Promise<void> {
    checks.hour(this);
    await this.#breathe();
    if ((this.#minute + 1) % DAY_MINUTES !== 0) return;
    await this.#compareWhenSynced();
    this.#watch.onDay?.((this.#minute + 1) / DAY_MINUTES);
  }

  /** Simulated time waits for no event of the machine: without this nobody could interrupt it. */
  async #breathe(): Promise<void> {
    await turn(machineTimers);
    this.#watch.signal?.throwIfAborted();
  }

  /** Starts and ends processes as power and faults demand. */
  async #supply(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    const isPowered = this.#isPowered();
    this.recorder.power(this.clock.wallMs(), this.site.on);
    if (!isPowered && this.hub !== undefined) this.#hubDies('power');
    if (this.hub?.failure !== undefined) {
      this.events.note('pilot.hub-failed', { reason: messageOf(this.hub.failure) });
      this.#hubDies('process');
    }
    if (this.region?.failure !== undefined)
      throw this.failure(`region: ${messageOf(this.region.failure)}`);
    if (this.region === undefined && nowMs >= this.#regionBackAtMs) {
      this.region = await this.#until(RegionLife.open(this.#regionWorld));
    }
    if (isPowered && this.hub === undefined && nowMs >= this.#hubBackAtMs) await this.#startHub();
  }

  #isPowered(): boolean {
    return this.site.on && this.clock.monotonicMs() >= this.#plugPulledUntilMs;
  }

  async #startHub(): Promise<void> {
    const syncsBefore = this.hubDisk.syncs;
    let hub: HubLife;
    try {
      hub = await this.#until(HubLife.open(this.#hubWorld));
    } catch (error) {
      if (!(error instanceof HubError) || !this.#troubles.failedSyncAfter(syncsBefore)) throw error;
      this.events.note('pilot.hub-failed', { reason: messageOf(error) });
      return this.#processEnds('process');
    }
    this.hub = hub;
    hub.serving.journal.onDurable((lsn) => this.devices.durable(lsn));
    hub.followers.power.syncLog.follow((line) => this.recorder.line(this.clock.wallMs(), line));
    this.devices.hubIsBack(hub);
  }

  #hubDies(how: 'process' | 'power'): void {
    const { hub } = this;
    if (hub === undefined) return;
    this.hub = undefined;
    this.contract.forgotten();
    hub.crash();
    this.#hubRadio.cut();
    this.#processEnds(how);
  }

  #processEnds(how: 'process' | 'power'): void {
    if (how === 'power') this.hubDisk.powerCut();
    else this.hubDisk.kill();
    this.#restarts += 1;
    this.#hubBackAtMs = this.clock.monotonicMs() + RESTART_MS;
    this.devices.hubDied();
    const hasForgottenTime = how === 'power' && this.scenario.faults.has('clock');
    if (hasForgottenTime && this.#random.fraction() < 0.5) this.hubClock.forget();
    this.events.note('pilot.hub-died', { how });
  }

  #strike(event: FaultEvent): void {
    const text = faultText(event);
    this.events.note('pilot.fault', { text });
    const minutes = 'minutes' in event ? event.minutes : 1;
    this.recorder.fault(this.clock.wallMs(), minutes, text, isAway(event));
    const untilMs = this.clock.monotonicMs() + minutes * MINUTE_MS;
    switch (event.kind) {
      case 'power-cut':
        this.#plugPulledUntilMs = untilMs;
        break;
      case 'kill':
        this.clock.after(event.afterMs, () => this.#hubDies(event.how));
        break;
      case 'clock':
        this.#troubles.jumpClock(event.jumpMs);
        break;
      case 'card':
        this.#troubles.card(event.trouble);
        break;
      case 'flood':
        if (this.#isPowered()) this.devices.flood(this.clock.wallMs());
        break;
      case 'region-down':
        this.region?.crash();
        this.region = undefined;
        this.#regionBackAtMs = untilMs;
        break;
      case 'link':
        this.#troubles.link(event.trouble, untilMs);
        break;
      case 'metered':
        this.#troubles.metered(untilMs);
        break;
    }
  }

  #quarter(): void {
    const { hub } = this;
    checks.quarter(this);
    this.recorder.sample(this.clock.wallMs(), this.site, {
      radioWh: this.link.energyWh,
      backlog: hub?.followers.uplink.backlog(),
      state: hub?.followers.power.monitor.decision().state ?? 'off',
    });
  }

  /** Everything but the log has its receipt. */
  get isSynced(): boolean {
    const backlog = this.hub?.followers.uplink.backlog();
    if (backlog === undefined || !this.devices.isSettled) return false;
    return CLASSES.every((opClass) => opClass === LOG || backlog[opClass].ops === 0);
  }

  async #compareWhenSynced(): Promise<string> {
    const { hub, region } = this;
    if (hub === undefined || region === undefined || !this.isSynced) return '';
    const { digest } = await this.#until(hub.serving.store.digest());
    if (this.hub !== hub || !this.isSynced) return '';
    checks.synced(this, digest, region.digest());
    return digest;
  }

  /** All faults end, the sun shines, and everything goes. */
  async #drain(): Promise<string> {
    this.#isMended = true;
    this.#faults.length = 0;
    // More bytes are bought; the hub hears of it by its config.
    if (this.contract.bytesMax !== undefined) this.#hubDies('process');
    this.contract.bytesMax = undefined;
    this.#troubles.endAll();
    this.#plugPulledUntilMs = 0;
    this.#regionBackAtMs = 0;
    for (let minute = 0; minute < DRAIN_MINUTES_MAX; minute++) {
      await this.#supply();
      const { hub } = this;
      if (minute % 60 === 0) {
        await this.#breathe();
        hub?.followers.power.monitor.sendByHand(2 * 3_600_000, 'the pilot');
      }
      if (hub !== undefined) this.devices.handInAll(hub);
      await this.clock.advance(MINUTE_MS);
      this.site.advance(this.clock.wallMs());
      if (!this.isSynced) continue;
      const digest = await this.#compareWhenSynced();
      if (digest !== '') {
        await this.#stop();
        return digest;
      }
    }
    const backlog = this.hub?.followers.uplink.backlog();
    const left = CLASSES.map((it) => `${CLASS_NAMES[it]} ${backlog?.[it].ops ?? '?'}`).join(', ');
    throw this.failure(`not everything was delivered in the end: ${left}`);
  }

  async #stop(): Promise<void> {
    const { hub, region } = this;
    if (hub !== undefined) await this.#until(hub.close());
    if (region !== undefined) await this.#until(region.close());
  }

  /** Lets time pass until the promise is settled. */
  async #until<T>(promise: Promise<T>): Promise<T> {
    const waiting = { isOver: false };
    const settle = (): void => {
      waiting.isOver = true;
    };
    promise.then(settle, settle);
    for (let i = 0; i < 10_000 && !waiting.isOver; i++) await this.clock.advance(5);
    if (!waiting.isOver) throw this.failure('something waits for ever');
    return promise;
  }
}
