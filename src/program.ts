/**
 * Runs one command: gives it its world, turns signals into one abort, and ends with the command's exit code. The only
 * place that ends the process.
 */
import type { Command } from './cli/args.ts';
import { runCli } from './cli/cli.ts';
import { machineTimers, MachineClock } from './platform/clock.ts';
import { machineFiles } from './platform/files/machine-files.ts';
import { machineHttpClient } from './platform/network/http-client.ts';
import { machineRandom } from './platform/random.ts';
import { PROGRAM_VERSION } from './versions.ts';

/** What a shell reports of a process that SIGINT ended. */
const EXIT_INTERRUPTED = 130;

/** Does what was typed, as one of `commands`. */
export async function runProgram(commands: readonly Command[]): Promise<never> {
  const code = await runCli(commands, process.argv.slice(2), {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    isTty: process.stdout.isTTY,
    env: process.env,
    files: machineFiles,
    clock: new MachineClock(),
    timers: machineTimers,
    random: machineRandom,
    http: machineHttpClient,
    signal: abortSignal(),
    version: PROGRAM_VERSION,
  });
  await drained();
  process.exit(code);
}

function abortSignal(): AbortSignal {
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // Who asks twice does not want to wait for a clean end; the journal does not need one.
      if (interrupt.signal.aborted) process.exit(EXIT_INTERRUPTED);
      interrupt.abort();
    });
  }
  // A reader that has seen enough (`heliograph log | head`) is no error.
  process.stdout.on('error', () => process.exit(0));
  return interrupt.signal;
}

/** Pipes take what is written a little later: nothing of it may be lost by the exit. */
function drained(): Promise<void> {
  return new Promise((resolve) => process.stdout.write('', () => resolve()));
}
