/**
 * Runs one command: gives it its world, turns signals into one abort, and ends with the command's exit code. The only
 * place that ends the process.
 */
import { writeSync } from 'node:fs';

import { systemCode } from './base/errors.ts';
import type { Command } from './cli/args.ts';
import { runCli } from './cli/cli.ts';
import { EXIT } from './cli/io.ts';
import { machineTimers, MachineClock } from './platform/clock.ts';
import { machineFiles } from './platform/files/machine-files.ts';
import { machineHttpClient } from './platform/network/http/http-client.ts';
import { machineRandom } from './platform/random.ts';
import { PROGRAM_VERSION } from './versions.ts';

/** What a shell reports of a process that the signal ended. */
const EXIT_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;

/** Does what was typed, as one of `commands`; `onStdoutError` decides where nobody takes what it says. */
export async function runProgram(
  commands: readonly Command[],
  onStdoutError: (error: Error) => void = endWithoutStdout,
): Promise<never> {
  const interrupt = new Interrupt();
  process.stdout.on('error', onStdoutError);
  process.stderr.on('error', () => undefined); // `tell` sees to it.
  const code = await runCli(commands, process.argv.slice(2), {
    stdout: (text) => void process.stdout.write(text),
    stderr: tell,
    isTty: process.stdout.isTTY,
    env: process.env,
    files: machineFiles,
    clock: new MachineClock(),
    timers: machineTimers,
    random: machineRandom,
    http: machineHttpClient,
    get signal() {
      return interrupt.taken();
    },
    version: PROGRAM_VERSION,
  });
  await drained();
  process.exit(code);
}

/** A reader that has seen enough (`heliograph log | head`) is no error; a disk without room for `proof OP > F` is. */
function endWithoutStdout(error: Error): never {
  if (systemCode(error) === 'EPIPE') process.exit(EXIT.done);
  tell(`standard output takes no more: ${error.message}\n`);
  process.exit(EXIT.failed);
}

/**
 * Lines of the log, which no hub ends for: where nobody takes them they are lost. Node's stream takes no more after its first
 * error; a disk that was full may have room again.
 */
function tell(text: string): void {
  if (!process.stderr.destroyed) process.stderr.write(text);
  else
    try {
      writeSync(2, text);
    } catch {
      // As before.
    }
}

/**
 * SIGINT and SIGTERM as one abort, for commands that asked for it: they end in order. The others have nothing to put in order, and
 * end at once, with their children and folders (platform/children.ts).
 */
class Interrupt {
  readonly #controller = new AbortController();
  #isTaken = false;

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        // Who asks twice does not want to wait for a clean end; the journal does not need one.
        if (!this.#isTaken || this.#controller.signal.aborted) process.exit(EXIT_OF_SIGNAL[signal]);
        this.#controller.abort();
      });
    }
  }

  taken(): AbortSignal {
    this.#isTaken = true;
    return this.#controller.signal;
  }
}

/** Pipes take what is written a little later: nothing of it may be lost by the exit. */
function drained(): Promise<void> {
  return new Promise((resolve) => process.stdout.write('', () => resolve()));
}
