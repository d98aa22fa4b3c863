/** `heliograph pilot --measures`: the power brain against its criteria, seed by seed and site by site. */
import { turn } from '../../base/clock.ts';
import {
  type Evaluation,
  evaluate,
  POLICIES,
  type Policy,
  PRESETS,
  undisturbedCourse,
} from '../../pilot/world/light-model.ts';
import {
  type Attainable,
  attainable,
  type EvaluationByPolicy,
  type Measure,
  measuresOf,
} from '../../pilot/measures.ts';
import type { Scenario } from '../../pilot/scenario.ts';
import type { Args } from '../args.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';

interface Row {
  readonly preset: string;
  readonly weather: string;
  readonly measures: readonly Measure[];
  readonly attainable: Attainable;
}

/** The light model under each of the policies. It computes without a pause; between two, it can be interrupted. */
export async function evaluateEach(
  policies: readonly Policy[],
  scenario: Scenario,
  { timers, signal }: CliIo,
): Promise<Evaluation[]> {
  const evaluations: Evaluation[] = [];
  for (const policy of policies) {
    await turn(timers);
    signal.throwIfAborted();
    evaluations.push(evaluate({ ...scenario, policy }));
  }
  return evaluations;
}

export function byPolicy(evaluations: readonly Evaluation[]): EvaluationByPolicy {
  const entries = evaluations.map((it) => [it.policy, it] as const);
  return Object.fromEntries(entries) as unknown as EvaluationByPolicy;
}

/** One row a site and weather; `scenarios` without regard to their preset. */
export async function measureAll(
  scenarios: readonly Scenario[],
  args: Args,
  io: CliIo,
): Promise<ExitCode> {
  const rows: Row[] = [];
  const sites = Object.values(PRESETS);
  for (const scenario of scenarios.flatMap((it) => sites.map((preset) => ({ ...it, preset })))) {
    const { preset, weather } = scenario;
    const by = byPolicy(await evaluateEach(POLICIES, scenario, io));
    const outlook = attainable(by, undisturbedCourse(scenario), preset);
    const row = { preset: preset.name, weather, measures: measuresOf(by), attainable: outlook };
    rows.push(row);
    if (!args.has('json'))
      io.stdout(`${rows.length === 1 ? headOf(row.measures) : ''}${lineOf(row)}`);
  }
  const measures = rows.flatMap((row) => row.measures);
  const missed = missedIn(rows);
  const beyond = missedIn(rows.filter((row) => row.attainable.kind === 'no'));
  if (args.has('json')) {
    io.stdout(`${JSON.stringify({ rows, measures: measures.length, missed, beyond })}\n`);
  } else {
    const proofs = rows.flatMap(proofOf);
    io.stdout(`\n${measures.length - missed} of ${measures.length} measures hold.\n${NOTE}`);
    if (proofs.length > 0) io.stdout(`\nToo dark for any policy:\n${proofs.join('\n')}\n`);
  }
  return missed === beyond ? EXIT.done : EXIT.failed;
}

function missedIn(rows: readonly Row[]): number {
  return rows.flatMap((row) => row.measures).filter(({ holds }) => !holds).length;
}

const NOTE = `Each cell: what was measured, and in brackets the most that is allowed. "dark": even the fewest sessions that keep
the deadlines take this site down for longer than is allowed. "too dark": no policy can hold all measures there, as told below.
`;

/** The bookkeeping that shows it (pilot/darkness.ts). */
function proofOf({ preset, weather, attainable: outlook }: Row): string[] {
  if (outlook.kind !== 'no') return [];
  const { fromDay, toDay, spareWh, sessions, sessionsNeeded, recordsLateRatio } = outlook.darkness;
  return [
    `${nameOf(weather)}, ${preset}: from day ${fromDay.toFixed(1)} to ${toDay.toFixed(1)} the sun leaves ${spareWh.toFixed(1)} Wh for sync, ${sessions} sessions,` +
      ` if the site shall not be down for longer than is allowed. Records need ${sessionsNeeded}:` +
      ` at least ${(100 * recordsLateRatio).toFixed(1)} % of the month's would be late.`,
  ];
}

const MARKS: Readonly<Record<Attainable['kind'], string>> = {
  yes: '',
  doubtful: '  dark',
  no: '  too dark',
};

function nameOf(weather: string): string {
  return weather.split('/').at(-1) ?? weather;
}

function headOf(measures: readonly Measure[]): string {
  const names = measures.map(({ name }) => name.padStart(20));
  return `${'weather'.padEnd(14)}${'site'.padEnd(16)}${names.join('')}\n`;
}

function lineOf({ preset, weather, measures, attainable: outlook }: Row): string {
  const cells = measures.map(({ name, value, limit, holds }) => {
    const shown = (figure: number): string =>
      name.startsWith('Wh') ? figure.toFixed(3) : (100 * figure).toFixed(1);
    return `${holds ? '' : '! '}${shown(value)} (${shown(limit)})`.padStart(20);
  });
  const place = nameOf(weather).slice(0, 13).padEnd(14);
  return `${place}${preset.padEnd(16)}${cells.join('')}${MARKS[outlook.kind]}\n`;
}
