/**
 * Hubs of a site that find each other on the local network (sync/peers/PEERS.md §5). What they hear is a place to dial and nothing
 * more: who answers there has to prove itself as at a configured address. So a password goes only to a broker with a
 * certificate of `peer.ca_file`, and in mode `enrolled` the site's own certificates decide.
 */
import type { Config } from '../../config/schema.ts';
import { HubError } from '../../base/errors.ts';
import { originOfText } from '../../model/origin.ts';
import {
  type Announcement,
  type FoundService,
  LAN,
  LOOPBACK,
} from '../../platform/network/discovery.ts';
import type { PeerBook } from '../../sync/peers/peer-book.ts';
import type { Ground } from '../ground.ts';
import type { HubAddresses } from '../listeners.ts';

const SERVICE_TYPE = 'heliograph';
/** Of what the TXT record says. */
const TXT_VERSION = '1';

/** Announces this hub and dials those of its site that are found; nothing where the broker is for this machine alone. */
export async function discoverPeers(
  { config, machine, id, closers }: Ground,
  addresses: HubAddresses,
  book: Pick<PeerBook, 'found'>,
): Promise<void> {
  const { log, discovery } = machine;
  const where = placeOf(config);
  const own = announcementOf(config.site, id, addresses);
  if (where === undefined || discovery === undefined || own === undefined) return;
  const told = new Set<string>();
  const tellOnce = (event: string, what: string): void => {
    if (told.has(what) || told.size >= TOLD_MAX) return;
    told.add(what);
    log.info(event, { what });
  };
  try {
    const opened = await discovery.open({
      type: SERVICE_TYPE,
      where,
      own,
      onFound: (service) => {
        const hub = originOfText(service.text['hub'] ?? '');
        if (service.text['site'] !== config.site || hub === undefined || hub === id) return;
        const address = addressOf(config, service);
        if (address === undefined) tellOnce('peer.found-unsafe', `${hub} at ${service.address}`);
        else book.found(hub, address);
      },
      onError: (reason) => tellOnce('peer.discovery-failed', reason),
    });
    closers.add(opened);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    log.warn('peer.no-discovery', { reason: error.message });
  }
}

const TOLD_MAX = 100;

/** The networks on which this hub can be reached. */
function placeOf({ peer, broker }: Config): string | undefined {
  if (peer.discover === 'off') return undefined;
  if (peer.discover === 'loopback') return LOOPBACK;
  const { host } = broker;
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return undefined;
  return host === '0.0.0.0' || host === '::' ? LAN : host;
}

function announcementOf(
  site: string,
  hub: string,
  { mqtt, mqtts }: HubAddresses,
): Announcement | undefined {
  if (mqtt === undefined) return undefined;
  const tls = mqtts === undefined ? {} : { tls: new URL(mqtts).port };
  const text = { v: TXT_VERSION, site, hub, ...tls };
  return { name: `heliograph-${hub}`, port: Number(new URL(mqtt).port), text };
}

/** Undefined where dialling there would tell our password to anybody. */
function addressOf(
  { security, peer }: Config,
  { address, port, text }: FoundService,
): string | undefined {
  if (security.mode === 'open') return `mqtt://${address}:${port}`;
  const tls = Number(text['tls'] ?? 0);
  const isPort = Number.isInteger(tls) && tls > 0 && tls < 65_536;
  const isProven = security.mode === 'enrolled' || peer.caFile !== '';
  return isPort && isProven ? `mqtts://${address}:${tls}` : undefined;
}
