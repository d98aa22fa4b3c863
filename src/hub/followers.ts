/**
 * What follows the journal behind the acknowledgements: the store, the power brain, the uplink that sends
 * when it may, and retention, which lets go of what has its receipt.
 */
import type { Compressor } from '../batch/compression.ts';
import type { Cancel } from '../base/clock.ts';
import { HubError } from '../base/errors.ts';
import type { Broker } from '../broker/broker.ts';
import type { Config } from '../config/schema.ts';
import { brokerLogin } from './access.ts';
import type { HubAssets } from './assets/assets.ts';
import { openAssets } from './assets/assets-open.ts';
import { syncLogKey } from './data.ts';
import { HubDownlink } from './sync/downlink.ts';
import { RemoteSettings } from './sync/remote-config.ts';
import { Healing } from './sync/healing.ts';
import { Dusk } from './power/dusk.ts';
import type { Ground } from './ground.ts';
import { HubAudit } from './storage/audit.ts';
import { Horizons } from './storage/horizons.ts';
import { keepNote } from './storage/kept-note.ts';
import { openLedger } from './storage/ledger.ts';
import { type HubLink, openLink, pausesOf } from './sync/links.ts';
import { HubPower, type SimulatedSite } from './power/power.ts';
import { Retention } from './storage/retention.ts';
import { DroppedBulk } from './storage/dropped-bulk.ts';
import type { Serving } from './serving.ts';
import { Summaries } from './sync/summaries.ts';
import type { Journal } from '../journal/journal.ts';
import { batchRecipient, batchSealer } from '../keys/batch-seal.ts';
import { verifyEd25519 } from '../keys/identity.ts';
import type { Machine } from '../machine.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { LOG, RECORD, TELEMETRY } from '../model/class.ts';
import { EMPTY_BACKLOG } from '../power/backlog.ts';
import type { LinkKind } from '../power/govern/energy.ts';
import { ApartPacker } from '../uplink/packing/apart.ts';
import type { UpstreamBroker } from '../uplink/session/region-link.ts';
import { Uplink } from '../uplink/uplink.ts';
import { PROGRAM_VERSION } from '../versions.ts';

export interface Followers {
  readonly power: HubPower;
  readonly uplink: Uplink;
  readonly ledger: Ledger;
  readonly link: HubLink;
  readonly assets: HubAssets;
  readonly healing: Healing;
  readonly dropped: DroppedBulk;
}

/** What a simulation puts in the place of what a machine has. */
export interface StandIns {
  /** For source `simulated`. */
  readonly site?: SimulatedSite;
  /** Simulated time has no threads. */
  readonly compressor?: Compressor;
  /** How often the uplink asks whether it may send, when nothing happens, and how often power decides. */
  readonly lookMs?: number;
  readonly tickMs?: number;
}

const MIB = 1 << 20;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** How much rarer the region is asked for orders where a session costs; by radio about as often as data goes anyway. */
const CHECK_IN_RATIO: Readonly<Partial<Record<LinkKind, number>>> = {
  wifi: 3,
  cellular: 3,
  satellite: 6,
};
/** A session waits so long for late receipts and newcomers; in fast time, not for hours. */
const LINGER_MS = 2_000;
const LINGER_MS_MIN = 100;

export function followJournal(
  ground: Ground,
  serving: Serving,
  standIns: StandIns = {},
): Followers {
  const { config, machine, time, paths, id, closers } = ground;
  const { journal, store, door, lingers, broker } = serving;
  const ledger = openLedger(ground, journal);
  const audit = HubAudit.open(ground, serving);
  if (audit !== undefined) closers.add(audit);
  store.follow((lsn, entry) => {
    ledger.offer(lsn, entry);
    audit?.offer(lsn, entry);
  });
  const link = openLink(ground);
  // The power brain asks for the backlog before there is an uplink to count it.
  let uplink: Uplink | undefined;
  const power = closers.add(
    HubPower.open({
      config,
      machine,
      time,
      link: link.kind,
      subscribe: (filter, onMessage) => subscribeAt(broker, filter, onMessage),
      backlog: () => uplink?.backlog() ?? EMPTY_BACKLOG,
      dir: paths.syncLog,
      log: machine.log,
      site: standIns.site,
      tickMs: standIns.tickMs,
      journalLine: (body) => door.journalOwn({ class: LOG, key: syncLogKey(id), body }),
    }),
  );
  const healing = closers.add(openHealing(ground, serving, () => receiptedLsn()));
  uplink = closers.add(
    openUplink(ground, serving, { power, ledger, audit, healing }, link, standIns),
  );
  const hasUplink = config.uplink.url !== '';
  const receiptedLsn = (): number | undefined =>
    hasUplink ? uplink.status().dataReceiptedLsn : undefined;
  healing.begin();
  const mayPreview = (): boolean => power.monitor.advice().makePreviews;
  const { assets, follower, maker } = openAssets({ ground, serving, receiptedLsn, mayPreview });
  power.monitor.onDecision(() => maker.look());
  tellFaults(journal, power);
  lingers.stateIs(power.monitor.decision().state);
  power.monitor.onDecision(({ state }) => {
    lingers.stateIs(state);
    uplink?.look();
  });
  const settleAssets = (): Promise<number> => follower.settle();
  const dropped = DroppedBulk.open({ ...ground.machine, path: ground.paths.dropped });
  const keepers = { uplink, ledger, healing, audit, settleAssets };
  closers.add(letGo(ground, serving, { ...keepers, power, dropped }));
  closers.add(foldHistories(ground, serving));
  closers.add(beforeDark(ground, serving, { power, ledger, settleAssets }));
  if (config.uplink.url !== '') closers.add(sumUp(ground, serving, { power, uplink }));
  return { power, uplink, ledger, link, assets, healing, dropped };
}

function openHealing(
  { machine, time, paths, id: hub }: Ground,
  { journal, door }: Serving,
  receiptedLsn: () => number | undefined,
): Healing {
  const place = { dir: paths.uplink, clock: time.clock };
  return new Healing({ ...machine, ...place, hub, journal, door, receiptedLsn });
}

/** Keeps the histories of records within their limits. */
function foldHistories({ config, machine }: Ground, { store, door }: Serving): Horizons {
  const { recordOpsMax: opsMax, editsMax } = config.store;
  const { clock, timers, log } = machine;
  return new Horizons({ store, door, limits: { opsMax, editsMax }, clock, timers, log });
}

/** Lets go of what is receipted and folded. */
function letGo(
  { config, machine, time, paths }: Ground,
  { journal, door, store, broker }: Serving,
  parts: Pick<Followers, 'power' | 'uplink' | 'ledger' | 'healing' | 'dropped'> & {
    readonly audit: HubAudit | undefined;
    readonly settleAssets: () => Promise<number>;
  },
): Retention {
  const { power, uplink, ledger, audit, healing, dropped, settleAssets } = parts;
  const drops = config.journal.onFull === 'drop-bulk';
  return new Retention({
    journal,
    door,
    keepProgress: () => keepNote({ ...machine, path: paths.progress, journal, door }),
    clock: time.clock,
    timers: machine.timers,
    log: machine.log,
    receiptedLsn: config.uplink.url === '' ? undefined : () => uplink.receiptedLsn,
    settleStore: () => store.settle(),
    sessions: broker,
    flushLedger: () => ledger.flush(),
    settleAssets,
    lostLsn: () => healing.pinnedLsn,
    keepMs: config.journal.keepDays * DAY_MS,
    droppable: drops ? dropped.droppable(uplink.waiting, power) : undefined,
    onReleased: (firstLsn, throughLsn) => audit?.trail.pruned(firstLsn, throughLsn),
  });
}

/** What is brought to the card before the battery ends, in this order. */
function beforeDark(
  { machine }: Ground,
  { journal, door, store, broker }: Serving,
  parts: Pick<Followers, 'power' | 'ledger'> & { readonly settleAssets: () => Promise<unknown> },
): Dusk {
  return new Dusk({
    monitor: parts.power.monitor,
    settle: [
      () => journal.whenDurable(door.noteProgress()),
      () => store.settle(),
      () => parts.ledger.flush(),
      parts.settleAssets,
      () => broker.sumUp(),
    ],
    log: machine.log,
  });
}

/** What waits in need goes up as a summary first. */
function sumUp(
  ground: Ground,
  { journal, door }: Serving,
  { power, uplink }: Pick<Followers, 'power' | 'uplink'>,
): Summaries {
  const { machine, time, paths, id } = ground;
  const { files, timers, log } = machine;
  return Summaries.open({
    journal,
    hub: id,
    decision: () => power.monitor.decision(),
    waiting: () => {
      const { dataReceiptedLsn } = uplink.status();
      return { ops: uplink.backlog()[TELEMETRY].ops, receiptedLsn: dataReceiptedLsn };
    },
    journalOp: (key, body) => void door.journalOwn({ class: RECORD, key, body }),
    files,
    path: `${paths.uplink}/summed-up`,
    clock: time.clock,
    timers: time.timers,
    turns: timers,
    log,
    onFatal: (error) => ground.fail(error),
  });
}

/** Hears messages at the hub's own broker until cancelled. */
function subscribeAt(
  broker: Broker,
  filter: string,
  onMessage: (topic: string, payload: Uint8Array) => void,
): Cancel {
  let isHeard = true;
  broker.onMessage(filter, ({ topic, payload }) => {
    if (isHeard) onMessage(topic, payload);
  });
  return () => {
    isHeard = false;
  };
}

/** What befalls the card is a part of the story that the sync log tells. */
function tellFaults(journal: Journal, { monitor }: HubPower): void {
  const tell = (why: string): void => void monitor.append({ event: 'fault', why });
  const tellFault = ({ message, hint }: HubError): void => tell(`${message}. ${hint}`);
  if (journal.fault !== undefined) tellFault(journal.fault);
  journal.onFault(tellFault);
  const { newlyQuarantined } = journal.recovery;
  if (newlyQuarantined > 0) {
    tell(`${newlyQuarantined} damaged ranges of acknowledged data were found at the start`);
  }
  journal.onQuarantine(({ fromLsn, toLsn }) =>
    tell(`acknowledged data is damaged, LSN ${fromLsn} to ${toLsn}; it is kept aside`),
  );
}

function upstreamBroker({ uplink }: Config, machine: Machine): UpstreamBroker | undefined {
  if (uplink.url === '') return undefined;
  const { keepaliveS, connectTimeoutS } = uplink;
  const login = brokerLogin('uplink', uplink, machine);
  const renewed = (): Partial<UpstreamBroker> => {
    try {
      return brokerLogin('uplink', uplink, machine);
    } catch (error) {
      // Somebody is about to replace a file: it goes on as it began.
      if (!(error instanceof HubError)) throw error;
      return {};
    }
  };
  return { ...login, renewed, keepaliveS, connectTimeoutMs: connectTimeoutS * 1_000 };
}

/** How often to ask the region for orders where nothing else opens a session. */
function checkInMs({ uplink }: Config, link: LinkKind): number {
  return uplink.checkInMinutes * MINUTE_MS * (CHECK_IN_RATIO[link] ?? 1);
}

/** What comes down: ops, wishes, settings, the roster. */
function takeDown(
  ground: Ground,
  serving: Serving,
  { power, healing, ledger }: Pick<Followers, 'power' | 'healing' | 'ledger'>,
): HubDownlink {
  const { config, configInput: input, machine, time, id: hub, closers } = ground;
  const { files, timers, log } = machine;
  const { members } = serving.access;
  const restart = (why: HubError): void => ground.fail(why);
  const parts = { ...serving, hub, files, timers, log, dataDir: config.data };
  const settings = closers.add(new RemoteSettings({ ...parts, input, restart }));
  const takeRoster =
    members &&
    (async (bytes: Uint8Array): Promise<void> => {
      (await import('./sync/roster.ts')).takeRoster(ground, members, bytes);
    });
  if (members !== undefined && config.uplink.url !== '') {
    void import('./sync/roster.ts').then((it) => it.handInRoster(ground, serving, members));
  }
  const wishes = { power, healing, ledger, settings, takeRoster };
  return new HubDownlink({ ...serving, ...wishes, hub, clock: time.clock, log });
}

const NOT_ENCRYPTED = {
  means: 'brokers on the way can read the data',
  next: 'set uplink.operator_key',
};

function openUplink(
  ground: Ground,
  serving: Serving,
  {
    power,
    ledger,
    audit,
    healing,
  }: Omit<Followers, 'uplink' | 'link' | 'assets' | 'dropped'> & {
    readonly audit: HubAudit | undefined;
  },
  link: HubLink,
  { compressor, lookMs }: StandIns,
): Uplink {
  const { config, machine, time, paths, identity } = ground;
  const { files, mqtt, random, log } = machine;
  const { journal } = serving;
  const { operatorKey, jurisdiction, url } = config.uplink;
  if (url !== '' && operatorKey === '') log.warn('uplink.not-encrypted', NOT_ENCRYPTED);
  return Uplink.open({
    journal,
    files,
    mqtt,
    random,
    log,
    link: link.kind,
    way: link.tracker,
    pauses: () => pausesOf(link.kind(), power.monitor.advice()),
    dir: paths.uplink,
    site: config.site,
    signer: identity,
    history: ledger,
    audit: audit?.batches,
    sealer: operatorKey === '' ? undefined : batchSealer(operatorKey, random),
    jurisdiction: jurisdiction === '' ? undefined : jurisdiction,
    verify: verifyEd25519,
    broker: upstreamBroker(config, machine),
    decide: (backlog) => power.monitor.decide(backlog),
    syncLog: power.syncLogWriter(),
    energy: power.energyBook(),
    clock: time.clock,
    timers: time.timers,
    linkTimers: machine.timers,
    packer:
      machine.packThread === undefined
        ? undefined
        : new ApartPacker({ start: machine.packThread, timers: machine.timers }),
    software: PROGRAM_VERSION,
    recipient: batchRecipient(identity),
    downlink: takeDown(ground, serving, { power, healing, ledger }),
    limits: {
      checkInMs: checkInMs(config, link.kind()),
      ...(lookMs === undefined ? {} : { lookMs }),
      spoolBytesMax: config.uplink.spoolMibMax * MIB,
      lingerMs: Math.max(LINGER_MS_MIN, LINGER_MS / config.power.timeSpeed),
    },
    ...(compressor === undefined ? {} : { compressor }),
    onFatal: (error) => ground.fail(error),
  });
}
