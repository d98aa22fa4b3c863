/**
 * The SDK in Node: the log in a file that is synced before anything is promised, the state beside it, MQTT over TCP
 * or WebSocket. One process a folder; a folder must not be copied, because an origin is whose log it is.
 *
 *   outbox.log   entries: length (4 bytes, big-endian), CRC-32 of the entry (4), the entry
 *   state.cbor   what the hub gave
 *   lock         process id of whoever has it open
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Clock, Timers } from '../base/clock.ts';
import { HubError, systemCode } from '../base/errors.ts';
import { fetcherOf, httpOf } from './assets/fetch-bytes.ts';
import { Device, type DeviceOptions } from './device.ts';
import { type FindOptions, type FoundHub, lookForHubs } from './link/find-hubs.ts';
import { frameEntries, readFrames } from './storage/frames.ts';
import { openMqttLink } from './link/mqtt-link.ts';
import type { DeviceStorage } from './storage/storage.ts';

export * from './index.ts';
export type { FindOptions, FoundHub } from './link/find-hubs.ts';

export interface NodeOptions extends DeviceOptions {
  /** Folder of this device; made where it is not there. */
  readonly dir: string;
}

const datasync = promisify(fdatasync);
/** Before this moment (2026-01-01) a wall clock was certainly never set. */
const OLDEST_PLAUSIBLE_MS = 1_767_225_600_000;

export function connect({ dir, ...options }: NodeOptions): Promise<Device> {
  const storage = FileStorage.open(dir);
  const http = options.http ?? httpOf(options.url);
  const fetchBytes = http === undefined ? undefined : fetcherOf(fetch, http, options);
  return Device.open(options, {
    storage,
    openLink: openMqttLink,
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

/** Exported for its tests: `connect` is what devices use. */
export class FileStorage implements DeviceStorage {
  readonly entries: readonly Uint8Array[];
  readonly state: Uint8Array | undefined;
  readonly #dir: string;
  #file: number;
  #end: number;

  private constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    takeLock(this.#path('lock'));
    this.state = readIfThere(this.#path('state.cbor'));
    const { entries, end } = readFrames(readIfThere(this.#path('outbox.log')) ?? new Uint8Array(0));
    this.entries = entries;
    this.#end = end;
    this.#file = openSync(this.#path('outbox.log'), 'a+', 0o600);
    ftruncateSync(this.#file, end);
    fsyncSync(this.#file);
    syncDir(dir);
  }

  static open(dir: string): FileStorage {
    return new FileStorage(dir);
  }

  async append(entries: readonly Uint8Array[]): Promise<void> {
    const bytes = frameEntries(entries);
    const end = this.#end;
    try {
      writeAll(this.#file, bytes);
      this.#end = end + bytes.length;
      await datasync(this.#file);
    } catch (error) {
      ftruncateSync(this.#file, end);
      throw error;
    }
  }

  async replace(entries: readonly Uint8Array[]): Promise<void> {
    const bytes = frameEntries(entries);
    const path = this.#path('outbox.log');
    const file = await replaceFile(path, bytes);
    closeSync(this.#file);
    closeSync(file);
    this.#file = openSync(path, 'a+', 0o600);
    this.#end = bytes.length;
    syncDir(this.#dir);
  }

  async saveState(state: Uint8Array): Promise<void> {
    closeSync(await replaceFile(this.#path('state.cbor'), state));
    syncDir(this.#dir);
  }

  close(): Promise<void> {
    closeSync(this.#file);
    rmSync(this.#path('lock'), { force: true });
    return Promise.resolve();
  }

  #path(name: string): string {
    return join(this.#dir, name);
  }
}

/** Writes beside, syncs, and takes the place of the old one; the new file is open. */
async function replaceFile(path: string, bytes: Uint8Array): Promise<number> {
  const file = openSync(`${path}.new`, 'w', 0o600);
  writeAll(file, bytes);
  await datasync(file);
  renameSync(`${path}.new`, path);
  return file;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

function readIfThere(path: string): Uint8Array | undefined {
  return existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined;
}

function syncDir(dir: string): void {
  const handle = openSync(dir, 'r');
  fsyncSync(handle);
  closeSync(handle);
}

/** A lock whose holder is dead counts for nothing. */
function takeLock(path: string): void {
  const holder = Number(existsSync(path) ? readFileSync(path, 'utf8') : 0);
  if (holder > 0 && isAlive(holder)) {
    throw new HubError('client.storage', `${path}: process ${holder} has this device open`);
  }
  rmSync(path, { force: true });
  writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

const clock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  quality: () => (Date.now() < OLDEST_PLAUSIBLE_MS ? 'unknown' : 'rtc'),
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
