/**
 * Child processes of tests: output by line, a wait for the line that matters, and an end by process id
 * when the test ends, whatever happened to it.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { onTestFinished } from 'vitest';

const FIRST_PORT = 20_000;
/** Of each worker of the test runner: files that run side by side never try the same port. */
const PORTS = 1_500;
const WORKERS = 8;
const WORKER = Number(process.env['VITEST_POOL_ID'] ?? 0) % WORKERS;
/** An orderly end in time, also where others want the processor and the disk. */
const GRACE_MS = 60_000;
let nextPort = randomInt(PORTS);

/** Folder of the project. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export interface Spawned {
  readonly pid: number;
  /** Lines of both streams so far, as they came. */
  readonly lines: readonly string[];
  readonly exited: Promise<number | null>;
  /** The first line, past or to come, that matches; rejects where the process ends without it. */
  line(pattern: RegExp): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL where that has not helped within `graceMs`; the exit code. */
  stop(graceMs?: number): Promise<number | null>;
}

/** Starts a program; it is stopped when the test ends. Call it inside a test. */
export function spawnProcess(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Spawned {
  const child = spawn(command, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, ...options.env },
  });
  const spawned = watch(child, [command, ...args].join(' '));
  onTestFinished(async () => {
    await spawned.stop();
  });
  return spawned;
}

function watch(child: ChildProcessWithoutNullStreams, name: string): Spawned {
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  const take = (line: string): void => {
    lines.push(line);
    for (const listener of listeners) listener(line);
  };
  createInterface({ input: child.stdout }).on('line', take);
  createInterface({ input: child.stderr }).on('line', take);
  let running = true;
  const exited = once(child, 'close').then(([code]) => {
    running = false;
    return code as number | null;
  });
  const kill = (signal: NodeJS.Signals): void => {
    if (running) child.kill(signal);
  };
  return {
    pid: child.pid ?? 0,
    lines,
    exited,
    kill,
    async stop(graceMs = GRACE_MS) {
      kill('SIGTERM');
      const timer = setTimeout(() => kill('SIGKILL'), graceMs);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
    line(pattern) {
      const seen = lines.find((line) => pattern.test(line));
      if (seen !== undefined) return Promise.resolve(seen);
      return new Promise((resolve, reject) => {
        const listener = (line: string): void => {
          if (!pattern.test(line)) return;
          listeners.delete(listener);
          resolve(line);
        };
        listeners.add(listener);
        const ended = (): void => {
          reject(new Error(`${name} ended without ${pattern}:\n${lines.slice(-20).join('\n')}`));
        };
        exited.then(ended, ended);
      });
    },
  };
}

/**
 * A port of 127.0.0.1 for a program that cannot choose one by itself. Below those that the system gives to whoever asks for any, which
 * would take it before the program is up; each test file begins at a place of its own, and gives a port once. Also for what ends and is to
 * come back on its port.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS; tries++) {
    const port = FIRST_PORT + WORKER * PORTS + (nextPort++ % PORTS);
    if (await isFree(port)) return port;
  }
  throw new Error('no port is free');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
