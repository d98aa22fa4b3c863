/** Where the hub listens for devices: MQTT and MQTT over TLS. */
import type { Broker } from '../broker/broker.ts';
import type { BrokerLimits } from '../broker/limits.ts';
import type { Config } from '../config/schema.ts';
import type { FullDoor } from './limits/full-door.ts';
import type { Ground } from './ground.ts';
import type { Listener } from '../platform/network/network.ts';

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
  { config, machine, id }: Pick<Ground, 'config' | 'machine' | 'id'>,
  broker: Broker,
  fullDoor: FullDoor,
): Promise<Listening> {
  const { host, port, tlsPort, connectionsMax } = config.broker;
  const room = { connectionsMax, onTurnedAway: () => fullDoor.note() };
  const { network } = machine;
  const accept = broker.accept.bind(broker);
  const plain = await network.listen({ host, port, ...room, purpose: 'broker.port' }, accept);
  if (tlsPort === 0) return listening({ mqtt: plain });
  try {
    const { tlsCredentials } = await import('./enrol.ts');
    const tls = await tlsCredentials(config, machine, id);
    const options = { host, port: tlsPort, ...room, purpose: 'broker.tls_port', tls };
    return listening({ mqtt: plain, mqtts: await network.listen(options, accept) });
  } catch (error) {
    await plain.close();
    throw error;
  }
}

/** Several listeners as one, by the scheme of their URLs. */
export function listening(listeners: Readonly<Record<string, Listener>>): Listening {
  const named = Object.entries(listeners);
  const urls = named.map(([scheme, { host, port }]) => [
    scheme,
    `${scheme}://${hostAndPort(host, port)}`,
  ]);
  return {
    addresses: Object.fromEntries(urls) as HubAddresses,
    close: async () => {
      await Promise.all(named.map(([, listener]) => listener.close()));
    },
  };
}

/** As it stands in a URL. */
export function hostAndPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
