/** `heliograph pilot --measures`: the power brain against its criteria, seed by seed and site by site. */
import type { ExitCode, CliIo } from '../io.ts';
import { EXIT } from '../io.ts';
import type { Args } from '../args.ts';
import { evaluate, POLICIES, PRESETS } from '../../pilot/world/light-model.ts';
import {
  type EvaluationByPolicy,
  isAttainable,
  type Measure,
  measuresOf,
} from '../../pilot/measures.ts';
import type { Scenario } from '../../pilot/scenario.ts';

interface Row {
  readonly preset: string;
  readonly weather: string;
  readonly measures: readonly Measure[];
  readonly attainable: boolean;
}

export function policiesOf(scenario: Scenario): EvaluationByPolicy {
  const { preset, sky, place, startMs, days, seed } = scenario;
  const entries = POLICIES.map((policy) => {
    return [policy, evaluate({ preset, policy, sky, place, startMs, days, seed })] as const;
  });
  return Object.fromEntries(entries) as unknown as EvaluationByPolicy;
}

/** One row a site and weather; `scenarios` without regard to their preset. */
export function measureAll(scenarios: readonly Scenario[], args: Args, io: CliIo): ExitCode {
  const rows: Row[] = [];
  for (const scenario of scenarios) {
    for (const preset of Object.values(PRESETS)) {
      const by = policiesOf({ ...scenario, preset });
      const { weather } = scenario;
      const row = { preset: preset.name, weather, measures: measuresOf(by) };
      rows.push({ ...row, attainable: isAttainable(by) });
      if (!args.has('json'))
        io.stdout(`${rows.length === 1 ? headOf(row.measures) : ''}${lineOf(rows.at(-1) as Row)}`);
    }
  }
  const measures = rows.flatMap((row) => row.measures);
  const missed = measures.filter(({ holds }) => !holds).length;
  if (args.has('json'))
    io.stdout(`${JSON.stringify({ rows, measures: measures.length, missed })}\n`);
  else io.stdout(`\n${measures.length - missed} of ${measures.length} measures hold.\n${NOTE}`);
  return missed === 0 ? EXIT.done : EXIT.failed;
}

const NOTE = `Each cell: what was measured, and in brackets the most that is allowed. "too dark": even the fewest sessions that
keep the deadlines take this site down for longer than is allowed; no policy can hold all measures there.
`;

function headOf(measures: readonly Measure[]): string {
  const names = measures.map(({ name }) => name.padStart(20));
  return `${'weather'.padEnd(14)}${'site'.padEnd(16)}${names.join('')}\n`;
}

function lineOf({ preset, weather, measures, attainable }: Row): string {
  const cells = measures.map(({ name, value, limit, holds }) => {
    const shown = (figure: number): string =>
      name.startsWith('Wh') ? figure.toFixed(3) : (100 * figure).toFixed(1);
    return `${holds ? '' : '! '}${shown(value)} (${shown(limit)})`.padStart(20);
  });
  const place = weather.split('/').at(-1) ?? weather;
  return `${place.slice(0, 13).padEnd(14)}${preset.padEnd(16)}${cells.join('')}${attainable ? '' : '  too dark'}\n`;
}
