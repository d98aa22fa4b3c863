/**
 * What a service manager wants to hear: ready, stopping, a line of status, and a sign of life. Without one
 * (no NOTIFY_SOCKET) all of it is silent.
 *
 * The messages go by `systemd-notify`, because Node has no Unix datagram sockets; one runs at a time, and
 * what is said meanwhile goes together with the next, the newest of each kind. So the unit needs
 * NotifyAccess=all. The simulated twin is sim/service-manager.ts.
 */
import { spawn } from 'node:child_process';

import type { Cancel, Timers } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

export interface ServiceManager {
  /** Whether one started us: it will do so again when we end. */
  readonly isThere: boolean;
  /** How often a sign of life is due, at the latest; undefined where nobody watches. */
  readonly watchdogMs: number | undefined;
  /** Start-up is over: devices can connect. */
  ready(): void;
  /** The end was asked for and is under way. */
  stopping(): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  /** A sign of life. */
  watchdog(): void;
}

export class SystemdManager implements ServiceManager {
  readonly isThere: boolean;
  readonly watchdogMs: number | undefined;
  readonly #socket: string | undefined;
  readonly #log: Log;
  readonly #pending = new Map<string, string>();
  #isRunning = false;
  #hasFailed = false;

  /** Reads NOTIFY_SOCKET and WATCHDOG_USEC. */
  constructor(log: Log, environment: NodeJS.ProcessEnv = process.env) {
    this.#log = log;
    this.#socket = environment['NOTIFY_SOCKET'] || undefined;
    this.isThere = this.#socket !== undefined;
    const watchdogUs = Number(environment['WATCHDOG_USEC'] ?? 0);
    const isWatched = this.isThere && watchdogUs > 0;
    this.watchdogMs = isWatched ? watchdogUs / 1_000 : undefined;
  }

  ready(): void {
    this.#say('READY', '1');
  }

  stopping(): void {
    this.#say('STOPPING', '1');
  }

  status(text: string): void {
    this.#say('STATUS', text.replaceAll(/\s+/g, ' '));
  }

  watchdog(): void {
    this.#say('WATCHDOG', '1');
  }

  #say(name: string, value: string): void {
    if (this.#socket === undefined) return;
    this.#pending.set(name, value);
    if (!this.#isRunning) this.#send(this.#socket);
  }

  #send(socket: string): void {
    const assignments = [...this.#pending].map(([name, value]) => `${name}=${value}`);
    this.#pending.clear();
    this.#isRunning = true;
    const env = { ...process.env, NOTIFY_SOCKET: socket };
    const child = spawn('systemd-notify', assignments, { env, stdio: 'ignore' });
    child.unref();
    const finish = (problem: string | undefined): void => {
      if (!this.#isRunning) return;
      this.#isRunning = false;
      this.#report(problem);
      if (this.#pending.size > 0) this.#send(socket);
    };
    child.on('error', (error) => finish(error.message));
    child.on('exit', (code) => finish(code === 0 ? undefined : `exit code ${code}`));
  }

  /** Once per streak of failures: it must not fill the log every half minute. */
  #report(problem: string | undefined): void {
    if (problem !== undefined && !this.#hasFailed) {
      this.#log.warn('service.notify-failed', { problem });
    }
    this.#hasFailed = problem !== undefined;
  }
}

/**
 * Gives a sign of life twice per watchdog period; a program that hangs gives none, and the service manager starts it again. A disk
 * that is full or a broker that is away is no reason for that: a new start would heal neither, and end every connection.
 */
export function feedWatchdog(manager: ServiceManager, timers: Timers): Cancel {
  if (manager.watchdogMs === undefined) return () => undefined;
  return timers.every(manager.watchdogMs / 2, () => manager.watchdog());
}
