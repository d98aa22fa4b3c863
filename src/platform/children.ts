/**
 * Child processes: the demo's hub and regional node, the bench's rivals and load. A child never outlives
 * its parent's `stop`; its output comes line by line.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  onLine?(line: string): void;
  onErrorLine?(line: string): void;
}

interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child {
  readonly pid: number;
  /** Resolves when the process has ended and its last line was read. */
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess;
  #running = true;

  private constructor(child: ChildProcess, pid: number) {
    this.#process = child;
    this.pid = pid;
    this.exited = once(child, 'close').then(([code, signal]) => {
      this.#running = false;
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  /** Starts a program; throws where it cannot be started at all. */
  static async start(options: ChildOptions): Promise<Child> {
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C is for the parent, which ends its children in order.
      detached: true,
    });
    await once(child, 'spawn');
    const end = (): void => void child.kill('SIGKILL');
    process.prependOnceListener('exit', end); // Before their folders go.
    child.once('exit', () => process.removeListener('exit', end));
    createInterface({ input: child.stdout }).on('line', (line) => options.onLine?.(line));
    createInterface({ input: child.stderr }).on('line', (line) => options.onErrorLine?.(line));
    return new Child(child, child.pid as number);
  }

  get running(): boolean {
    return this.#running;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#running) this.#process.kill(signal);
  }

  /** Asks the child to end, and ends it where it has not within `graceMs`. */
  async stop(graceMs = 5_000): Promise<ChildExit> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }
}

/** The program and first arguments that start this very executable again. */
export function ownProgram(): { command: string; entry: string } {
  return { command: process.execPath, entry: process.argv[1] as string };
}

/** A new folder for files that nobody will miss; it goes with the process. */
export function makeTempDir(prefix: string): string {
  const dir = mkdtempSync(join(tmpdir(), prefix));
  removeAtExit(dir);
  return dir;
}

const foldersToRemove = new Set<string>();

/** Removes a folder when the process ends, however it does, short of SIGKILL. */
export function removeAtExit(dir: string): void {
  if (foldersToRemove.size === 0) process.once('exit', removeFolders);
  foldersToRemove.add(dir);
}

function removeFolders(): void {
  // Children that were killed a moment ago may still write into them.
  for (const dir of foldersToRemove) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}

export function ownProcessId(): number {
  return process.pid;
}
