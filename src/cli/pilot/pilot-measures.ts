/** `heliograph pilot --measures`: the power brain against its criteria, seed by seed and site by site. */
import { turn } from '../../base/clock.ts';
import {
  type Evaluation,
  evaluate,
  POLICIES,
  type Policy,
  PRESETS,
} from '../../pilot/world/light-model.ts';
import {
  type Attainable,
  darkText,
  isMissedByAll,
  type Measure,
  MISSED_BY_ALL,
  type Verdict,
  verdictOf,
} from '../../pilot/judging/measures.ts';
import type { Scenario } from '../../pilot/scenario.ts';
import type { Args } from '../args.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';

interface Row extends Verdict {
  readonly preset: string;
  readonly weather: string;
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
    const verdict = verdictOf(await evaluateEach(POLICIES, scenario, io), scenario);
    const row = { preset: preset.name, weather, ...verdict };
    rows.push(row);
    if (!args.has('json'))
      io.stdout(`${rows.length === 1 ? headOf(row.measures) : ''}${lineOf(row)}`);
  }
  const measures = rows.flatMap((row) => row.measures);
  const missed = measures.filter(({ holds }) => !holds).length;
  const byAll = measures.filter(isMissedByAll).length;
  const beyond = rows.flatMap(beyondIn).length;
  if (args.has('json')) {
    io.stdout(`${JSON.stringify({ rows, measures: measures.length, missed, byAll, beyond })}\n`);
  } else {
    io.stdout(`\n${sumOf(measures.length, missed, byAll)}\n${NOTE}`);
    for (const [kind, head] of HEADS) {
      const texts = textsOf(rows, kind);
      if (texts.length > 0) io.stdout(`\n${head}:\n${texts.join('\n')}\n`);
    }
  }
  return missed === beyond ? EXIT.done : EXIT.failed;
}

/** Misses that say nothing against the policy. */
function beyondIn({ attainable, measures }: Row): Measure[] {
  return measures.filter((it) => (attainable.kind === 'no' ? !it.holds : isMissedByAll(it)));
}

/** `297 of 300 measures hold; 2 that perfect foresight and the fewest sessions miss, too, 1 missed by ours alone.` */
export function sumOf(count: number, missed: number, byAll: number): string {
  const parts = [
    ...(byAll === 0 ? [] : [`${byAll} that perfect foresight and the fewest sessions miss, too`]),
    ...(missed === byAll ? [] : [`${missed - byAll} missed by ours alone`]),
  ];
  const rest = parts.length === 0 ? '' : `; ${parts.join(', ')}`;
  return `${count - missed} of ${count} measures hold${rest}.`;
}

const NOTE = `Each cell: what was measured, and in brackets the most that is allowed. !: missed; ~: missed, and ${MISSED_BY_ALL}.\n`;
const HEADS = [
  ['no', 'Too dark for any policy'],
  ['off', 'Too dark for the site'],
  ['doubtful', 'Dark'],
] as const;

/** Which weather it is, and what stands against it. */
function textsOf(rows: readonly Row[], kind: Attainable['kind']): string[] {
  return rows
    .filter((row) => row.attainable.kind === kind)
    .map((row) => `${nameOf(row.weather)}, ${row.preset}: ${darkText(row.attainable) ?? ''}`);
}

const MARKS: Readonly<Record<Attainable['kind'], string>> = {
  yes: '',
  doubtful: '  dark',
  off: '  off',
  no: '  too dark',
};

function nameOf(weather: string): string {
  return weather.split('/').at(-1) ?? weather;
}

function markOf(measure: Measure): string {
  return isMissedByAll(measure) ? '~ ' : measure.holds ? '' : '! ';
}

function headOf(measures: readonly Measure[]): string {
  const names = measures.map(({ name }) => name.padStart(20));
  return `${'weather'.padEnd(14)}${'site'.padEnd(16)}${names.join('')}\n`;
}

function lineOf({ preset, weather, measures, attainable: outlook }: Row): string {
  const cells = measures.map((it) => {
    const { name, value, limit } = it;
    const shown = (figure: number): string =>
      name.startsWith('Wh') ? figure.toFixed(3) : (100 * figure).toFixed(1);
    return `${markOf(it)}${shown(value)} (${shown(limit)})`.padStart(20);
  });
  const place = nameOf(weather).slice(0, 13).padEnd(14);
  return `${place}${preset.padEnd(16)}${cells.join('')}${MARKS[outlook.kind]}\n`;
}
