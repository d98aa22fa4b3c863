/**
 * What the kernel and its helpers say of the ways out of this machine: devices, IPv4 routes, default routes of IPv6, and
 * where they run, NetworkManager's and ModemManager's word on a device. Facts only; which of them is a way upstream, and
 * whether it carries, is the uplink's business. The simulated twin is sim/links.ts.
 */
import type { Cancel } from '../../base/clock.ts';

/** NetworkManager's opinion, made by asking a server of its own: a portal can fool it, and so can a firewall. */
export type Connectivity = 'unknown' | 'none' | 'portal' | 'limited' | 'full';

export interface LinkDevice {
  readonly name: string;
  /** The kernel's word: a cable is in, a carrier is there. True too where it does not say (ppp, tun). */
  readonly isUp: boolean;
  readonly isWireless: boolean;
  /** ModemManager or the kernel calls it a modem. */
  readonly isModem: boolean;
  /** Both where NetworkManager says so and where it guesses; absent where nobody speaks of it. */
  readonly isMetered?: boolean;
  readonly connectivity?: Connectivity;
}

export interface LinkRoute {
  readonly device: string;
  /** Where it leads: first address and length of the prefix. IPv6 routes are default routes, `prefix` 0. */
  readonly network: number;
  readonly prefix: number;
  /** The kernel takes the least. */
  readonly metric: number;
}

export interface LinkTable {
  readonly devices: readonly LinkDevice[];
  readonly routes: readonly LinkRoute[];
}

export interface Links {
  /** The table of this moment; undefined where this machine does not tell. Quick: it reads files of /proc and /sys. */
  read(): LinkTable | undefined;
  /** Calls back soon after something may have changed, until cancelled. */
  watch(onChange: () => void): Cancel;
}

/** An IPv4 address as a number; undefined where the text is none. */
export function ipv4Of(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((address, part) => address * 256 + part, 0);
}
