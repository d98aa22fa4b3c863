/**
 * What follows the journal behind the acknowledgements: the store, the power brain, the uplink that sends
 * when it may, and retention, which lets go of what has its receipt.
 */
import type { Compressor } from '../batch/compression.ts';
import type { Cancel } from '../base/clock.ts';
import type { HubError } from '../base/errors.ts';
import type { Broker } from '../broker/broker.ts';
import type { HubAssets } from './assets/assets.ts';
import { openAssets } from './assets/assets-open.ts';
import { syncLogKey } from './data/data.ts';
import { Healing } from './sync/healing.ts';
import { Dusk } from './power/dusk.ts';
import type { Ground } from './ground.ts';
import { HubAudit } from './storage/audit.ts';
import { Horizons } from './storage/horizons.ts';
import { keepNote } from './storage/kept-note.ts';
import { openLedger } from './storage/ledger.ts';
import { type HubLink, openLink } from './uplink/links.ts';
import { HubPower, type SimulatedSite } from './power/power.ts';
import { Retention } from './storage/retention.ts';
import { DroppedBulk } from './storage/dropped-bulk.ts';
import type { Serving } from './serving.ts';
import { Summaries } from './uplink/summaries.ts';
import { openUplink } from './uplink/uplink.ts';
import type { Journal } from '../journal/journal.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { LOG, RECORD, TELEMETRY } from '../model/class.ts';
import { EMPTY_BACKLOG } from '../power/backlog.ts';
import type { Uplink } from '../uplink/uplink.ts';

export interface Followers {
  readonly power: HubPower;
  readonly uplink: Uplink;
  readonly ledger: Ledger;
  readonly link: HubLink;
  readonly assets: HubAssets;
  readonly healing: Healing;
  readonly dropped: DroppedBulk;
  readonly retention: Retention;
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

const DAY_MS = 86_400_000;

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
  // The store follows the journal, and the power brain asks for the backlog, before there is an uplink.
  let uplink: Uplink | undefined;
  store.follow((lsn, entry) => {
    ledger.offer(lsn, entry);
    audit?.offer(lsn, entry);
    uplink?.offer(lsn, entry);
  });
  const link = openLink(ground);
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
    openUplink(ground, serving, { power, ledger, audit, healing, link }, standIns),
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
  const retention = closers.add(letGo(ground, serving, { ...keepers, power, dropped }));
  closers.add(foldHistories(ground, serving));
  closers.add(beforeDark(ground, serving, { power, ledger, settleAssets }));
  if (hasUplink) closers.add(sumUp(ground, serving, { power, uplink }));
  return { power, uplink, ledger, link, assets, healing, dropped, retention };
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
