/** `heliograph bench …` as typed. */
import { MachineHost } from '../../platform/host.ts';
import { type Args, UsageError } from '../args.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { runBench } from './bench.ts';
import { RIVALS } from './rivals/rivals.ts';
import { folderOf } from './folder.ts';
import { runLoad } from './load/load.ts';
import { INGEST_NAMES, type Load, SCENARIOS, WARM_LINE } from './scenarios.ts';

const RUNS = 3;

export function benchIngest(args: Args, io: CliIo): Promise<ExitCode> {
  const named = args.texts('scenario');
  return bench(named.length === 0 ? INGEST_NAMES : named, args, io);
}

export function benchDrain(args: Args, io: CliIo): Promise<ExitCode> {
  return bench(['drain'], args, io);
}

/** The load in a process of its own: takes one JSON text, prints a line when it is warm, and one JSON text at the end. */
export async function benchLoad(args: Args, io: CliIo): Promise<ExitCode> {
  const spec = JSON.parse(args.operand(0)) as { host: string; port: number; load: Load };
  const onWarm = (): void => io.stdout(`${WARM_LINE}\n`);
  const result = await runLoad({ ...spec, clock: io.clock, timers: io.timers, onWarm });
  io.stdout(`${JSON.stringify(result)}\n`);
  return EXIT.done;
}

async function bench(names: readonly string[], args: Args, io: CliIo): Promise<ExitCode> {
  const vs = args.text('vs');
  const rival = RIVALS.find((name) => name === vs);
  if (vs !== undefined && rival === undefined) {
    throw new UsageError(`no rival ${vs}; there are: ${RIVALS.join(', ')}`);
  }
  await runBench(
    {
      scenarios: scenariosOf(names),
      vs: rival,
      json: args.has('json'),
      seconds: args.number('seconds', 1, 3_600),
      runs: args.number('runs', 1, 99) ?? RUNS,
      dir: folderOf(args),
      signal: io.signal,
    },
    {
      clock: io.clock,
      files: io.files,
      host: new MachineHost(),
      random: io.random,
      http: io.http,
      out: (line) => io.stdout(`${line}\n`),
      err: (line) => io.stderr(`${line}\n`),
    },
  );
  return EXIT.done;
}

function scenariosOf(names: readonly string[]) {
  const known = SCENARIOS.map((scenario) => scenario.name);
  const unknown = names.find((name) => name !== 'all' && !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`no scenario ${unknown}; there are: ${known.join(', ')}, all`);
  }
  return SCENARIOS.filter(({ name }) => names.includes('all') || names.includes(name));
}
