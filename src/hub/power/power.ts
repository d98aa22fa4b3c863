/**
 * The power room of a running hub: sources as the config names them, the monitor, and the power-aware sync
 * log, whose lines are journaled as ops of class `log` besides, so that the regional node can show them.
 *
 * With source `simulated` the site itself is simulated, and power, stamps and uplink may live in a faster
 * time; sockets and files stay on the machine's.
 */
import { utf8 } from '../../base/bytes.ts';
import type { Cancel, Clock, Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { isoTime, wallMsOfIso } from '../../base/iso-time.ts';
import type { Log } from '../../base/log.ts';
import type { Config } from '../../config/schema.ts';
import type { Machine } from '../../machine.ts';
import { CLASS_NAMES, type OpClass } from '../../model/class.ts';
import { fastTime } from '../../platform/clock.ts';
import { SimSite, siteNow } from '../../platform/sim/site.ts';
import { SeededSky } from '../../platform/sim/sky.ts';
import {
  isLinkKind,
  LINK_COSTS,
  type LinkKind,
  transferEnergyWh,
} from '../../power/govern/energy.ts';
import { PowerMonitor } from '../../power/monitor.ts';
import { powerConfigOf } from '../../power/power-config.ts';
import type { MeasuredSite } from '../../power/sources/simulated.ts';
import { type ProbeRow, probeRows } from '../../power/probe.ts';
import type { Subscribe } from '../../power/sources/mqtt-json.ts';
import { openSources } from '../../power/sources/open-sources.ts';
import { venusLogin } from '../access.ts';
import { cutSession, pastSessions, rounded } from '../../power/log/log-lines.ts';
import { SyncLog } from '../../power/log/sync-log.ts';
import { type Override, type OverrideDoor, overrideJson } from '../../status/api/override.ts';
import { PowerHistory } from '../../status/api/power-history.ts';
import type { PowerStatus } from '../../status/snapshot.ts';
import type { Backlog, EnergyBook, SyncLogWriter } from '../../uplink/ports.ts';

/** Time as power, stamps and uplink see it. */
export interface SiteTime {
  readonly clock: Clock;
  readonly timers: Timers;
}

/** The machine's own time, or a faster one where the site is simulated. */
export function siteTime(config: Config, machine: Machine): SiteTime {
  const { timeSpeed, timeStart } = config.power;
  if (timeSpeed === 1 && timeStart === '') return machine;
  return fastTime(timeSpeed, wallMsOfIso(timeStart) ?? machine.clock.wallMs());
}

/** A site that is simulated elsewhere, in time of its own. */
export interface SimulatedSite extends MeasuredSite {
  /** Energy that the hub believes a session took. */
  spend(energyWh: number): void;
}

interface HubPowerOptions {
  readonly config: Config;
  readonly machine: Machine;
  readonly time: SiteTime;
  readonly log: Log;
  readonly dir: string;
  readonly link: () => LinkKind;
  /** At the hub's own broker, for sources that devices publish. */
  readonly subscribe: Subscribe;
  readonly backlog: () => Backlog;
  /** For source `simulated`, instead of one made from the config. */
  readonly site?: SimulatedSite | undefined;
  readonly tickMs?: number | undefined;
  /** Journals a line; may throw `HubError`, which costs the copy and nothing else. */
  readonly journalLine: (body: Uint8Array) => void;
}

const DAY_MS = 86_400_000;

export class HubPower {
  readonly monitor: PowerMonitor;
  readonly syncLog: SyncLog;
  readonly history: PowerHistory;
  readonly #options: HubPowerOptions;
  readonly #site: SimulatedSite | undefined;
  /** Everything goes, for a while, because somebody on site said so. */
  readonly override: OverrideDoor = {
    begin: (durationMs, who) => this.#sendByHand(durationMs, who),
    current: () => this.#current(),
  };
  /** Until then on the monotonic clock: the other may be put right meanwhile. */
  #byHand: { readonly endMs: number; readonly who: string } | undefined;
  readonly #stopCopying: Cancel;

  private constructor(options: HubPowerOptions) {
    const { config, machine, time, log, dir, link, backlog, subscribe } = options;
    const { power } = config;
    this.#options = options;
    this.syncLog = SyncLog.open({ files: machine.files, dir, clock: time.clock });
    this.#stopCopying = this.syncLog.follow((line) => this.#copy(utf8(JSON.stringify(line))));
    const isSimulated = power.sources.includes('simulated');
    this.#site = isSimulated ? (options.site ?? simulatedSite(config, time)) : undefined;
    const dayMs = time.clock.wallMs() - DAY_MS;
    const told = this.syncLog.lines({ sinceMs: dayMs, limit: Infinity });
    const cut = cutSession(told);
    const lines = cut === undefined ? told : [...told, this.syncLog.append(cut)];
    const { files, drivers, serial, random } = machine;
    const needs = { files, drivers, serial, random, ...time, sysRoot: '/sys', devRoot: '/dev' };
    this.monitor = PowerMonitor.open({
      sources: openSources(power.sources, {
        machine: needs,
        mqtt: machine.mqtt,
        venusLogin: () => venusLogin(power, machine),
        subscribe,
        log,
        ...(this.#site === undefined ? {} : { site: this.#site }),
      }),
      ...time,
      log,
      link,
      backlog,
      syncLog: this.syncLog,
      config: powerConfigOf(power, config.uplink.quotaMib),
      ...(options.tickMs === undefined ? {} : { tickMs: options.tickMs }),
      pastSessions: pastSessions(lines),
      isSimulated: this.#site !== undefined,
      stateFile: { files: machine.files, path: `${dir}/learned.json` },
    });
    this.history = new PowerHistory(time.timers, () => this.#sample());
    this.history.seed(lines);
  }

  static open(options: HubPowerOptions): HubPower {
    return new HubPower(options);
  }

  /** What each source tells at this moment. */
  sources(): ProbeRow[] {
    const { config, time } = this.#options;
    const { battery } = powerConfigOf(config.power);
    return probeRows(this.monitor.probe(), time.clock.monotonicMs(), battery);
  }

  /** What the uplink's sessions are thought to cost; a simulated battery really pays it. */
  energyBook(): EnergyBook {
    const { link } = this.#options;
    return {
      transferWh: (bytes) => transferEnergyWh(LINK_COSTS[link()], bytes),
      sessionWh: (bytesByClass, use) => {
        const kind = isLinkKind(use.link) ? use.link : link();
        const energyWh = this.monitor.sessionClosed(kind, bytesByClass, use.linkBytes);
        this.#site?.spend(energyWh);
        return energyWh;
      },
      linkBytesToday: () => this.monitor.energyToday().linkBytes,
    };
  }

  /** Takes the uplink's lines, and adds what the battery is at that moment. */
  syncLogWriter(): SyncLogWriter {
    return {
      append: (entry) => {
        const { event, link, bytes = 0 } = entry;
        if (event === 'session.open') this.monitor.sessionOpened();
        if (event === 'batch.sent' && isLinkKind(link)) this.monitor.sessionMoved(link, bytes);
        this.monitor.append(entry);
      },
    };
  }

  /** Section `power` of the status: a figure that nothing measures is null. */
  status(): PowerStatus {
    const { state, source, ageS, ...figures } = rounded(this.monitor.estimate());
    const { backAtMs } = this.monitor.decision();
    return {
      state,
      socPct: figures.socPct ?? null,
      socErrPct: figures.socErrPct ?? null,
      batteryV: figures.batteryV ?? null,
      pvW: figures.pvW ?? null,
      loadW: figures.loadW ?? null,
      curtailed: figures.curtailed ?? null,
      source,
      ageS: Number.isFinite(ageS) ? ageS : null,
      backAt: backAtMs === undefined ? null : isoTime(backAtMs),
      override: overrideJson(this.override.current()),
    };
  }

  /** `hub/power`: state and figures as in the status, and advice for devices. */
  advice(): Uint8Array {
    const { at, allowed, riding, why, readyToPowerOff } = this.monitor.decision();
    const { override: _, ...figures } = this.status();
    const { minIntervalS, nextUplinkMs } = this.monitor.advice();
    const nextUplink = nextUplinkMs === undefined ? null : isoTime(nextUplinkMs);
    const namesOf = (classes: readonly OpClass[]): string[] => classes.map((it) => CLASS_NAMES[it]);
    const classes = { allowed: namesOf(allowed), riding: namesOf(riding) };
    const plan = { minIntervalS, nextUplink, readyToPowerOff, why };
    return utf8(JSON.stringify({ at: isoTime(at), ...figures, ...classes, ...plan }));
  }

  close(): void {
    this.history.close();
    this.monitor.close();
    this.#stopCopying();
    this.syncLog.close();
  }

  #copy(body: Uint8Array): void {
    try {
      this.#options.journalLine(body);
    } catch (error) {
      // The journal is full or poisoned: the line is in the log's own file, and the fault is shown.
      if (!(error instanceof HubError)) throw error;
    }
  }

  #sendByHand(durationMs: number, who: string): void {
    const endMs = this.#options.time.clock.monotonicMs() + durationMs;
    this.#byHand = durationMs > 0 ? { endMs, who } : undefined;
    this.monitor.sendByHand(durationMs, who);
  }

  #current(): Override | undefined {
    if (this.#byHand === undefined) return undefined;
    const { clock } = this.#options.time;
    const { endMs, who } = this.#byHand;
    const leftMs = endMs - clock.monotonicMs();
    const isHeld = this.monitor.decision().allowed.length === 0;
    return leftMs > 0 ? { untilMs: clock.wallMs() + leftMs, who, isHeld } : undefined;
  }

  #sample(): ReturnType<PowerHistory['since']>[number] {
    const { socPct = null, batteryV = null, pvW = null, loadW = null } = this.monitor.estimate();
    return { atMs: this.#options.time.clock.wallMs(), socPct, batteryV, pvW, loadW };
  }
}

function simulatedSite(config: Config, time: SiteTime): SimulatedSite {
  const { power } = config;
  const place = { latitude: power.latitude, longitude: power.longitude };
  const options = {
    sky: new SeededSky(place, power.seed),
    panelWatts: power.panelW,
    capacityWh: power.capacityWh,
    nominalVolts: power.nominalV,
    baseWatts: power.baseLoadW,
    radioWatts: 0,
    startRatio: 0.7,
  };
  const site = new SimSite(options, time.clock.wallMs());
  return { ...siteNow(site, time.clock), spend: (energyWh) => site.spend(energyWh) };
}
