/**
 * The hub: opens every part in order, joins them, and closes them in reverse. Devices are served as soon as
 * the journal's tail is read; power, uplink and page follow, the store catches up behind them.
 *
 * No part knows another: each declares what it needs, and the files of this folder hand it over. Follow a publish
 * from serving.ts: listener → broker → door → journal → (durable) → broker acks; then in followers.ts
 * the applier folds into the store, the uplink carries to the region, retention lets go of what is receipted.
 */
import { utf8 } from '../base/bytes.ts';
import { messageOf } from '../base/errors.ts';
import { isoTime } from '../base/iso-time.ts';
import { openTogether } from '../closers.ts';
import type { ConfigInput } from '../config/config.ts';
import type { Config } from '../config/schema.ts';
import { announceRuntime } from './data/data.ts';
import { mayBeUnreadable, putUnreadableAside } from './data/unreadable.ts';
import { cutFaultIn, goOnAsNew, isCut } from './storage/cut-journal.ts';
import { openFlashLedger } from './storage/flash.ts';
import type { Followers } from './followers.ts';
import { FullDoor } from './limits/full-door.ts';
import { servedLog } from './storage/ledger.ts';
import { type Ground, layGround } from './ground.ts';
import type { HubAddresses } from './listeners.ts';
import { HubRecords } from './records.ts';
import { type Serving, serveDevices } from './serving.ts';
import { HubStatus } from './status.ts';
import type { Machine } from '../machine.ts';
import type { Origin } from '../model/origin.ts';
import type { PeerBook } from '../sync/peers/peer-book.ts';
import { PROGRAM_VERSION } from '../versions.ts';

export interface Hub {
  readonly id: Origin;
  readonly addresses: HubAddresses;
  readonly status: HubStatus;
  /** Resolves when the hub cannot go on and must be started again. */
  readonly failed: Promise<unknown>;
  close(): Promise<void>;
}

/** How often `hub/power`, `hub/status` and `hub/time` are said again. */
const ANNOUNCE_MS = 30_000;

/**
 * Opens everything; throws `HubError`, and leaves nothing open, where a part cannot. `input` is what `config` was read
 * from: with it the region may change settings, and then the hub fails with `config.changed`.
 */
export async function openHub(config: Config, machine: Machine, input?: ConfigInput): Promise<Hub> {
  try {
    return await openOrBeginAnew(config, machine, input);
  } catch (error) {
    if (!mayBeUnreadable(error)) throw error;
    // Where not even that can be looked for, as on a disk that was pulled, the first reason is what counts.
    const isPut = await putUnreadableAside(config.data, machine).catch(() => false);
    if (!isPut) throw error;
    return openOrBeginAnew(config, machine, input);
  }
}

async function openOrBeginAnew(
  config: Config,
  machine: Machine,
  input: ConfigInput | undefined,
): Promise<Hub> {
  try {
    return await openAsItIs(config, machine, input);
  } catch (error) {
    if (!isCut(error, config.data, machine.files)) throw error;
    await goOnAsNew(config.data, machine, error);
    return openAsItIs(config, machine, input, true);
  }
}

function openAsItIs(
  config: Config,
  machine: Machine,
  input: ConfigInput | undefined,
  isNew = false,
): Promise<Hub> {
  return openTogether(
    (closers) => assemble(layGround(config, machine, closers, input), isNew),
    (failure) => machine.log.warn('hub.close-failed', { reason: messageOf(failure) }),
  );
}

async function assemble(ground: Ground, isNew: boolean): Promise<Hub> {
  const { config, machine, id, failed, closers } = ground;
  const serving = await serveDevices(ground, isNew);
  // Devices are served while the rest of the program is still being read from the card.
  const { followJournal } = await import('./followers.ts');
  const followers = followJournal(ground, serving);
  const peers = await openPeers(ground, serving, followers);
  const fullPage = new FullDoor('http.full', config.http.connectionsMax, machine);
  const status = openStatus(ground, serving, { ...followers, fullPage }, peers);
  announce(ground, serving, followers, status);
  const log = servedLog(ground, serving.journal, followers.ledger);
  const records = new HubRecords({ ...serving, id });
  const parts = { ...ground, ...serving, ...followers, fullPage, status, records, servedLog: log };
  const { listenHttp } = await import('./http.ts');
  const http = closers.add(await listenHttp(parts));
  const addresses = { ...serving.addresses, ...http.addresses };
  announceRuntime(config.data, { pid: machine.pid, ...addresses }, machine, closers);
  return {
    id,
    addresses,
    status,
    failed,
    close: () => closers.close(),
  };
}

/** Undefined where the hub stands alone. */
async function openPeers(
  ground: Ground,
  serving: Serving,
  followers: Followers,
): Promise<PeerBook | undefined> {
  if (!ground.config.peer.enabled) return undefined;
  return (await import('./sync/peers.ts')).openPeers(ground, serving, followers);
}

function openStatus(
  ground: Ground,
  serving: Serving,
  followers: Followers & { readonly fullPage: FullDoor },
  peers: PeerBook | undefined,
): HubStatus {
  const { config, machine, time, paths, id } = ground;
  return new HubStatus({
    hubId: id,
    version: PROGRAM_VERSION,
    config,
    ...serving,
    ...followers,
    peers: () => peers?.status() ?? [],
    cut: cutFaultIn(paths, machine.files),
    flash: openFlashLedger({ ...ground, ...serving }),
    host: machine.host,
    clock: time.clock,
    machineClock: machine.clock,
    log: machine.log,
  });
}

/** Keeps the hub's own retained topics up to date. */
function announce(
  { time, machine, closers }: Ground,
  { broker }: Serving,
  { power }: Followers,
  status: HubStatus,
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
  closers.add({ close: machine.timers.every(ANNOUNCE_MS, sayAll) });
}
