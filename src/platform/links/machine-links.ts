/**
 * The links of this machine. The table is read from /proc and /sys whenever somebody asks; that it has changed is told by
 * one `ip monitor`, which sleeps in the kernel until then (Node has no netlink sockets). Where there is no `ip`, the table
 * is compared every few seconds instead. What NetworkManager and ModemManager say is fetched behind each change, and once
 * in a while, since nobody tells us when they change their mind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

import type { Cancel, Timers } from '../../base/clock.ts';
import { namesIn, textAt } from '../files/kernel-files.ts';
import { askHelpers, type DeviceFacts, HELPERS, type HelperCommands } from './link-helpers.ts';
import type { LinkDevice, Links, LinkTable } from './links.ts';
import { ipv4Routes, ipv6Defaults } from './route-files.ts';

interface MachineLinksOptions {
  readonly timers: Timers;
  /** Where to look, and whom to ask; a test may name others. */
  readonly proc?: string;
  readonly sys?: string;
  readonly ip?: string;
  readonly helpers?: HelperCommands;
}

/** Changes come in bursts: a device, its addresses, its routes. */
const SETTLE_MS = 150;
/** Without `ip`, and to make up for what it may have missed while it was started again. */
const POLL_MS = 5_000;
const POLL_BESIDE_MS = 60_000;
const RESPAWN_MS = 60_000;
const HELPERS_MS = 120_000;
const DEVICES_MAX = 64;
/** Names that the kernel gives to what modems bring. */
const MODEM_NAME = /^(wwan|ppp|rmnet|cdc)/;

export class MachineLinks implements Links {
  readonly #timers: Timers;
  readonly #paths: { readonly proc: string; readonly sys: string };
  readonly #ip: string;
  readonly #helpers: HelperCommands;
  readonly #listeners = new Set<() => void>();
  #facts = new Map<string, DeviceFacts>();
  #watching: Cancel | undefined;

  constructor({ timers, proc = '/proc', sys = '/sys', ip = 'ip', helpers }: MachineLinksOptions) {
    this.#timers = timers;
    this.#paths = { proc, sys };
    this.#ip = ip;
    this.#helpers = helpers ?? HELPERS;
  }

  read(): LinkTable | undefined {
    const { proc } = this.#paths;
    const ipv4 = textAt(join(proc, 'net/route'));
    const ipv6 = textAt(join(proc, 'net/ipv6_route'));
    if (ipv4 === undefined && ipv6 === undefined) return undefined;
    const routes = [...ipv4Routes(ipv4 ?? ''), ...ipv6Defaults(ipv6 ?? '')];
    return { devices: this.#devices(), routes };
  }

  watch(onChange: () => void): Cancel {
    this.#listeners.add(onChange);
    this.#watching ??= this.#begin();
    return () => {
      this.#listeners.delete(onChange);
      if (this.#listeners.size > 0) return;
      this.#watching?.();
      this.#watching = undefined;
    };
  }

  #begin(): Cancel {
    let last = '';
    let isAsking = false;
    let cancelSettle: Cancel | undefined;
    let isOver = false;
    const compare = (): void => {
      const table = JSON.stringify(this.read() ?? null);
      if (table === last || isOver) return;
      last = table;
      for (const listener of this.#listeners) listener();
    };
    const askAround = async (): Promise<void> => {
      if (isAsking) return;
      isAsking = true;
      this.#facts = await askHelpers(this.#helpers);
      isAsking = false;
      compare();
    };
    const changed = (): void => {
      cancelSettle ??= this.#timers.after(SETTLE_MS, () => {
        cancelSettle = undefined;
        compare();
        void askAround();
      });
    };
    const monitor = new Monitor(this.#ip, this.#timers, changed);
    last = JSON.stringify(this.read() ?? null);
    void askAround();
    let sincePollMs = 0;
    const cancels = [
      this.#timers.every(POLL_MS, () => {
        sincePollMs += POLL_MS;
        if (monitor.isRunning && sincePollMs < POLL_BESIDE_MS) return;
        sincePollMs = 0;
        compare();
      }),
      this.#timers.every(HELPERS_MS, () => void askAround()),
    ];
    return () => {
      isOver = true;
      for (const cancel of cancels) cancel();
      cancelSettle?.();
      monitor.stop();
    };
  }

  #devices(): LinkDevice[] {
    const dir = join(this.#paths.sys, 'class/net');
    const names = namesIn(dir).filter((name) => name !== 'lo');
    return names.slice(0, DEVICES_MAX).map((name) => {
      const state = textAt(join(dir, name, 'operstate'))?.trim();
      const { isModem, ...facts } = this.#facts.get(name) ?? {};
      return {
        name,
        isUp: state === 'up' || state === 'unknown' || state === undefined,
        isWireless: isWireless(join(dir, name)),
        isModem: isModem === true || MODEM_NAME.test(name) || isWwan(join(dir, name)),
        ...facts,
      };
    });
  }
}

/**
 * In place of the shell the program, which ends with us also where we are killed; by itself it would at the next event, which
 * on a quiet network is never. Beside it a shell waits for a word from us, or for our end. (`setpriv --pdeathsig` needs a call
 * that the unit forbids.)
 */
const ENDS_WITH_US = '{ read -r _ <&3 || kill -9 $$; } >/dev/null 2>&1 & exec "$0" "$@" 3<&-';

/** One `ip monitor`, started again a minute after it has ended. */
class Monitor {
  readonly #ip: string;
  readonly #timers: Timers;
  readonly #onEvent: () => void;
  #child: ChildProcess | undefined;
  #cancelRespawn: Cancel | undefined;
  #isStopped = false;

  constructor(ip: string, timers: Timers, onEvent: () => void) {
    this.#ip = ip;
    this.#timers = timers;
    this.#onEvent = onEvent;
    this.#start();
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelRespawn?.();
    this.#child?.kill('SIGKILL');
  }

  #start(): void {
    const monitor = [this.#ip, '-o', 'monitor', 'link', 'address', 'route'];
    const child = spawn('sh', ['-c', ENDS_WITH_US, ...monitor], {
      stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
    });
    this.#child = child;
    const watcher = child.stdio[3] as Writable;
    watcher.on('error', () => undefined); // It has ended before us.
    child.stdout?.on('data', () => this.#onEvent());
    child.once('error', () => this.#ended(child));
    child.once('exit', () => {
      watcher.end('\n');
      this.#ended(child);
    });
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    if (this.#isStopped) return;
    this.#cancelRespawn = this.#timers.after(RESPAWN_MS, () => this.#start());
  }
}

function isWireless(dir: string): boolean {
  return existsSync(join(dir, 'wireless')) || existsSync(join(dir, 'phy80211'));
}

function isWwan(dir: string): boolean {
  return textAt(join(dir, 'uevent'))?.includes('DEVTYPE=wwan') ?? false;
}
