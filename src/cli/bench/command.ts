/**
 * `heliograph bench ingest` and `bench drain`: how many durable publishes a second, at which latency, for how much processor,
 * memory and flash; beside a rival under the same load in the same run. Brokers take turns, so that a
 * machine that slows down slows both, and every figure is the median of the runs.
 */
import { HubError } from '../../base/errors.ts';
import { MachineHost } from '../../platform/host.ts';
import { type Args, UsageError } from '../args.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';
import { type Contender, hub } from './contenders.ts';
import { folderOf, inNewFolder } from './folder.ts';
import { runLoad } from './load/load.ts';
import { type Figures, measure, type Measuring, mediansOf } from './measure.ts';
import { reportLines, type Row } from './report.ts';
import { RIVALS } from './rivals/rivals.ts';
import { INGEST_NAMES, type Load, type Scenario, SCENARIOS, WARM_LINE } from './scenarios.ts';

interface Comparison {
  /** Ours first. */
  readonly contenders: readonly Contender[];
  readonly runs: number;
  readonly measuring: Measuring;
}

const RUNS = 3;

export function benchIngest(args: Args, io: CliIo): Promise<void> {
  const named = args.texts('scenario');
  return bench(named.length === 0 ? INGEST_NAMES : named, args, io);
}

export function benchDrain(args: Args, io: CliIo): Promise<void> {
  return bench(['drain'], args, io);
}

/** The load in a process of its own: takes one JSON text, prints a line when it is warm, and one JSON text at the end. */
export async function benchLoad(args: Args, io: CliIo): Promise<void> {
  const spec = JSON.parse(args.operand(0)) as { host: string; port: number; load: Load };
  const onWarm = (): void => io.stdout(`${WARM_LINE}\n`);
  const result = await runLoad({ ...spec, clock: io.clock, timers: io.timers, onWarm });
  io.stdout(`${JSON.stringify(result)}\n`);
}

async function bench(names: readonly string[], args: Args, io: CliIo): Promise<void> {
  const dir = folderOf(args);
  const seconds = args.number('seconds', 1, 3_600);
  const comparison = {
    contenders: [hub(io.http), ...rivalsIn(args, io)],
    runs: args.number('runs', 1, 99) ?? RUNS,
    measuring: {
      clock: io.clock,
      host: new MachineHost(),
      onTrouble: (line: string) => io.stderr(`${line}\n`),
      inTempDir: <T>(use: (dir: string) => Promise<T>) => inNewFolder(dir, io, use),
    },
  };
  const rows: Row[] = [];
  for (const { load, ...scenario } of scenariosOf(names)) {
    const timed = { ...load, seconds: seconds ?? load.seconds };
    rows.push(await compare({ ...scenario, load: timed }, comparison, io));
  }
  const document = { runs: comparison.runs, scenarios: rows };
  print(args, io, document, () => reportLines(rows));
}

async function compare(
  scenario: Scenario,
  { contenders, runs, measuring }: Comparison,
  io: CliIo,
): Promise<Row> {
  const figuresByName = new Map<string, Figures[]>(contenders.map(({ name }) => [name, []]));
  for (let run = 1; run <= runs; run++) {
    for (const contender of contenders) {
      if (io.signal.aborted) throw new HubError('bench.broken', 'interrupted');
      const figures = await measure(contender, scenario, measuring);
      figuresByName.get(contender.name)?.push(figures);
      const value = Math.round(figures[scenario.measure] * 100) / 100;
      io.stderr(
        `${scenario.name} ${run}/${runs} ${contender.name}: ${scenario.measure} ${value}\n`,
      );
    }
  }
  const medians = [...figuresByName].map(([name, figures]) => [name, mediansOf(figures)] as const);
  const [ours, theirs] = medians.map(([, figures]) => figures[scenario.measure]);
  const ratio = theirs === undefined || theirs === 0 ? undefined : (ours ?? 0) / theirs;
  const { name, title, measure: what } = scenario;
  return { name, title, measure: what, brokers: Object.fromEntries(medians), ratio };
}

/** None where none is asked for. */
function rivalsIn(args: Args, { files }: CliIo): Contender[] {
  const vs = args.text('vs');
  if (vs === undefined) return [];
  const rival = RIVALS.get(vs);
  if (rival !== undefined) return [rival(files)];
  throw new UsageError(`no rival ${vs}; there are: ${[...RIVALS.keys()].join(', ')}`);
}

function scenariosOf(names: readonly string[]): readonly Scenario[] {
  const known = SCENARIOS.map((scenario) => scenario.name);
  const unknown = names.find((name) => name !== 'all' && !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`no scenario ${unknown}; there are: ${known.join(', ')}, all`);
  }
  return SCENARIOS.filter(({ name }) => names.includes('all') || names.includes(name));
}
