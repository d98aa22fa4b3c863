/** `heliograph pilot`: a month in the field in simulated time, judged, compared and shown. */
import { dirname } from 'node:path';

import { textOf, utf8 } from '../../base/bytes.ts';
import { durationText } from '../../base/duration.ts';
import { HubError } from '../../base/errors.ts';
import { isoTime } from '../../base/iso-time.ts';
import { CLASS_NAMES, CLASSES, LOG } from '../../model/class.ts';
import { PilotFailure } from '../../pilot/events.ts';
import {
  type Evaluation,
  POLICIES,
  PRESETS,
  type SitePreset,
} from '../../pilot/world/light-model.ts';
import {
  darkText,
  isMissedByAll,
  MISSED_BY_ALL,
  type Verdict,
  verdictOf,
} from '../../pilot/judging/measures.ts';
import type { PilotOutcome } from '../../pilot/outcome.ts';
import { runPilot } from '../../pilot/pilot.ts';
import { replayOf } from '../../pilot/replay.ts';
import { smallHeap } from '../../platform/calm-heap.ts';
import { reportHtml } from '../../pilot/report/document.ts';
import {
  DAY_MS,
  FAULT_KINDS,
  type FaultKind,
  type Scenario,
  seededScenario,
} from '../../pilot/scenario.ts';
import { readTrace } from '../../pilot/world/trace.ts';
import { placeOfTrace } from '../../pilot/world/trace-place.ts';
import { type Args, UsageError } from '../args.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { print } from '../print.ts';
import { countText } from '../text.ts';
import { evaluateEach, measureAll } from './pilot-measures.ts';

const DAYS_MAX = 366;
const SEED_MAX = 2 ** 32 - 1;
const SEEDS_MAX = 1_000;
const DEVICES_MAX = 500;
const FROM_DAY_MAX = 36_600;
const QUOTA_MIB_MAX = 1_000_000;
const TRACE_BYTES_MAX = 64 << 20;

/** Interrupted, it ends within a simulated hour, and leaves no report. */
export async function pilotCommand(args: Args, io: CliIo): Promise<ExitCode> {
  smallHeap();
  const scenario = scenarioOf(args, io);
  try {
    return await pilot(scenario, args, io);
  } catch (error) {
    if (error instanceof PilotFailure) tellFailure(error, scenario, io);
    else if (io.signal.aborted)
      io.stderr('\nInterrupted: nothing is proven, and no report is written.\n');
    else throw error;
    return EXIT.failed;
  }
}

async function pilot(scenario: Scenario, args: Args, io: CliIo): Promise<ExitCode> {
  const policy = choiceOf(args, 'policy', [...POLICIES, 'all'], 'heliograph');
  const isWhole = !args.has('measures') && (policy === 'heliograph' || policy === 'all');
  const out = outOf(args, isWhole, io);
  if (args.has('measures')) return measureAll(scenariosOf(scenario, args), args, io);
  const policies = POLICIES.filter((it) => policy === 'all' || (it === policy && !isWhole));
  const comparison = await evaluateEach(policies, scenario, io);
  const verdict = policy === 'all' ? verdictOf(comparison, scenario) : undefined;
  const outcome = isWhole ? await watched(scenario, args, io) : undefined;
  if (out !== undefined && outcome !== undefined) {
    io.files.replace(out, utf8(reportHtml(outcome, comparison, verdict)));
  }
  print(args, io, figuresOf(scenario, outcome, comparison, verdict), () => [
    `${io.isTty ? '\r\u001b[K' : ''}${linesOf(outcome, { comparison, verdict }, out).join('\n')}`,
  ]);
  return EXIT.done;
}

function watched(scenario: Scenario, args: Args, io: CliIo): Promise<PilotOutcome> {
  const startMs = io.clock.monotonicMs();
  const onDay = (day: number): void => {
    if (!io.isTty || args.has('json')) return;
    const progress = progressText(day, scenario.days, io.clock.monotonicMs() - startMs);
    io.stdout(`\r\u001b[K${progress} `);
  };
  return runPilot(scenario, { onDay, signal: io.signal });
}

/** How far a month is, and how long the rest of it takes at this pace. */
export function progressText(day: number, days: number, elapsedMs: number): string {
  const leftS = ((elapsedMs / day) * (days - day)) / 1_000;
  const left = day === days ? 'sending what is left' : `${durationText(leftS)} to go`;
  return `day ${day} of ${days}, ${left}`;
}

/** Where the report goes: known to be a place for it before the month begins. */
function outOf(args: Args, isWhole: boolean, io: CliIo): string | undefined {
  const out = args.text('out');
  if (out === undefined) return undefined;
  if (!isWhole)
    throw new UsageError('--out needs the whole program: --policy all, or no --policy at all');
  const folder = dirname(out);
  if (!io.files.exists(folder)) throw new UsageError(`--out: there is no folder ${folder}`);
  // No file has anything below itself.
  if (io.files.exists(`${out}/.`))
    throw new UsageError(`--out: ${out} is a folder; name a file in it`);
  return out;
}

function scenarioOf(args: Args, io: CliIo): Scenario {
  const presetName = choiceOf(args, 'preset', Object.keys(PRESETS), 'satellite');
  const parts = {
    preset: PRESETS[presetName] as SitePreset,
    days: args.number('days', 1, DAYS_MAX) ?? 30,
    devices: args.number('devices', 1, DEVICES_MAX) ?? 50,
    faults: faultsOf(args),
    quotaMib: args.number('quota', 1, QUOTA_MIB_MAX),
  };
  const seeded = seededScenario(args.number('seed', 0, SEED_MAX) ?? 7, parts);
  const path = args.text('trace');
  if (path === undefined) return seeded;
  const trace = readTrace(traceText(path, io), path);
  const guess = placeOfTrace(trace.sky, trace.startMs, trace.days);
  const place = {
    latitude: args.number('latitude', -90, 90) ?? guess.latitude,
    longitude: args.number('longitude', -180, 180) ?? guess.longitude,
  };
  const fromDay = args.number('from-day', 0, FROM_DAY_MAX) ?? 0;
  const startMs = trace.startMs + fromDay * DAY_MS;
  return { ...seeded, place, sky: trace.sky, startMs, fromDay, weather: path };
}

function traceText(path: string, io: CliIo): string {
  const bytes = io.files.read(path);
  if (bytes === undefined) throw new UsageError(`--trace: there is no file ${path}`);
  const mib = TRACE_BYTES_MAX >> 20;
  const text = bytes.length > TRACE_BYTES_MAX ? undefined : textOf(bytes);
  if (text !== undefined) return text;
  throw new UsageError(`--trace: ${path} is not a text file of at most ${mib} MiB`);
}

/** Ten seeds from the one given, or the trace. */
function scenariosOf(scenario: Scenario, args: Args): Scenario[] {
  if (args.has('trace')) return [scenario];
  const { preset, days, devices, faults, seed } = scenario;
  const parts = { preset, days, devices, faults };
  const first = args.has('seed') ? seed : 1;
  const count = args.number('seeds', 1, SEEDS_MAX) ?? 10;
  return Array.from({ length: count }, (_, index) => seededScenario(first + index, parts));
}

function faultsOf(args: Args): ReadonlySet<FaultKind> {
  const text = args.text('faults');
  if (text === undefined || text === 'all') return new Set(FAULT_KINDS);
  if (text === 'none') return new Set();
  const names = text.split(',');
  const known = FAULT_KINDS.filter((kind) => names.includes(kind));
  if (known.length === names.length) return new Set(known);
  throw new UsageError(`--faults is all, none, or some of ${FAULT_KINDS.join(',')}`);
}

function choiceOf(args: Args, name: string, choices: readonly string[], fallback: string): string {
  const text = args.text(name) ?? fallback;
  if (choices.includes(text)) return text;
  throw new UsageError(`--${name} is one of ${choices.join(', ')}, not ${JSON.stringify(text)}`);
}

function figuresOf(
  { preset, days, devices, weather, seed, faults }: Scenario,
  outcome: PilotOutcome | undefined,
  comparison: readonly Evaluation[],
  { measures, attainable }: Partial<Verdict> = {},
): unknown {
  const scenario = { preset: preset.name, days, devices, weather, seed, faults: [...faults] };
  const judged = { policies: comparison, measures: measures ?? [], attainable };
  if (outcome === undefined) return { scenario, ...judged };
  const { recorder, books: _books, scenario: _scenario, byClass, ...figures } = outcome;
  const classes = CLASSES.filter((opClass) => opClass !== LOG).map(
    (opClass) => [CLASS_NAMES[opClass], byClass[opClass]] as const,
  );
  return {
    scenario,
    pilot: { ...figures, byClass: Object.fromEntries(classes), brownouts: recorder.brownouts },
    ...judged,
  };
}

function linesOf(
  outcome: PilotOutcome | undefined,
  {
    comparison,
    verdict,
  }: {
    readonly comparison: readonly Evaluation[];
    readonly verdict: Verdict | undefined;
  },
  out: string | undefined,
): string[] {
  const rows = comparison.map(rowOfEvaluation);
  if (outcome !== undefined) rows.push(rowOfPilot(outcome));
  const head = [
    'policy',
    'down',
    'alarms late',
    'records',
    'readings',
    'bulk',
    'Wh/day',
    'sessions',
  ];
  const lines = [head, ...rows].map((cells) =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(18) : cell.padStart(12))).join(''),
  );
  if (outcome !== undefined) {
    const { acknowledged, restarts, digest } = outcome;
    lines.push(
      '',
      `Nothing acknowledged is missing: ${countText(acknowledged, 'op')}, ${countText(restarts, 'restart')}, the same state on both sides (${digest.slice(0, 16)}…).`,
    );
  }
  if (verdict !== undefined) lines.push('', verdictText(verdict));
  if (out !== undefined) lines.push(`The report: ${out}`);
  return lines;
}

function verdictText({ measures, attainable }: Verdict): string {
  const missed = measures
    .filter(({ holds }) => !holds)
    .map((it) => (isMissedByAll(it) ? `${it.name} (${MISSED_BY_ALL})` : it.name));
  const found = missed.length === 0 ? 'all hold' : `missed: ${missed.join(', ')}`;
  const dark = darkText(attainable);
  const why = missed.length === 0 || dark === undefined ? '' : `\nIt was dark: ${dark}`;
  return `The measures of the policy (see --measures): ${found}.${why}`;
}

function rowOfEvaluation(it: Evaluation): string[] {
  const late = ([0, 2, 3, 5] as const).map((opClass) => percent(it.lateRatio[opClass]));
  const rates = [it.radioWhPerDay.toFixed(2), it.sessionsPerDay.toFixed(1)];
  return [it.policy, percent(it.downRatio), ...late, ...rates];
}

function rowOfPilot({ byClass, downRatio, radioWhPerDay, sessionsPerDay }: PilotOutcome): string[] {
  const late = ([0, 2, 3, 5] as const).map((opClass) => {
    const figures = byClass[opClass];
    return percent(figures.late / Math.max(1, figures.born));
  });
  const rates = [radioWhPerDay.toFixed(2), sessionsPerDay.toFixed(1)];
  return ['the whole program', percent(downRatio), ...late, ...rates];
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}

function tellFailure(failure: PilotFailure, scenario: Scenario, io: CliIo): void {
  const { cause } = failure;
  io.stderr(
    [
      `${isoTime(failure.atMs)}: ${failure.message}`,
      `Replay: ${replayOf(scenario)}`,
      'The last events:',
      ...failure.events.map((line) => `  ${line}`),
      ...(cause instanceof Error && !(cause instanceof HubError) ? [cause.stack ?? ''] : []),
      '',
    ].join('\n'),
  );
}
