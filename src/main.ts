#!/usr/bin/env node
/**
 * Entry of the program: gives the commands their world, turns signals into one abort, and ends with the
 * command's exit code. The only place that ends the process.
 */
import { machineTimers, MachineClock } from './platform/clock.ts';
import { runCli } from './cli/cli.ts';
import { COMMANDS } from './cli/commands.ts';
import { machineHttpClient } from './platform/network/http-client.ts';
import { machineFiles } from './platform/files/machine-files.ts';
import { machineRandom } from './platform/random.ts';
import { PROGRAM_VERSION } from './versions.ts';

/** What a shell reports of a process that SIGINT ended. */
const EXIT_INTERRUPTED = 130;

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

const code = await runCli(COMMANDS, process.argv.slice(2), {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  isTty: process.stdout.isTTY,
  env: process.env,
  files: machineFiles,
  clock: new MachineClock(),
  timers: machineTimers,
  random: machineRandom,
  http: machineHttpClient,
  signal: interrupt.signal,
  version: PROGRAM_VERSION,
});
await drained();
process.exit(code);

/** Pipes take what is written a little later: nothing of it may be lost by the exit. */
function drained(): Promise<void> {
  return new Promise((resolve) => process.stdout.write('', () => resolve()));
}
