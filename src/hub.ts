/**
 * The hub: opens every part in order, joins them, and closes them in reverse. Devices are served as soon as
 * the journal's tail is read; power, uplink and page follow, the store catches up behind them.
 *
 * No part knows another: each declares what it needs, and this file hands it over. Follow a publish from
 * here: listener → broker → door → journal → (durable) → broker acks; beside it the applier folds into the
 * store, the uplink carries to the region, retention lets go of what is receipted.
 */
import { utf8 } from './base/bytes.ts';
import { isoTime } from './base/iso-time.ts';
import { Broker } from './broker/broker.ts';
import { Closers } from './closers.ts';
import type { Config } from './config-schema.ts';
import { brokerLogin, openAccess } from './hub-access.ts';
import { announceRuntime, type HubPaths, takeDataDirectory } from './hub-data.ts';
import { openJournal } from './hub-journal.ts';
import { brokerLimits, type HubAddresses, listenHttp, listenMqtt } from './hub-listeners.ts';
import { HubPower, type SiteTime, siteTime } from './hub-power.ts';
import { Retention } from './hub-retention.ts';
import { HubStatus } from './hub-status.ts';
import { HubStore } from './hub-store.ts';
import { Door } from './ingest/door.ts';
import { recoverProgress } from './ingest/progress.ts';
import type { Journal } from './journal/journal.ts';
import { Identity, verifyEd25519 } from './keys/identity.ts';
import type { Machine } from './machine.ts';
import { unfoldable } from './merge/fold.ts';
import { CLASS_NAMES, LOG } from './model/class.ts';
import { HlcClock } from './model/hlc.ts';
import type { Origin } from './model/origin.ts';
import { EMPTY_BACKLOG } from './power/class.ts';
import type { LinkKind } from './power/energy.ts';
import { OPS_FILTER, OpsDoor } from './sync/ops-door.ts';
import { detectLink } from './uplink/link-kind.ts';
import type { UpstreamBroker } from './uplink/region-link.ts';
import { Uplink } from './uplink/uplink.ts';
import { PROGRAM_VERSION } from './versions.ts';

export interface Hub {
  readonly id: Origin;
  readonly addresses: HubAddresses;
  readonly status: HubStatus;
  /** Resolves when the hub cannot go on and must be started again. */
  readonly failed: Promise<unknown>;
  isHealthy(): boolean;
  close(): Promise<void>;
}

const MIB = 1 << 20;
const DAY_MS = 86_400_000;
/** A session waits so long for late receipts and newcomers; in fast time, not for hours. */
const LINGER_MS = 2_000;
const LINGER_MS_MIN = 100;
/** How often `hub/power`, `hub/status` and `hub/time` are said again. */
const ANNOUNCE_MS = 30_000;
/** Key of the sync log's lines in the journal. */
const SYNC_LOG_KEY = 'log/power';

/** Opens everything; throws `HubError`, and leaves nothing open, where a part cannot. */
export async function openHub(config: Config, machine: Machine): Promise<Hub> {
  const closers = new Closers();
  try {
    return await assemble(config, machine, closers);
  } catch (error) {
    await closers.close();
    throw error;
  }
}

async function assemble(config: Config, machine: Machine, closers: Closers): Promise<Hub> {
  const time = siteTime(config, machine);
  const { failed, fail } = failure();
  const paths = takeDataDirectory(config.data, machine.files, closers);
  const { files, random } = machine;
  const identity = Identity.open({ files, path: paths.identity, random });
  const id = identity.id as Origin;

  const journal = closers.add(await openJournal(config, machine, paths));
  journal.onFault((fault) => {
    if (fault.code === 'journal.poisoned') fail(fault);
  });
  const store = closers.add(HubStore.open({ config, machine, clock: time.clock, paths, journal }));
  const door = openDoor({ config, machine, time, id, journal, store });

  const access = closers.add(
    openAccess(config, machine, [
      { host: config.broker.host, key: 'broker.host' },
      { host: config.http.host, key: 'http.host' },
    ]),
  );
  const broker = closers.add(
    Broker.open({
      ...{ door, gatekeeper: access.gatekeeper, log: machine.log, version: PROGRAM_VERSION },
      clock: machine.clock,
      timers: machine.timers,
      limits: brokerLimits(config.broker),
    }),
  );
  takeDeviceOps(broker, door, journal, machine);
  const mqtt = closers.add(await listenMqtt(config, machine, broker));

  store.follow();
  const link = linkOf(config, machine);
  const backlog = (): ReturnType<Uplink['backlog']> => uplink?.backlog() ?? EMPTY_BACKLOG;
  let uplink: Uplink | undefined;
  const power = closers.add(
    HubPower.open({
      ...{ config, machine, time, link, backlog, dir: paths.syncLog, log: machine.log },
      journalLine: (body) => door.journalOwn({ class: LOG, key: SYNC_LOG_KEY, body }),
    }),
  );
  uplink = closers.add(
    openUplink({ config, machine, time, paths, identity, journal, power, link, fail }),
  );
  power.monitor.onDecision(() => uplink?.look());
  closers.add(
    new Retention({
      ...{ journal, door, clock: time.clock, timers: machine.timers, log: machine.log },
      receiptedLsn: config.uplink.url === '' ? undefined : () => uplink.receiptedLsn,
      settleStore: () => store.settle(),
      keepMs: config.journal.keepDays * DAY_MS,
    }),
  );

  const status = new HubStatus({
    ...{ hubId: id, version: PROGRAM_VERSION, config, journal, broker, power, uplink, store },
    ...{ host: machine.host, clock: time.clock, machineClock: machine.clock },
  });
  announce(broker, power, status, time, closers, machine);
  const http = closers.add(
    await listenHttp({ config, machine, time, broker, status, power, store, access }),
  );
  const addresses = { ...mqtt.addresses, ...http.addresses };
  announceRuntime(config.data, { pid: machine.pid, ...addresses }, files, closers);
  return {
    ...{ id, addresses, status, failed },
    isHealthy: () => status.health().ok,
    close: () => closers.close(),
  };
}

/** A promise for the one thing that ends the hub from inside. */
function failure(): { failed: Promise<unknown>; fail: (error: unknown) => void } {
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise((resolve) => (fail = resolve));
  return { failed, fail };
}

interface DoorParts {
  readonly config: Config;
  readonly machine: Machine;
  readonly time: SiteTime;
  readonly id: Origin;
  readonly journal: Journal;
  readonly store: HubStore;
}

function openDoor({ config, machine, time, id, journal, store }: DoorParts): Door {
  const { log, random } = machine;
  const progress = recoverProgress({ hub: id, journal, store: store.state, log });
  const lingers = CLASS_NAMES.map((name) => config.journal.lingerMs[name]);
  return Door.open({
    ...{ journal, hub: id, log, clock: time.clock, capture: config.capture },
    bootId: new DataView(random.bytes(4).buffer).getUint32(0),
    hlc: new HlcClock(time.clock, progress.lastHlc),
    knownVector: progress.vector,
    lingerMs: (opClass) => lingers[opClass] ?? 0,
    unfoldable,
  });
}

/** `sync/<device>/ops` → door → `sync/<device>/receipt`. */
function takeDeviceOps(broker: Broker, door: Door, journal: Journal, machine: Machine): void {
  const opsDoor = new OpsDoor({
    acceptOps: (message, from) => door.acceptOps(message, from),
    whenDurable: (lsn) => journal.whenDurable(lsn),
    publish: (topic, payload) => broker.publish(topic, payload, { qos: 1 }),
    log: machine.log,
  });
  broker.onMessage(OPS_FILTER, (message) => opsDoor.handle(message));
}

function linkOf(config: Config, machine: Machine): () => LinkKind {
  const { link } = config.uplink;
  return link === 'auto' ? () => detectLink(machine.files) : () => link;
}

interface UplinkParts {
  readonly config: Config;
  readonly machine: Machine;
  readonly time: SiteTime;
  readonly paths: HubPaths;
  readonly identity: Identity;
  readonly journal: Journal;
  readonly power: HubPower;
  readonly link: () => LinkKind;
  readonly fail: (error: unknown) => void;
}

function openUplink(parts: UplinkParts): Uplink {
  const { config, machine, time, paths, identity, journal, power, link, fail } = parts;
  const { files, mqtt, random, log } = machine;
  return Uplink.open({
    ...{ journal, files, mqtt, random, log, link, dir: paths.uplink, site: config.site },
    signer: identity,
    verify: verifyEd25519,
    broker: upstreamBroker(config, machine),
    decide: (backlog) => power.monitor.decide(backlog),
    syncLog: power.syncLogWriter(),
    energy: power.energyBook(),
    clock: time.clock,
    timers: time.timers,
    linkTimers: machine.timers,
    software: PROGRAM_VERSION,
    limits: {
      spoolBytesMax: config.uplink.spoolMibMax * MIB,
      lingerMs: Math.max(LINGER_MS_MIN, LINGER_MS / config.power.timeSpeed),
    },
    onFatal: fail,
  });
}

function upstreamBroker({ uplink }: Config, machine: Machine): UpstreamBroker | undefined {
  return uplink.url === '' ? undefined : brokerLogin('uplink', uplink, machine);
}

/** Keeps the hub's own retained topics up to date. */
function announce(
  broker: Broker,
  power: HubPower,
  status: HubStatus,
  time: SiteTime,
  closers: Closers,
  machine: Machine,
): void {
  const say = (topic: string, payload: Uint8Array): void =>
    broker.publish(topic, payload, { qos: 1, retain: true });
  const sayAll = (): void => {
    const { clock } = time;
    const now = { at: isoTime(clock.wallMs()), quality: clock.quality() };
    say('hub/time', utf8(JSON.stringify(now)));
    say('hub/status', utf8(JSON.stringify(status.snapshot())));
    say('hub/power', power.advice());
  };
  sayAll();
  power.monitor.onDecision(() => say('hub/power', power.advice()));
  const stop = machine.timers.every(ANNOUNCE_MS, sayAll);
  closers.add({ close: stop });
}
