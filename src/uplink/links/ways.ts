/**
 * Which ways lead upstream, by the routes that the kernel has, and what each costs: pure, from the table of
 * platform/links to a list in the kernel's own order of preference.
 *
 * - An upstream with an address is reached by the longest prefix that covers it, so one on the local network needs no
 *   default route; names are taken to be far away, except `*.local` and those without a dot.
 * - A tunnel costs what the link below it costs: the best default route that is none.
 * - A metered link costs what a cellular one does, whatever carries it: somebody pays for its bytes.
 */
import {
  ipv4Of,
  type LinkDevice,
  type LinkRoute,
  type LinkTable,
} from '../../platform/links/links.ts';

export type WayKind = 'ethernet' | 'wifi' | 'cellular' | 'satellite' | 'carried';

/** What a link costs, as a class: the least is taken first. */
export const COST_CLASSES: Readonly<Record<WayKind, number>> = {
  ethernet: 0,
  wifi: 1,
  cellular: 2,
  satellite: 3,
  carried: 4,
};

export interface Way {
  readonly device: string;
  readonly kind: WayKind;
  /** NetworkManager sees the page of a captive portal there. */
  readonly isPortal: boolean;
}

const LOOPBACK: Way = { device: 'lo', kind: 'ethernet', isPortal: false };
const TUNNEL_NAME = /^(tun|tap|wg|tailscale|zt|vpn|ipsec)/;

/** Ways to a host, the kernel's first choice first; none where no route leads there. */
export function waysTo(
  host: string,
  table: LinkTable,
  kindByDevice: ReadonlyMap<string, WayKind> = new Map(),
): Way[] {
  if (isLoopback(host)) return [LOOPBACK];
  const deviceByName = new Map(table.devices.map((device) => [device.name, device]));
  const usable = table.routes
    .filter(({ device }) => deviceByName.get(device)?.isUp === true)
    .toSorted((a, b) => b.prefix - a.prefix || a.metric - b.metric);
  const routes = routesTo(host, usable);
  const names = [...new Set(routes.map(({ device }) => device))];
  return names.map((name) => {
    const device = deviceByName.get(name) as LinkDevice;
    const below = TUNNEL_NAME.test(name) ? physicalBelow(usable, deviceByName) : device;
    const kind = kindByDevice.get(name) ?? kindByDevice.get(below.name) ?? kindOf(below);
    return { device: name, kind, isPortal: device.connectivity === 'portal' };
  });
}

function isLoopback(host: string): boolean {
  return ['localhost', '::1', '[::1]'].includes(host) || host.startsWith('127.');
}

function routesTo(host: string, usable: readonly LinkRoute[]): LinkRoute[] {
  const address = ipv4Of(host);
  if (address === undefined) {
    const isNear = host.endsWith('.local') || !/[.:]/.test(host);
    return isNear ? [...usable] : usable.filter(({ prefix }) => prefix === 0);
  }
  const covering = usable.filter(({ network, prefix }) => {
    const hosts = 2 ** (32 - prefix);
    return Math.floor(address / hosts) === Math.floor(network / hosts);
  });
  const longest = covering[0]?.prefix;
  return covering.filter(({ prefix }) => prefix === longest);
}

function physicalBelow(
  usable: readonly LinkRoute[],
  deviceByName: ReadonlyMap<string, LinkDevice>,
): LinkDevice {
  const route = usable.find(({ prefix, device }) => prefix === 0 && !TUNNEL_NAME.test(device));
  const unknown = { name: '', isUp: true, isWireless: false, isModem: true };
  return deviceByName.get(route?.device ?? '') ?? unknown;
}

function kindOf({ isModem, isMetered, isWireless }: LinkDevice): WayKind {
  if (isModem || isMetered === true) return 'cellular';
  return isWireless ? 'wifi' : 'ethernet';
}
