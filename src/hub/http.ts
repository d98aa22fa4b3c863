/** HTTP of the hub: the page, the API, and MQTT over WebSocket. */
import { messageOf } from '../base/errors.ts';
import { openedOnce } from '../base/opened-once.ts';
import type { Broker } from '../broker/broker.ts';
import type { Config } from '../config/schema.ts';
import type { Access } from '../security/access.ts';
import { loginOptions } from './access.ts';
import type { HubPaths } from './data/data.ts';
import type { FullDoor } from './limits/full-door.ts';
import { hostAndPort, type Listening } from './listeners.ts';
import type { HubPower, SiteTime } from './power/power.ts';
import type { HubStatus } from './status.ts';
import type { HubStore } from './storage/store.ts';
import type { Healing } from './sync/healing.ts';
import { holeDoorOf } from './sync/holes.ts';
import type { Door } from '../ingest/door/door.ts';
import type { Identity } from '../keys/identity.ts';
import type { Machine } from '../machine.ts';
import { serveHttp } from '../platform/network/http/http-server.ts';
import { webSocketUpgrades } from '../platform/network/http/websocket.ts';
import type { Api } from '../status/http/serve-api.ts';
import type { AssetDoor } from '../status/api/assets.ts';
import type { EnrolDoor } from '../status/api/enrol.ts';
import type { RecordDoor } from '../status/api/records.ts';
import type { TransparencyLog } from '../status/api/transparency.ts';
import type { Uplink } from '../uplink/uplink.ts';

export interface HttpParts {
  readonly config: Config;
  readonly machine: Machine;
  readonly time: SiteTime;
  readonly broker: Broker;
  readonly door: Pick<Door, 'holes'>;
  readonly healing: Pick<Healing, 'giveUp' | 'isLooking'>;
  readonly status: HubStatus;
  readonly fullPage: FullDoor;
  readonly power: HubPower;
  readonly store: HubStore;
  readonly access: Access;
  readonly records: RecordDoor;
  readonly assets: AssetDoor;
  readonly servedLog: TransparencyLog;
  readonly identity: Identity;
  readonly paths: HubPaths;
  readonly uplink: Uplink;
}

const MIB = 1 << 20;
const BODY_BYTES_MAX = MIB;

/** Listens for people, programs and devices in browsers; throws `port.taken` where another program listens there. */
export async function listenHttp(parts: HttpParts): Promise<Listening> {
  const { config, broker, access } = parts;
  const { host, port, connectionsMax } = config.http;
  const { broker: limits } = config;
  const handler = webSocketUpgrades(
    { connectionsMax: limits.connectionsMax, messageBytesMax: limits.packetBytesMax },
    (connection) => broker.accept(connection),
  );
  const upgrade = { path: '/mqtt', handler, origins: access.asksForUser ? 'any' : 'same' } as const;
  const { log } = parts.machine;
  let api: Promise<Api> | undefined;
  const open = openedOnce(
    () => openApi(parts),
    (error) => log.error('http.not-opened', { reason: messageOf(error) }),
  );
  const server = await serveHttp({
    host,
    port,
    purpose: 'http.port',
    connectionsMax,
    onTurnedAway: () => parts.fullPage.note(),
    fetch: async (request, remote) => (await (api = open())).fetch(request, remote),
    bodyBytesMax: (method, path) =>
      isUpload(method, path) ? config.assets.fileMibMax * MIB : BODY_BYTES_MAX,
    ...(limits.websocket ? { upgrade } : {}),
  });
  return {
    addresses: { http: `http://${hostAndPort(server.host, server.port)}/` },
    close: async () => {
      (await api?.catch(() => undefined))?.close();
      await server.close();
    },
  };
}

/** With the first request: page and library are a tenth of the hub's memory, and of its start. */
async function openApi(parts: HttpParts): Promise<Api> {
  const { bundleDoorOf } = await import('./uplink/carrier.ts');
  const { createApi } = await import('../status/api/api.ts');
  const { PageFiles } = await import('../status/http/page-files.ts');
  const { config, machine, time, status, power, store, access } = parts;
  return createApi({
    snapshot: () => status.snapshot(),
    health: () => status.health(),
    digest: () => store.digest(),
    syncLog: power.syncLog,
    records: parts.records,
    assets: parts.assets,
    readings: (query) => store.state.readings(query),
    powerSince: (sinceMs) => power.history.since(sinceMs),
    powerSources: () => power.sources(),
    override: power.override,
    holes: holeDoorOf({
      book: parts.door.holes,
      healing: parts.healing,
      clock: time.clock,
      log: machine.log,
    }),
    bundle: bundleDoorOf(parts),
    ...(await enrolDoor(access)),
    ledger: parts.servedLog,
    page: new PageFiles(machine.files, machine.pageDir, { log: machine.log }),
    clock: time.clock,
    timers: machine.timers,
    log: machine.log,
    ...loginOptions(access, config.http.host),
  });
}

/** On the site's authority alone. */
async function enrolDoor({ desk }: Access): Promise<{ enrol?: EnrolDoor }> {
  if (desk === undefined) return {};
  const { enrolRequestOf } = await import('../security/enrolment/desk.ts');
  return { enrol: async (request, remote) => desk.enrol(enrolRequestOf(request), remote) };
}

function isUpload(method: string, path: string): boolean {
  return (method === 'POST' || method === 'PUT') && path.startsWith('/api/v1/assets');
}
