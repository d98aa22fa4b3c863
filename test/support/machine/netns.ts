/**
 * Two network namespaces, of a hub and of a region, with a cable between them; what happens in them does not touch the
 * machine's own network. They are removed when the test ends.
 */
import { execFileSync } from 'node:child_process';

import { onTestFinished, test } from 'vitest';

import { peer } from './peers.ts';

export interface Namespaces {
  readonly hub: readonly string[];
  readonly region: readonly string[];
  /** Runs `ip` in the hub's namespace. */
  ip(...args: readonly string[]): void;
  /** What goes upstream goes no faster than this (`tc`, tbf). */
  slow(...limits: readonly string[]): void;
  /** Lays another cable, `uplink1`, to a router of its own. */
  secondCable(): void;
}

/** The region's own address, behind the router at the other end of the cable. */
export const REGION_ADDRESS = '10.99.0.1';
export const ROUTER_ADDRESS = '10.77.0.1';
/** Of the hub, at the first cable. */
export const HUB_ADDRESS = '10.77.0.2';
/** Behind the second cable. */
export const OTHER_ROUTER_ADDRESS = '10.78.0.1';

/** A test in namespaces, with `mosquitto_pub`: skips with a clear word where there can be none, also in CI. */
export function testInNamespaces(title: string, run: () => Promise<void>): void {
  const why = peer('mosquitto_pub') === undefined ? 'needs mosquitto_pub' : whyNoNamespaces();
  if (why === undefined) test(title, run);
  else test.skip(`${title} (skipped: ${why})`, () => undefined);
}

/** Why there can be none here; undefined where there can. */
function whyNoNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, for network namespaces';
  const name = `hgt${process.pid}`;
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'needs network namespaces, which this machine does not give';
  }
}

export function makeNamespaces(): Namespaces {
  const [hub, region] = [`hgh${process.pid}`, `hgr${process.pid}`];
  const ip = (...args: readonly string[]): void =>
    void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => {
    for (const name of [hub, region]) ip('netns', 'del', name);
  });
  for (const name of [hub, region]) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  const lay = (near: string, far: string, address: string, router: string): void => {
    const farEnd = ['peer', 'name', far, 'netns', region];
    ip('-n', hub, 'link', 'add', near, 'type', 'veth', ...farEnd);
    ip('-n', hub, 'addr', 'add', `${address}/24`, 'dev', near);
    ip('-n', region, 'addr', 'add', `${router}/24`, 'dev', far);
    ip('-n', hub, 'link', 'set', near, 'up');
    ip('-n', region, 'link', 'set', far, 'up');
  };
  lay('uplink0', 'cable0', HUB_ADDRESS, ROUTER_ADDRESS);
  ip('-n', region, 'addr', 'add', `${REGION_ADDRESS}/32`, 'dev', 'lo');
  const inside = (name: string): readonly string[] => ['ip', 'netns', 'exec', name];
  return {
    hub: inside(hub),
    region: inside(region),
    ip: (...args) => ip('-n', hub, ...args),
    slow: (...limits) => {
      const how = ['qdisc', 'add', 'dev', 'uplink0', 'root', 'tbf', ...limits];
      execFileSync('tc', ['-n', hub, ...how], { stdio: ['ignore', 'ignore', 'pipe'] });
    },
    secondCable: () => lay('uplink1', 'cable1', '10.78.0.2', OTHER_ROUTER_ADDRESS),
  };
}
