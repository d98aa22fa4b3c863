/**
 * Multicast DNS on the machine's networks, by `bonjour-service`, which is loaded when somebody wants to find or be found.
 *
 * A socket for each address, bound to its interface: by the system's choice multicast would go where the default route leads, to
 * the modem. Interfaces of modems, tunnels and containers are left out.
 */
import { networkInterfaces } from 'node:os';

import type { Bonjour, Service } from 'bonjour-service';

import type { Cancel, Timers } from '../../base/clock.ts';
import { HubError, messageOf } from '../../base/errors.ts';
import {
  type Discovery,
  type DiscoveryOptions,
  LAN,
  LOOPBACK,
  type OpenDiscovery,
  TEXT_BYTES_MAX,
} from './discovery.ts';

const LOOPBACK_ADDRESS = '127.0.0.1';
const NOT_LOCAL = /^(ppp|wwan|rmnet|tun|tap|wg|docker|br-|virbr|zt|tailscale)/;
/** A network that has come up since is found within so long. */
const LOOK_MS = 30_000;
/** Others are asked anew: a question that was lost costs so long. */
const ASK_MS = 300_000;
const NETWORKS_MAX = 8;
/** Services of one network that are remembered; beyond, all are forgotten and asked for again. */
const SERVICES_MAX = 256;

export function machineDiscovery(timers: Timers): Discovery {
  return {
    open: async (options) => {
      const make = await loadBonjour();
      return new NetworksOfMachine(options, timers, make);
    },
  };
}

/** What the library keeps to itself. */
interface WithSocket {
  readonly server: {
    readonly mdns: { on(event: 'error', listener: (error: unknown) => void): void };
  };
}

type MakeBonjour = (address: string, onError: (reason: string) => void) => Bonjour;

/** Throws `peer.no-discovery` where npm has left the package out. */
async function loadBonjour(): Promise<MakeBonjour> {
  try {
    const { default: Bonjour } = await import('bonjour-service');
    return (address, onError) => {
      // Read by multicast-dns, behind the library's own types.
      const socket = { interface: address, bind: '0.0.0.0', reuseAddr: true, loopback: true };
      const broken = (error: unknown): void => onError(messageOf(error));
      const bonjour = new Bonjour(socket as object, broken);
      // An error of the socket that nobody listens to would end the process.
      (bonjour as unknown as WithSocket).server.mdns.on('error', broken);
      return bonjour;
    };
  } catch (error) {
    throw new HubError('peer.no-discovery', messageOf(error), error);
  }
}

class NetworksOfMachine implements OpenDiscovery {
  readonly #options: DiscoveryOptions;
  readonly #make: MakeBonjour;
  readonly #open = new Map<string, { readonly bonjour: Bonjour; readonly stop: Cancel }>();
  readonly #timers: Timers;
  readonly #stopLooking: Cancel;

  constructor(options: DiscoveryOptions, timers: Timers, make: MakeBonjour) {
    this.#options = options;
    this.#timers = timers;
    this.#make = make;
    this.#look();
    this.#stopLooking = timers.every(LOOK_MS, () => this.#look());
  }

  async close(): Promise<void> {
    this.#stopLooking();
    await Promise.all([...this.#open.keys()].map((address) => this.#leave(address)));
  }

  /** Goes where there is a network, and leaves where there is none any more. */
  #look(): void {
    const addresses = addressesOf(this.#options.where);
    for (const address of this.#open.keys()) {
      if (!addresses.includes(address)) void this.#leave(address);
    }
    for (const address of addresses) if (!this.#open.has(address)) this.#enter(address);
  }

  #enter(address: string): void {
    const { type, own, onFound, onError } = this.#options;
    // A socket that failed is given up; the next look opens another.
    const broken = (reason: string): void => {
      onError(`${address}: ${reason}`);
      void this.#leave(address);
    };
    const bonjour = this.#make(address, broken);
    const browser = bonjour.find({ type });
    const told = (service: Service): void => {
      if (browser.services.length > SERVICES_MAX) return broken('too many services');
      const { name, port, txt, referer } = service;
      if (referer === undefined || referer.family !== 'IPv4') return;
      onFound({ name, port, text: textOf(txt), address: referer.address });
    };
    browser.on('up', told);
    browser.on('txt-update', told);
    browser.on('srv-update', told);
    if (own !== undefined) {
      const { name, port, text } = own;
      // The name is ours alone. Asking first whether it is taken, our other networks would say that it is.
      bonjour.publish({ name, type, port, txt: { ...text }, probe: false, disableIPv6: true });
    }
    const stop = this.#timers.every(ASK_MS, () => browser.update());
    this.#open.set(address, { bonjour, stop });
  }

  async #leave(address: string): Promise<void> {
    const network = this.#open.get(address);
    if (network === undefined) return;
    this.#open.delete(address);
    network.stop();
    await new Promise<void>((resolve) => {
      network.bonjour.unpublishAll(() => network.bonjour.destroy(() => resolve()));
    });
  }
}

function addressesOf(where: string): string[] {
  if (where === LOOPBACK) return [LOOPBACK_ADDRESS];
  const found: string[] = [];
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const { address, family, internal } of addresses ?? []) {
      if (family !== 'IPv4' || internal) continue;
      if (where === LAN ? !NOT_LOCAL.test(name) : address === where) found.push(address);
    }
  }
  return found.slice(0, NETWORKS_MAX);
}

/** What is no short text is left out. */
function textOf(txt: unknown): Record<string, string> {
  if (typeof txt !== 'object' || txt === null) return {};
  const pairs = Object.entries(txt as Record<string, unknown>);
  return Object.fromEntries(
    pairs.flatMap(([key, value]) =>
      typeof value === 'string' && value.length <= TEXT_BYTES_MAX ? [[key, value]] : [],
    ),
  );
}
