/** What a command has found: for programs as one JSON document where `--json` asks for it, else in lines for people. */
import type { Args } from './args.ts';
import type { CliIo } from './io.ts';

export function print(
  args: Args,
  io: CliIo,
  document: unknown,
  lines: () => readonly string[],
): void {
  const shown = args.has('json') ? [JSON.stringify(document)] : lines();
  for (const line of shown) io.stdout(`${line}\n`);
}
