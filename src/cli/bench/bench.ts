/**
 * `heliograph bench`: how many durable publishes a second, at which latency, for how much processor,
 * memory and flash; beside a rival under the same load in the same run. Brokers take turns, so that a
 * machine that slows down slows both, and every figure is the median of the runs.
 */
import type { Clock } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Files } from '../../platform/files/files.ts';
import type { Host } from '../../platform/host.ts';
import type { HttpClient } from '../../platform/network/http/http-client.ts';
import { inNewFolder } from './folder.ts';
import { type Contender, hub } from './contenders.ts';
import { type Figures, measure, type Measuring, mediansOf } from './measure.ts';
import { reportLines, type Row } from './report.ts';
import { rival, type RivalName } from './rivals/rivals.ts';
import type { Scenario } from './scenarios.ts';

interface BenchOptions {
  readonly vs: RivalName | undefined;
  readonly json: boolean;
  /** Length of each measurement instead of the scenario's own. */
  readonly seconds: number | undefined;
  readonly runs: number;
  readonly scenarios: readonly Scenario[];
  /** Folder for the brokers' files: it has to be on the disk that is meant, not in memory. */
  readonly dir: string;
  readonly signal: AbortSignal;
}

interface BenchParts {
  readonly clock: Clock;
  readonly files: Files;
  readonly host: Host;
  readonly random: Random;
  readonly http: HttpClient;
  readonly out: (line: string) => void;
  /** Progress, and what a broken load says. */
  readonly err: (line: string) => void;
}

export async function runBench(options: BenchOptions, parts: BenchParts): Promise<void> {
  const ours = hub(parts.http);
  const contenders = options.vs === undefined ? [ours] : [ours, rival(options.vs, parts.files)];
  const rows: Row[] = [];
  for (const scenario of options.scenarios) {
    rows.push(await compare(scenario, contenders, options, parts));
  }
  const document = { runs: options.runs, scenarios: rows };
  const lines = options.json ? [JSON.stringify(document, undefined, 2)] : reportLines(rows);
  for (const line of lines) parts.out(line);
}

async function compare(
  scenario: Scenario,
  contenders: readonly Contender[],
  options: BenchOptions,
  parts: BenchParts,
): Promise<Row> {
  const load = { ...scenario.load, seconds: options.seconds ?? scenario.load.seconds };
  const runs = new Map<string, Figures[]>(contenders.map(({ name }) => [name, []]));
  for (let run = 1; run <= options.runs; run++) {
    for (const contender of contenders) {
      if (options.signal.aborted) throw new HubError('bench.broken', 'interrupted');
      const figures = await measure(contender, { ...scenario, load }, measuring(options, parts));
      runs.get(contender.name)?.push(figures);
      const value = Math.round(figures[scenario.measure] * 100) / 100;
      parts.err(
        `${scenario.name} ${run}/${options.runs} ${contender.name}: ${scenario.measure} ${value}`,
      );
    }
  }
  const brokers = Object.fromEntries(
    [...runs].map(([name, figures]) => [name, mediansOf(figures)]),
  );
  const ours = brokers['heliograph']?.[scenario.measure] ?? 0;
  const theirs = options.vs && brokers[options.vs]?.[scenario.measure];
  const ratio = theirs === undefined || theirs === 0 ? undefined : ours / theirs;
  return { name: scenario.name, title: scenario.title, measure: scenario.measure, brokers, ratio };
}

function measuring(options: BenchOptions, parts: BenchParts): Measuring {
  return {
    clock: parts.clock,
    host: parts.host,
    onTrouble: parts.err,
    inTempDir: (use) => inNewFolder(options.dir, parts, use),
  };
}
