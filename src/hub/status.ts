/**
 * The hub's status snapshot, made anew from its parts whenever somebody asks, and the health that
 * `/healthz` goes by. A fault keeps the moment at which it was first seen.
 */
import { hexOf } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { HubError } from '../base/errors.ts';
import { isoTime } from '../base/iso-time.ts';
import type { Log } from '../base/log.ts';
import type { Broker } from '../broker/broker.ts';
import type { BrokerStat } from '../broker/counters.ts';
import type { Config } from '../config/schema.ts';
import type { HubAssets } from './assets/assets.ts';
import type { FullDoor } from './limits/full-door.ts';
import { Losses } from './limits/losses.ts';
import type { HubLink } from './uplink/links.ts';
import type { HubPower } from './power/power.ts';
import type { HubStore } from './storage/store.ts';
import type { HoleBook } from '../ingest/door/hole-book.ts';
import type { Journal } from '../journal/journal.ts';
import { CLASS_NAMES, CLASSES, type ClassName, LOG, type OpClass } from '../model/class.ts';
import type { Host } from '../platform/host.ts';
import { DEADLINES_MS } from '../power/backlog.ts';
import { isLoopback } from '../security/listening.ts';
import { FaultBook, type FoundFault } from '../status/fault-book.ts';
import type { FlashLedger } from '../status/flash-ledger.ts';
import { rangesText } from '../status/lsn-ranges.ts';
import type { FaultStatus, Health, StatusSnapshot, SyncStatus } from '../status/snapshot.ts';
import { COPIED_MEANS } from '../sync/peers/copied.ts';
import type { PeerStatus } from '../sync/peers/peer-book.ts';
import type { DroppedBulk } from './storage/dropped-bulk.ts';
import type { Healing } from './sync/healing.ts';
import { lackingText } from './sync/holes.ts';
import { syncStatesOf } from '../sync/recovery-table.ts';
import type { Uplink } from '../uplink/uplink.ts';

interface StatusParts {
  readonly hubId: string;
  readonly version: string;
  readonly config: Config;
  readonly journal: Journal;
  readonly broker: Broker;
  readonly fullDoor: FullDoor;
  readonly fullPage: FullDoor;
  readonly power: HubPower;
  readonly uplink: Uplink;
  readonly link: HubLink;
  readonly store: HubStore;
  readonly assets: Pick<HubAssets, 'stat' | 'fault'>;
  readonly healing: Pick<Healing, 'status'>;
  readonly dropped: Pick<DroppedBulk, 'total' | 'fault'>;
  readonly retention: { readonly fault: HubError | undefined };
  readonly door: { readonly holes: Pick<HoleBook, 'told'>; readonly full: HubError | undefined };
  readonly host: Host;
  readonly flash: FlashLedger;
  readonly peers: () => readonly PeerStatus[];
  /** That this hub went on from the data of one whose journal had lost its end. */
  readonly cut: () => HubError | undefined;
  /** Of the site, for moments that people read. */
  readonly clock: Clock;
  /** Of the machine, for what its own figures are counted by. */
  readonly machineClock: Clock;
  readonly log: Log;
}

export class HubStatus {
  readonly #parts: StatusParts;
  readonly #startMs: number;
  readonly #faults: FaultBook;
  readonly #losses: Losses;

  constructor(parts: StatusParts) {
    this.#parts = parts;
    this.#faults = new FaultBook(parts.clock, parts.log);
    this.#losses = new Losses(parts.machineClock);
    this.#startMs = parts.machineClock.monotonicMs();
  }

  snapshot(): StatusSnapshot {
    const { hubId, version, config, journal, broker, power, store, host, flash } = this.#parts;
    const { clock, machineClock } = this.#parts;
    const isCounted = this.#parts.uplink.countNow();
    const disk = host.figures(config.data);
    const figures = host.processFigures();
    const { quarantined, ...stat } = journal.stat();
    const { bytes, bytesMax, fillRatio, firstLsn, lastLsn, durableLsn, syncs, bytesWritten } = stat;
    const receiptedLsn = this.#parts.uplink.status().dataReceiptedLsn;
    const sessions = broker.stat();
    const faults = this.#faultsNow(sessions);
    return {
      hubId,
      site: config.site,
      version,
      uptimeS: Math.round((machineClock.monotonicMs() - this.#startMs) / 1_000),
      clock: { at: isoTime(clock.wallMs()), quality: clock.quality() },
      power: power.status(),
      backlog: this.#backlog(),
      journal: {
        firstLsn,
        lastLsn,
        durableLsn,
        receiptedLsn,
        bytes,
        bytesMax,
        fillRatio,
        syncs,
        syncS: Math.round(stat.syncMs) / 1_000,
        bytesWritten,
        quarantined: quarantined.map(({ fromLsn, toLsn }) => ({ fromLsn, toLsn })),
        dropped: { ...this.#parts.dropped.total },
        healing: { ...this.#parts.healing.status(), healedRanges: stat.healedRanges },
      },
      store: { appliedLsn: store.appliedLsn },
      assets: this.#parts.assets.stat(),
      uplink: this.#uplink(),
      sync: this.#sync(faults, isCounted),
      energy: this.#energy(),
      devices: {
        ...sessions,
        connected: sessions.clients,
        turnedAway: this.#parts.fullDoor.turnedAway,
      },
      http: { turnedAway: this.#parts.fullPage.turnedAway },
      peers: this.#peers(),
      disk: { freeBytes: disk.diskFreeBytes, totalBytes: disk.diskBytes },
      flash: flash.status(disk.diskBytes),
      process: { rssBytes: figures?.rssBytes ?? 0, cpuS: figures?.cpuS ?? 0 },
      security: { mode: config.security.mode, openLan: this.#isOpenLan() },
      faults,
    };
  }

  /** Devices are served and the journal is writable. */
  health(): Health {
    const { fault } = this.#parts.journal;
    const reasons = fault === undefined ? [] : [`${fault.code}: ${fault.message}`];
    return { ok: reasons.length === 0, reasons };
  }

  #faultsNow(sessions: BrokerStat): FaultStatus[] {
    const { journal, door, power, uplink, store, assets, fullDoor, fullPage, clock } = this.#parts;
    const dropped = this.#parts.dropped.fault(journal.fillRatio);
    const own = [
      journal.fault,
      door.full,
      this.#parts.cut(),
      dropped,
      store.fault,
      assets.fault,
      fullDoor.fault,
      fullPage.fault,
    ];
    own.push(...uplink.status().faults);
    const { fault: held } = this.#parts.retention;
    if (!own.some((fault) => fault?.code === held?.code)) own.push(held);
    const found: FoundFault[] = own
      .filter((fault): fault is HubError => fault !== undefined)
      .map(({ code, message }) => ({ code, message }));
    const { quarantined, slowSyncMs } = journal.stat();
    if (quarantined.length > 0) {
      found.push({ code: 'journal.damaged', message: `LSN ${rangesText(quarantined)} kept aside` });
    }
    if (slowSyncMs !== undefined) {
      const message = `a sync of the card takes ${(slowSyncMs / 1_000).toFixed(1)} s`;
      found.push({ code: 'journal.slow', message });
    }
    found.push(...this.#losses.faults(sessions));
    found.push(...power.monitor.faults(), ...this.#peerFaults());
    if (clock.quality() === 'unknown') {
      found.push({ code: 'clock.unknown', message: 'the clock was not set since the start' });
    }
    return this.#faults.told(found);
  }

  #peerFaults(): FoundFault[] {
    const peers = this.#parts.peers();
    const found: FoundFault[] = [];
    const refused = peers.find(({ state }) => state === 'refused');
    if (refused !== undefined) {
      const { address, reason } = refused;
      found.push({ code: 'peer.refused', message: `${address}: ${reason ?? 'login refused'}` });
    }
    const copy = peers.find(({ isCopied }) => isCopied);
    if (copy !== undefined)
      found.push({ code: 'peer.copied', message: `${copy.address}: ${COPIED_MEANS}` });
    const stuck = peers.find(({ stuckLanes }) => stuckLanes > 0);
    if (stuck !== undefined) {
      const message = `${stuck.stuckLanes} lanes do not get on with ${stuck.address}`;
      found.push({ code: 'peer.stuck', message });
    }
    const lacking = lackingText(this.#parts.door.holes);
    if (lacking !== undefined) found.push({ code: 'peer.lacking', message: lacking });
    return found;
  }

  #peers(): StatusSnapshot['peers'] {
    const { peers, clock, machineClock } = this.#parts;
    return peers().map(
      ({ hub, address, state, reason, opsSent, opsTaken, stuckLanes, heardMs }) => {
        const agoMs = heardMs === undefined ? undefined : machineClock.monotonicMs() - heardMs;
        return {
          hubId: hub ?? null,
          address,
          state,
          reason: reason ?? null,
          lastSeenAt: agoMs === undefined ? null : isoTime(clock.wallMs() - agoMs),
          opsSent,
          opsTaken,
          stuckLanes,
        };
      },
    );
  }

  #backlog(): StatusSnapshot['backlog'] {
    const backlog = this.#parts.uplink.backlog();
    const rows = CLASSES.map((opClass) => {
      const { ops, bytes, oldestMs } = backlog[opClass];
      return [CLASS_NAMES[opClass], { ops, bytes, oldestS: Math.round(oldestMs / 1_000) }];
    });
    return Object.fromEntries(rows) as StatusSnapshot['backlog'];
  }

  #uplink(): StatusSnapshot['uplink'] {
    const { uplink, link: way, power, config } = this.#parts;
    const { state, link, lastReceiptMs, bytesToday, byLink, sealedTo } = uplink.status();
    const lastReceiptAt = lastReceiptMs === undefined ? null : isoTime(lastReceiptMs);
    const view = way.tracker?.view();
    const rows = Object.entries(byLink).map(([kind, { onMs, ...use }]) => {
      return [kind, { ...use, onS: Math.round(onMs / 100) / 10 }] as const;
    });
    return {
      state,
      link,
      lastReceiptAt,
      bytesToday,
      linkState: view?.state ?? 'absent',
      device: view?.device ?? null,
      costClass: view?.costClass ?? 0,
      byLink: Object.fromEntries(rows),
      quota: power.monitor.quota() ?? null,
      encryptedTo: sealedTo === undefined ? null : hexOf(sealedTo),
      jurisdiction: config.uplink.jurisdiction || null,
    };
  }

  #sync(faults: readonly FaultStatus[], isCounted: boolean): SyncStatus {
    const { config, journal, uplink, clock } = this.#parts;
    const backlog = uplink.backlog();
    const waiting = CLASSES.filter((opClass) => opClass !== LOG && backlog[opClass].ops > 0);
    const hasUplink = config.uplink.url !== '';
    const isOverdue = (opClass: OpClass): boolean =>
      backlog[opClass].oldestMs > DEADLINES_MS[opClass];
    const nameOf = (opClass: OpClass): ClassName => CLASS_NAMES[opClass];
    const [worst, ...also] = syncStatesOf({
      faults: new Set(faults.map(({ code }) => code)),
      quarantinedRanges: journal.stat().quarantined.length,
      clock: clock.quality(),
      hasUplink,
      isCounting: hasUplink && !isCounted,
      waiting: hasUplink ? waiting.map(nameOf) : [],
      overdue: hasUplink ? waiting.filter(isOverdue).map(nameOf) : [],
    });
    const { name, severity, meaning, steps } = worst;
    return { state: name, severity, meaning, steps, also: also.map((row) => row.name) };
  }

  #energy(): StatusSnapshot['energy'] {
    const { sessions, energyWh, measured, byClass } = this.#parts.power.monitor.energyToday();
    const rounded = (wh: number): number => Math.round(wh * 1e6) / 1e6;
    const measuredToday = {
      sessions: measured.sessions,
      believedWh: rounded(measured.energyWh),
      drawnWh: rounded(measured.drawnWh),
    };
    const rows = CLASSES.map((opClass) => [CLASS_NAMES[opClass], rounded(byClass[opClass])]);
    return {
      sessionsToday: sessions,
      whToday: rounded(energyWh),
      ...(measured.sessions === 0 ? {} : { measuredToday }),
      whByClass: Object.fromEntries(rows) as StatusSnapshot['energy']['whByClass'],
    };
  }

  #isOpenLan(): boolean {
    const { security, broker, http } = this.#parts.config;
    return security.mode === 'open' && ![broker.host, http.host].every(isLoopback);
  }
}
