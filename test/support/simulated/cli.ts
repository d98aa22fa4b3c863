/** Runs commands as program.ts would, in a world of memory. */
import assert from 'node:assert/strict';

import { runCli } from '../../../src/cli/cli.ts';
import { COMMANDS } from '../../../src/cli/commands.ts';
import type { CliIo } from '../../../src/cli/io.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import type { Files } from '../../../src/platform/files/files.ts';
import { MemoryFiles } from '../memory/memory-files.ts';
import { NOON_MS } from '../made/status.ts';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class CliWorld {
  readonly files = new MemoryFiles();
  readonly clock = new SimClock(NOON_MS);
  readonly #random = new SeededRandom(1);

  async run(argv: string, change: Partial<CliIo> = {}): Promise<CliResult> {
    let stdout = '';
    let stderr = '';
    const noHub = (): never => assert.fail('no command here asks a hub');
    const io: CliIo = {
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
      isTty: false,
      env: {},
      files: this.files as Partial<Files> as Files,
      clock: this.clock,
      timers: this.clock,
      random: this.#random,
      http: { get: noHub, post: noHub, exchange: noHub, follow: noHub },
      signal: new AbortController().signal,
      version: '1.2.3',
      ...change,
    };
    const words = argv.match(/"[^"]*"|\S+/g) ?? [];
    const code = await runCli(
      COMMANDS,
      words.map((word) => word.replaceAll('"', '')),
      io,
    );
    return { code, stdout, stderr };
  }
}
