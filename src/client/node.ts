/** The SDK in Node: log and state in files, MQTT over TCP or WebSocket. One process a folder, which must not be copied. */
import { randomBytes } from 'node:crypto';

import { type Clock, qualityBy, type Timers } from '../base/clock.ts';
import { fetcherOf, httpOf } from './assets/fetch-bytes.ts';
import { Device } from './device.ts';
import type { DeviceOptions } from './options.ts';
import { type FindOptions, type FoundHub, lookForHubs } from './link/find-hubs.ts';
import { FileStorage } from './storage/file-storage.ts';
import type { TlsTrust } from './link/link.ts';
import { openMqttLink } from './link/mqtt-link.ts';

export * from './index.ts';
export type { TlsTrust } from './link/link.ts';
export type { FindOptions, FoundHub } from './link/find-hubs.ts';

export interface NodeOptions extends DeviceOptions {
  /** Folder of this device; made where it is not there. */
  readonly dir: string;
  /** For `mqtts:`, what the site's own certificates need. */
  readonly tls?: TlsTrust;
}

export function connect({ dir, tls, ...options }: NodeOptions): Promise<Device> {
  const storage = FileStorage.open(dir);
  const http = options.http ?? httpOf(options.url);
  const fetchBytes = http === undefined ? undefined : fetcherOf(fetch, http, options);
  return Device.open(options, {
    storage,
    openLink: (target, handlers) => openMqttLink({ ...target, tls }, handlers),
    clock,
    timers,
    random,
    fetchBytes,
  });
}

/**
 * Every hub on the local network that answers in time; connect to the `url` of one, or better its `tlsUrl`. Throws `HubError`
 * `client.no-discovery`.
 */
export function findHubs(options: FindOptions = {}): Promise<FoundHub[]> {
  return lookForHubs(options, timers);
}

const clock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  quality: () => qualityBy(Date.now()),
};

const timers: Timers = {
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  every: (periodMs, callback) => {
    const timer = setInterval(callback, periodMs);
    return () => clearInterval(timer);
  },
  soon: (callback) => {
    const immediate = setImmediate(callback);
    return () => clearImmediate(immediate);
  },
};

const random = {
  bytes: (count: number): Uint8Array => new Uint8Array(randomBytes(count)),
  fraction: (): number => Math.random(),
};
