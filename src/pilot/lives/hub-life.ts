/**
 * One life of the hub's process, from its start to its death: the real composition of hub/ without sockets and
 * pages, on the simulated machine. SQLite writes real files in a folder of its own, out of the disk simulator's
 * sight; they outlive every crash, which is why the store may be ahead of what the pilot's power cuts leave.
 */
import type { Clock } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { inlineCompressor } from '../../batch/compression.ts';
import { Closers } from '../../closers.ts';
import { loadConfig } from '../../config/config.ts';
import type { Config } from '../../config/schema.ts';
import { type Followers, followJournal } from '../../hub/followers.ts';
import { layGround } from '../../hub/ground.ts';
import type { SimulatedSite } from '../../hub/power/power.ts';
import { type Serving, serveDevices } from '../../hub/serving.ts';
import type { Machine } from '../../machine.ts';
import type { Origin } from '../../model/origin.ts';
import type { Files } from '../../platform/files/files.ts';
import type { Network } from '../../platform/network/network.ts';
import type { SimClock } from '../../platform/sim/clock.ts';
import { SimHost } from '../../platform/sim/host.ts';
import type { SimLife } from '../../platform/sim/life.ts';
import { SimDriverFiles } from '../../platform/sim/driver-files.ts';
import { SimSerialPorts } from '../../platform/sim/serial.ts';
import { SimServiceManager } from '../../platform/sim/service-manager.ts';
import { processLife } from './process-life.ts';
import { presetThresholds } from '../world/light-model.ts';
import type { PilotLink } from '../world/pilot-link.ts';
import type { Scenario } from '../scenario.ts';

export const SITE_NAME = 'pilot';
/** A month of it is in memory, with all that a card keeps of it. In two dark weeks files fill it, and what that brings shows. */
const JOURNAL_MIB_MAX = 40;
/** Where files wait for the next month's bytes, they wait in the journal. */
const QUOTA_JOURNAL_MIB_MAX = 96;
export const SPOOL_MIB_MAX = 16;
/** Alarms and commands are looked at as they come; for the others a minute is soon enough. */
const LOOK_MS = 60_000;
const TICK_MS = 60_000;

export function journalMibMax({ quotaMib }: Pick<Scenario, 'quotaMib'>): number {
  return quotaMib === undefined ? JOURNAL_MIB_MAX : QUOTA_JOURNAL_MIB_MAX;
}

export interface HubWorld {
  readonly scenario: Scenario;
  readonly clock: SimClock;
  /** What the hub takes for the time. */
  readonly hubClock: Clock;
  readonly random: Random;
  /** Simulated, but for the state database. */
  readonly files: Files;
  readonly dataDir: string;
  readonly link: PilotLink;
  readonly site: SimulatedSite;
  readonly log: Log;
}

export class HubLife {
  readonly id: Origin;
  readonly serving: Serving;
  readonly followers: Followers;
  /** The hub said that it cannot go on; it must be started again. */
  failure: unknown;
  readonly #life: SimLife;
  readonly #closers: Closers;

  private constructor(
    id: Origin,
    life: SimLife,
    closers: Closers,
    parts: { serving: Serving; followers: Followers },
  ) {
    this.id = id;
    this.#life = life;
    this.#closers = closers;
    this.serving = parts.serving;
    this.followers = parts.followers;
  }

  static async open(world: HubWorld): Promise<HubLife> {
    const life = processLife(world.clock);
    const closers = new Closers();
    try {
      return await HubLife.#start(world, life, closers);
    } catch (error) {
      life.end();
      await closers.close().catch(() => undefined); // What failed first is told.
      throw error;
    }
  }

  static async #start(world: HubWorld, life: SimLife, closers: Closers): Promise<HubLife> {
    const ground = layGround(configOf(world), machineOf(world, life), closers);
    const serving = await serveDevices(ground);
    const followers = followJournal(ground, serving, {
      site: world.site,
      compressor: inlineCompressor,
      lookMs: LOOK_MS,
      tickMs: TICK_MS,
    });
    const hub = new HubLife(ground.id, life, closers, { serving, followers });
    void ground.failed.then((error) => (hub.failure ??= error));
    return hub;
  }

  /** The process ends between two events; what it had not synced may be lost with the power. */
  crash(): void {
    this.#life.end();
    try {
      this.serving.store.state.close();
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
    }
  }

  async close(): Promise<void> {
    await this.#closers.close();
  }
}

function configOf({ scenario, dataDir, link }: HubWorld): Config {
  const { preset, place } = scenario;
  const captures = [
    ['alarms/#', 'alarm'],
    ['commands/#', 'command'],
    ['previews/#', 'preview'],
    ['files/#', 'bulk'],
  ].map(([filter, name]) => `{ filter = "${filter}", class = "${name}", keep = "all" }`);
  const outcome = loadConfig({
    sets: [
      `data=${dataDir}`,
      `site=${SITE_NAME}`,
      'power.sources=["simulated"]',
      `power.capacity_wh=${preset.capacityWh}`,
      `power.panel_w=${preset.panelWatts}`,
      `power.base_load_w=${preset.baseWatts}`,
      `power.latitude=${place.latitude}`,
      `power.longitude=${place.longitude}`,
      `power.thresholds.alarms_stop_pct=${presetThresholds(preset).percent.alarmsStop}`,
      'journal.segment_mib=1',
      `journal.total_mib_max=${journalMibMax(scenario)}`,
      'journal.free_mib_min=1',
      'uplink.url=mqtt://region.pilot:1883',
      `uplink.link_of=["${link.device}=${preset.link}"]`,
      ...link.quotaSets(),
      `uplink.spool_mib_max=${SPOOL_MIB_MAX}`,
      `capture=[${[...captures, '{ filter = "#", class = "telemetry", keep = "all" }'].join(', ')}]`,
    ],
  });
  if (outcome.kind === 'ok') return outcome.config;
  throw new HubError('config.invalid', outcome.mistakes.map(({ message }) => message).join('; '));
}

/** Devices knock at the door itself; nobody listens at a socket. */
const NO_NETWORK: Network = {
  listen: ({ host, port }) => Promise.resolve({ host, port, close: () => Promise.resolve() }),
};

function machineOf(world: HubWorld, life: SimLife): Machine {
  return {
    pid: 1,
    clock: world.hubClock,
    timers: life.timers,
    random: world.random,
    files: world.files,
    network: NO_NETWORK,
    mqtt: life.connectingBy(world.link),
    serial: new SimSerialPorts(world.clock),
    drivers: new SimDriverFiles(),
    host: new SimHost(),
    links: life.watching(world.link.links),
    manager: new SimServiceManager(),
    env: {},
    pageDir: '',
    previewMaker: new URL('file:///nowhere'),
    log: world.log,
  };
}
