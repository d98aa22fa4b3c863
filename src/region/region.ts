/**
 * The regional node: opens its broker (or joins the one in the config), the node behind it, and a small
 * HTTP API; closes them in reverse. Its data lies below `<data>/regional`, so that a hub and a regional node
 * can share one data directory on one machine.
 */
import { HubError, messageOf, systemCode } from '../base/errors.ts';
import { isoTime } from '../base/iso-time.ts';
import { Broker } from '../broker/broker.ts';
import { BRIEF_FILTER } from '../batch/wire/topics.ts';
import { PASSING_DOOR } from '../broker/contract.ts';
import { type Closers, openTogether } from '../closers.ts';
import type { Config } from '../config/schema.ts';
import { brokerLogin, loginOptions, openAccess } from '../hub/access.ts';
import type { Access } from '../security/access.ts';
import { announceRuntime, onSoundDisk, regionalDir, takeDataDirectory } from '../hub/data/data.ts';
import { brokerLimits, type HubAddresses, listening, type Listening } from '../hub/listeners.ts';
import { batchOpener, batchSealerTo } from '../keys/batch-seal.ts';
import { verifyEd25519 } from '../keys/identity.ts';
import type { Machine } from '../machine.ts';
import { type HttpServer, serveHttp } from '../platform/network/http/http-server.ts';
import type { MqttClient } from '../platform/network/mqtt-client.ts';
import type { Database } from '../platform/network/postgres.ts';
import { RegionalNode, type RegionalNodeOptions } from '../regional/regional-node.ts';
import { clientOf } from './broker.ts';
import type { Site } from '../regional/site.ts';
import { Fleet } from './fleet.ts';
import { checkRegionIsHere, openRegionIdentity } from './identity.ts';
import { sendDoorOf } from './send.ts';
import { fleetTerms, openStorage } from './storage.ts';
import { openRegionAudit } from './audit.ts';
import { settingsOf } from './settings.ts';
import { summariesOf } from './summaries.ts';
import { FaultBook, type FoundFault } from '../status/fault-book.ts';
import type { FaultStatus } from '../status/snapshot.ts';
import { PageFiles } from '../status/http/page-files.ts';
import { readSecret } from '../security/secrets.ts';
import type { ContentDoor } from '../status/api/assets.ts';
import type { RegionMetrics } from '../status/region/region-metrics.ts';
import {
  createRegionApi,
  type RegionSite,
  type RegionStatus,
} from '../status/region/region-api.ts';
import { PROGRAM_VERSION } from '../versions.ts';

export interface Region {
  readonly id: string;
  readonly addresses: HubAddresses;
  /** Resolves when the node cannot go on and must be started again. */
  readonly failed: Promise<unknown>;
  close(): Promise<void>;
}

/** What hubs may do at the node's own broker in mode `password`: batches are signed, so one grant serves all. */
const HUB_GRANT = {
  user: '',
  role: 'device',
  publish: ['heliograph/v1/#', BRIEF_FILTER],
  read: ['heliograph/v1/#'],
} as const;
const HTTP_CONNECTIONS_MAX = 64;
const MIB = 1 << 20;

/** Opens everything; throws `HubError`, and leaves nothing open, where a part cannot. */
export function openRegion(config: Config, machine: Machine): Promise<Region> {
  return openTogether(
    (closers) => assemble(config, machine, closers),
    (failure) => machine.log.warn('regional.close-failed', { reason: messageOf(failure) }),
  );
}

async function assemble(config: Config, machine: Machine, closers: Closers): Promise<Region> {
  const { files, random, log, clock, timers } = machine;
  const dir = regionalDir(config.data);
  const identity = onSoundDisk(dir, () => {
    checkRegionIsHere(config, dir, files);
    takeDataDirectory(dir, files, closers);
    return openRegionIdentity(config, dir, machine);
  });
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise((resolve) => (fail = resolve));

  const places = [{ host: config.regional.host, key: 'regional.host' }];
  const access = closers.add(await openAccess(config, machine, places, [HUB_GRANT]));
  const upstream =
    config.regional.url === '' ? await ownBroker(config, machine, access, closers) : undefined;
  const opened = await openStorage(config, machine, dir, identity, closers);
  const { storage, database, assets } = opened;
  const node = closers.add(
    await RegionalNode.open({
      storage,
      ...(database === undefined ? {} : { fleet: fleetTerms(config) }),
      clock,
      timers,
      random,
      log,
      mqtt: upstream?.client ?? machine.mqtt,
      broker: brokerLogin('regional', config.regional, machine),
      ...keptTerms(config, machine),
      audit: openRegionAudit(config, machine, dir, closers),
      signer: identity,
      verify: verifyEd25519,
      sealerTo: (sealKey) => batchSealerTo(sealKey, random),
      software: PROGRAM_VERSION,
      onFatal: fail,
    }),
  );
  const fleet = new Fleet({ clock, sites: () => node.sites() });

  const http = await listenHttp({
    config,
    machine,
    access,
    closers,
    id: identity.id,
    node,
    fleet,
    database,
    assets,
  });
  const addresses = {
    ...(upstream?.listening.addresses ?? { mqtt: config.regional.url }),
    http: `http://${http.host}:${http.port}/`,
  };
  announceRuntime(dir, { pid: machine.pid, ...addresses }, machine, closers);
  return {
    id: identity.id,
    addresses,
    failed,
    close: () => closers.close(),
  };
}

/** What the node can open and may store. */
function keptTerms(
  { regional }: Config,
  { files, env }: Machine,
): Pick<RegionalNodeOptions, 'opener' | 'jurisdictions'> {
  const { operatorKeyFile, acceptJurisdictions } = regional;
  const key = 'regional.operator_key_file';
  const credential = 'regional-operator-key';
  const pem = readSecret({ files, env, file: operatorKeyFile, credential, key });
  return {
    opener: pem === undefined ? undefined : batchOpener(pem, operatorKeyFile || credential),
    jurisdictions: acceptJurisdictions.length === 0 ? undefined : acceptJurisdictions,
  };
}

interface RegionParts {
  readonly config: Config;
  readonly machine: Machine;
  readonly access: Access;
  readonly closers: Closers;
  readonly id: string;
  readonly node: RegionalNode;
  readonly fleet: Fleet;
  readonly database: Database | undefined;
  readonly assets: ContentDoor;
}

/** The fleet page and its API. */
async function listenHttp(parts: RegionParts): Promise<HttpServer> {
  const { config, machine, access, closers, id, node, fleet, database, assets } = parts;
  const { files, log, clock } = machine;
  const { host, httpPort } = config.regional;
  const startMs = clock.monotonicMs();
  const diskFreeBytes = (): number | null => freeBytesOf(regionalDir(config.data), machine);
  const own = (): OwnWord => ownWord(id, clock.monotonicMs() - startMs);
  const book = new FaultBook(clock, log);
  const faults = (): readonly FaultStatus[] => book.told(faultsNow(node, database));
  const status = async (): Promise<RegionStatus> => {
    const sites: RegionSite[] = [];
    for (const { name: site, storage } of node.sites()) {
      const hubs = (await storage.hubs()).map(({ hub }) => hub);
      sites.push({ site, hubs, batches: await storage.batches() });
    }
    const at = isoTime(clock.wallMs());
    const around = { connected: node.isConnected, diskFreeBytes: diskFreeBytes() };
    return { ...own(), at, ...around, faults: faults(), sites };
  };
  const metrics = async (): Promise<RegionMetrics> => {
    const sites = await siteMetrics(node.sites(), clock.wallMs());
    // What the question above has met, not the one before.
    const databaseThere = database === undefined ? null : database.awayBy === undefined;
    const around = { connected: node.isConnected, databaseThere, diskFreeBytes: diskFreeBytes() };
    return { ...own(), work: node.work, ...around, faults: faults(), sites };
  };
  const api = createRegionApi({
    isConnected: () => node.isConnected,
    wallMs: () => clock.wallMs(),
    diskFreeBytes,
    faults,
    status,
    metrics,
    digest: async (site) => node.site(site)?.storage.digest(),
    fleet: () => fleet.hubs(),
    lines: (site, hub, sinceMs) => fleet.lines(site, hub, sinceMs),
    summaries: async (site, hub, all) => {
      const storage = node.site(site)?.storage;
      return storage === undefined ? undefined : summariesOf(storage, hub, all);
    },
    readings: (site) => {
      const storage = node.site(site)?.storage;
      return storage && ((query) => storage.readings(query));
    },
    timers: machine.timers,
    takeCarried: (messages) => node.carried.take(messages),
    sending: sendDoorOf(node, () => clock.wallMs()),
    settings: async (name) => {
      const storage = node.site(name)?.storage;
      return storage === undefined ? undefined : settingsOf(storage);
    },
    assets,
    page: new PageFiles(files, machine.pageDir, { log, index: 'fleet.html' }),
    log,
    ...loginOptions(access, host),
  });
  const server = closers.add(
    await serveHttp({
      host,
      port: httpPort,
      purpose: 'regional.http_port',
      connectionsMax: HTTP_CONNECTIONS_MAX,
      fetch: (request, remote) => api.fetch(request, remote),
      bodyBytesMax: (_method, path) => (path === '/api/v1/roster' ? 2 * MIB : MIB),
    }),
  );
  closers.add(api);
  return server;
}

type OwnWord = Pick<RegionStatus, 'regionId' | 'version' | 'uptimeS'>;

function ownWord(regionId: string, uptimeMs: number): OwnWord {
  return { regionId, version: PROGRAM_VERSION, uptimeS: Math.round(uptimeMs / 1_000) };
}

/** Of the database both may tell: who waits for it, and whom it has failed. */
function faultsNow(node: RegionalNode, database: Database | undefined): FoundFault[] {
  const why = database?.awayBy;
  if (why === undefined) return node.troubles();
  const others = node.troubles().filter(({ code }) => code !== 'database.away');
  return [...others, { code: 'database.away', message: `PostgreSQL: ${why}` }];
}

function freeBytesOf(dir: string, { files }: Pick<Machine, 'files'>): number | null {
  try {
    return files.freeBytes(dir);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return null; // The disk is gone: whoever writes says so.
  }
}

/** None while their storage does not answer: the other figures tell of that. */
async function siteMetrics(
  sites: readonly Site[],
  nowMs: number,
): Promise<readonly RegionMetrics['sites'][number][]> {
  try {
    return await metricsOf(sites, nowMs);
  } catch (error) {
    if (error instanceof HubError) return [];
    throw error;
  }
}

async function metricsOf(
  sites: readonly Site[],
  nowMs: number,
): Promise<readonly RegionMetrics['sites'][number][]> {
  const found: RegionMetrics['sites'][number][] = [];
  for (const { name: site, storage } of sites) {
    const hubs = (await storage.hubs()).map(({ hub, heardMs }) => ({
      hub,
      heardS: heardMs === undefined ? null : Math.max(0, Math.round((nowMs - heardMs) / 1_000)),
    }));
    found.push({ site, hubs, ...(await storage.figures()) });
  }
  return found;
}

/** The embedded broker: hubs come by TCP, the node by a handler. */
async function ownBroker(
  config: Config,
  machine: Machine,
  access: Access,
  closers: Closers,
): Promise<{ readonly client: MqttClient; readonly listening: Listening }> {
  const { host, port } = config.regional;
  const { clock, timers, log, network } = machine;
  const broker = closers.add(
    Broker.open({
      clock,
      timers,
      log,
      door: PASSING_DOOR,
      gatekeeper: access.gatekeeper,
      version: PROGRAM_VERSION,
      limits: brokerLimits(config.broker),
    }),
  );
  const { connectionsMax } = config.broker;
  const mqtt = await network.listen(
    { host, port, connectionsMax, purpose: 'regional.port' },
    (connection) => broker.accept(connection),
  );
  return { client: clientOf(broker), listening: closers.add(listening({ mqtt })) };
}
