/**
 * Hubs on the local network, by multicast DNS (sync/peers/PEERS.md §5): for devices in Node that were told a site and no address.
 * What is found proves nothing; login and certificates do, when a device connects.
 */
import { pause, type Timers } from '../../base/clock.ts';
import { HubError, messageOf } from '../../base/errors.ts';
import { originOfText } from '../../model/origin.ts';

export interface FoundHub {
  readonly site: string;
  readonly hub: string;
  /** For `connect`: MQTT. */
  readonly url: string;
  /** MQTT over TLS, where the hub has it. */
  readonly tlsUrl: string | undefined;
}

export interface FindOptions {
  /** Hubs of this site alone. */
  readonly site?: string;
  /** How long to listen. */
  readonly withinMs?: number;
  /** IPv4 address of ours whose network to ask; without it, the one that the system chooses for multicast. */
  readonly address?: string;
}

const TYPE = 'heliograph';
const WITHIN_MS = 2_000;
const HUBS_MAX = 64;

interface Service {
  readonly port: number;
  readonly txt?: unknown;
  readonly referer?: { readonly address: string; readonly family: string };
}

/** Every hub that answers in time, each once. Throws `client.no-discovery` where the package `bonjour-service` is not installed. */
export async function lookForHubs(options: FindOptions, timers: Timers): Promise<FoundHub[]> {
  const { site, withinMs = WITHIN_MS, address } = options;
  const { default: Bonjour } = await import('bonjour-service').catch((error: unknown) => {
    throw new HubError('client.no-discovery', messageOf(error), error);
  });
  const network = address === undefined ? {} : { interface: address, bind: '0.0.0.0' };
  let failure: unknown;
  const fail = (error: unknown): void => void (failure ??= error);
  const bonjour = new Bonjour({ reuseAddr: true, ...network } as object, fail);
  (bonjour as unknown as WithSocket).server.mdns.on('error', fail);
  const found = new Map<string, FoundHub>();
  bonjour.find({ type: TYPE }, (service) => {
    const hub = hubIn(service);
    const isWanted = hub !== undefined && (site === undefined || hub.site === site);
    if (isWanted && found.size < HUBS_MAX) found.set(hub.hub, hub);
  });
  await pause(timers, withinMs);
  await new Promise<void>((resolve) => bonjour.destroy(() => resolve()));
  if (failure !== undefined && found.size === 0) {
    throw new HubError('client.no-discovery', messageOf(failure), failure);
  }
  return [...found.values()];
}

interface WithSocket {
  readonly server: {
    readonly mdns: { on(event: 'error', listener: (error: unknown) => void): void };
  };
}

function hubIn({ port, txt, referer }: Service): FoundHub | undefined {
  const text = (txt ?? {}) as Readonly<Record<string, unknown>>;
  const { site, hub, tls } = { site: text['site'], hub: text['hub'], tls: text['tls'] };
  if (typeof site !== 'string' || typeof hub !== 'string' || originOfText(hub) === undefined)
    return undefined;
  if (referer === undefined || referer.family !== 'IPv4') return undefined;
  const { address } = referer;
  const tlsUrl =
    typeof tls === 'string' && /^\d{1,5}$/.test(tls) ? `mqtts://${address}:${tls}` : undefined;
  return { site, hub, url: `mqtt://${address}:${port}`, tlsUrl };
}
