/** Where the hub listens: MQTT, MQTT over TLS, and HTTP with the page, the API and MQTT over WebSocket. */
import { HubError } from './base/errors.ts';
import type { Broker } from './broker/broker.ts';
import type { BrokerLimits } from './broker/limits.ts';
import type { Config } from './config-schema.ts';
import { type Access, loginOptions } from './hub-access.ts';
import type { HubPower, SiteTime } from './hub-power.ts';
import type { HubStatus } from './hub-status.ts';
import type { HubStore } from './hub-store.ts';
import type { Machine } from './machine.ts';
import { type HttpServer, serveHttp } from './platform/http-server.ts';
import type { Listener } from './platform/network.ts';
import { webSocketUpgrades } from './platform/websocket.ts';
import { createApi } from './status/api.ts';
import { PageFiles } from './status/page-files.ts';
import type { RecordDoor } from './status/records.ts';

export interface HubAddresses {
  readonly mqtt?: string;
  readonly mqtts?: string;
  /** Ends with a slash. */
  readonly http?: string;
}

export interface Listening {
  readonly addresses: HubAddresses;
  close(): Promise<void>;
}

const MIB = 1 << 20;
const DAY_MS = 86_400_000;

/** The broker's limits as the config has them; the others stay at their defaults. */
export function brokerLimits(broker: Config['broker']): Partial<BrokerLimits> {
  return {
    packetBytesMax: broker.packetBytesMax,
    connectDeadlineMs: broker.connectTimeoutS * 1_000,
    sessionsMax: broker.sessionsMax,
    sessionExpiryMs: broker.sessionExpiryDays * DAY_MS,
    inflightMax: broker.inflightMax,
    queueMessagesMax: broker.queueMessagesMax,
    queueBytesTotalMax: broker.queueMibMax * MIB,
    subscriptionsPerSessionMax: broker.subscriptionsMax,
    retainedMessagesMax: broker.retainedMax,
    retainedBytesMax: broker.retainedMibMax * MIB,
  };
}

/** Listens for devices; throws `port.taken` that names the key where another program listens there. */
export async function listenMqtt(
  config: Config,
  machine: Machine,
  broker: Broker,
): Promise<Listening> {
  const { host, port, tlsPort, connectionsMax } = config.broker;
  const { network } = machine;
  const accept = broker.accept.bind(broker);
  const plain = await network.listen(
    { host, port, connectionsMax, purpose: 'broker.port' },
    accept,
  );
  if (tlsPort === 0) return listening({ mqtt: plain });
  const tls = {
    cert: fileOf(config.broker.tlsCertFile, 'broker.tls_cert_file', machine),
    key: fileOf(config.broker.tlsKeyFile, 'broker.tls_key_file', machine),
  };
  const options = { host, port: tlsPort, connectionsMax, purpose: 'broker.tls_port', tls };
  try {
    return listening({ mqtt: plain, mqtts: await network.listen(options, accept) });
  } catch (error) {
    await plain.close();
    throw error;
  }
}

/** Several listeners as one, by the scheme of their URLs. */
export function listening(listeners: Readonly<Record<string, Listener>>): Listening {
  const named = Object.entries(listeners);
  const urls = named.map(([scheme, { host, port }]) => [scheme, `${scheme}://${at(host, port)}`]);
  return {
    addresses: Object.fromEntries(urls) as HubAddresses,
    close: async () => {
      await Promise.all(named.map(([, listener]) => listener.close()));
    },
  };
}

function fileOf(path: string, key: string, machine: Machine): Uint8Array {
  const bytes = machine.files.read(path);
  if (bytes === undefined) throw new HubError('config.invalid', `${key}: ${path} is not there`);
  return bytes;
}

export interface HttpParts {
  readonly config: Config;
  readonly machine: Machine;
  readonly time: SiteTime;
  readonly broker: Broker;
  readonly status: HubStatus;
  readonly power: HubPower;
  readonly store: HubStore;
  readonly access: Access;
  readonly records: RecordDoor;
}

export async function listenHttp(parts: HttpParts): Promise<Listening> {
  const { config, machine, time, broker, status, power, store, access } = parts;
  const { host, port, connectionsMax } = config.http;
  const api = createApi({
    snapshot: () => status.snapshot(),
    health: () => status.health(),
    digest: () => store.digest(),
    syncLog: power.syncLog,
    records: parts.records,
    readings: (query) => store.state.readings(query),
    powerSince: (sinceMs) => power.history.since(sinceMs),
    powerSources: () => power.sources(),
    override: power.override,
    page: new PageFiles(machine.files, machine.pageDir),
    clock: time.clock,
    timers: machine.timers,
    log: machine.log,
    ...loginOptions(access, host),
  });
  const { packetBytesMax } = config.broker;
  const handler = webSocketUpgrades(
    { connectionsMax: config.broker.connectionsMax, messageBytesMax: packetBytesMax },
    (connection) => broker.accept(connection),
  );
  const upgrade = { path: '/mqtt', handler, origins: access.asksForUser ? 'any' : 'same' } as const;
  const server: HttpServer = await serveHttp({
    host,
    port,
    purpose: 'http.port',
    connectionsMax,
    fetch: (request, remote) => api.fetch(request, remote),
    ...(config.broker.websocket ? { upgrade } : {}),
  });
  return {
    addresses: { http: `http://${at(server.host, server.port)}/` },
    close: async () => {
      api.close();
      await server.close();
    },
  };
}

function at(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
