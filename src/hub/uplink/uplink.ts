/**
 * The uplink, joined: what it sends through which broker, what decides when, and where what comes down goes. Without
 * `uplink.url` it sends nothing, and counts what waits all the same.
 */
import { HubError } from '../../base/errors.ts';
import type { Compressor } from '../../batch/compression.ts';
import type { Config } from '../../config/schema.ts';
import { batchRecipient, batchSealer } from '../../keys/batch-seal.ts';
import { verifyEd25519 } from '../../keys/identity.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Machine } from '../../machine.ts';
import type { LinkKind } from '../../power/govern/energy.ts';
import { ApartPacker } from '../../uplink/packing/apart.ts';
import type { UpstreamBroker } from '../../uplink/session/region-link.ts';
import { Uplink } from '../../uplink/uplink.ts';
import { PROGRAM_VERSION } from '../../versions.ts';
import { brokerLogin } from '../access.ts';
import type { Ground } from '../ground.ts';
import type { HubPower } from '../power/power.ts';
import type { Serving } from '../serving.ts';
import type { HubAudit } from '../storage/audit.ts';
import { HubDownlink } from './downlink.ts';
import type { Healing } from '../sync/healing.ts';
import { type HubLink, pausesOf } from './links.ts';
import { RemoteSettings } from './remote-config.ts';

interface UplinkParts {
  readonly power: HubPower;
  readonly ledger: Ledger;
  readonly audit: HubAudit | undefined;
  readonly healing: Healing;
  readonly link: HubLink;
}

const MIB = 1 << 20;
const MINUTE_MS = 60_000;
/** How much rarer the region is asked for orders where a session costs; by radio about as often as data goes anyway. */
const CHECK_IN_RATIO: Readonly<Partial<Record<LinkKind, number>>> = {
  wifi: 3,
  cellular: 3,
  satellite: 6,
};
/** Of 50 KB on the wire; the rest is what TCP and IP wrap around it. */
const IDLE_DAY_BYTES = 28_000;
const HOUR_MINUTES = 60;
/** A session waits so long for late receipts and newcomers; in fast time, not for hours. */
const LINGER_MS = 2_000;
const LINGER_MS_MIN = 100;
const NOT_ENCRYPTED = {
  means: 'brokers on the way can read the data',
  next: 'set uplink.operator_key',
};

export function openUplink(
  ground: Ground,
  serving: Serving,
  { power, ledger, audit, healing, link }: UplinkParts,
  { compressor, lookMs }: { readonly compressor?: Compressor; readonly lookMs?: number },
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
      checkInBytesPerDay: checkInBytesPerDay(config),
      ...(lookMs === undefined ? {} : { lookMs }),
      spoolBytesMax: config.uplink.spoolMibMax * MIB,
      lingerMs: Math.max(LINGER_MS_MIN, LINGER_MS / config.power.timeSpeed),
    },
    ...(compressor === undefined ? {} : { compressor }),
    onFatal: (error) => ground.fail(error),
  });
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

/** An idle day stays below 50 KB; who has the region asked more often than every hour allows as much more. */
function checkInBytesPerDay({ uplink }: Config): number {
  return IDLE_DAY_BYTES * Math.max(1, HOUR_MINUTES / uplink.checkInMinutes);
}

/** What comes down: ops, wishes, settings, the roster. */
function takeDown(
  ground: Ground,
  serving: Serving,
  { power, healing, ledger }: Pick<UplinkParts, 'power' | 'healing' | 'ledger'>,
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
      (await import('../sync/roster.ts')).takeRoster(ground, members, bytes);
    });
  if (members !== undefined && config.uplink.url !== '') {
    void import('../sync/roster.ts').then((it) => it.handInRoster(ground, serving, members));
  }
  const wishes = { power, healing, ledger, settings, takeRoster };
  return new HubDownlink({ ...serving, ...wishes, hub, clock: time.clock, log });
}
