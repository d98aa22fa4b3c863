/**
 * Two network namespaces, of a hub and of a region, with a cable between them; what happens in them does not touch the
 * machine's own network. They are removed when the test ends.
 */
import { execFileSync } from 'node:child_process';

import { onTestFinished } from 'vitest';

export interface Namespaces {
  readonly hub: readonly string[];
  readonly region: readonly string[];
  /** Runs `ip` in the hub's namespace. */
  ip(...args: readonly string[]): void;
}

/** The region's own address, behind the router at the other end of the cable. */
export const REGION_ADDRESS = '10.99.0.1';
export const ROUTER_ADDRESS = '10.77.0.1';

/** Why there can be none here; undefined where there can. */
export function whyNoNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, for network namespaces';
  try {
    execFileSync('ip', ['netns', 'add', 'heliograph-try'], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'del', 'heliograph-try'], { stdio: 'ignore' });
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
  ip(
    '-n',
    hub,
    'link',
    'add',
    'uplink0',
    'type',
    'veth',
    'peer',
    'name',
    'cable0',
    'netns',
    region,
  );
  ip('-n', hub, 'addr', 'add', '10.77.0.2/24', 'dev', 'uplink0');
  ip('-n', region, 'addr', 'add', `${ROUTER_ADDRESS}/24`, 'dev', 'cable0');
  ip('-n', region, 'addr', 'add', `${REGION_ADDRESS}/32`, 'dev', 'lo');
  ip('-n', hub, 'link', 'set', 'uplink0', 'up');
  ip('-n', region, 'link', 'set', 'cable0', 'up');
  const inside = (name: string): readonly string[] => ['ip', 'netns', 'exec', name];
  return {
    hub: inside(hub),
    region: inside(region),
    ip: (...args) => ip('-n', hub, ...args),
  };
}
