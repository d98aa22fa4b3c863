/**
 * What stands behind a line of the sync log, for `heliograph log --explain`: the numbers that were compared, what
 * waits and until when. A number that this version does not know is told by its name: a newer hub may send more.
 */
import { wallMsOfIso } from '../../base/iso-time.ts';
import { durationText } from '../../base/duration.ts';
import { bytesText, countText, printable } from '../text.ts';
import { OWN_TIMES, type ReaderTimes } from './reader-times.ts';

interface Explained {
  readonly socPct?: unknown;
  readonly socErrPct?: unknown;
  readonly batteryV?: unknown;
  readonly pvW?: unknown;
  readonly loadW?: unknown;
  readonly curtailed?: unknown;
  readonly clock?: unknown;
  readonly link?: unknown;
  readonly energyWh?: unknown;
  readonly measuredWh?: unknown;
  readonly linkOnS?: unknown;
  readonly allowed?: unknown;
  readonly deferred?: unknown;
  readonly backlog?: unknown;
  readonly numbers?: unknown;
}

type Numbers = Readonly<Record<string, number>>;

const LEVELS: readonly (readonly [name: string, words: string])[] = [
  ['bulkPause', 'files wait below'],
  ['bulkResume', 'go again from'],
  ['telemetryPause', 'readings wait below'],
  ['telemetryResume', 'go again from'],
  ['alarmsStop', 'nothing goes below'],
];
const PLAN: readonly (readonly [name: string, words: string, unit: string])[] = [
  ['sessionWh', 'a session costs', 'Wh'],
  ['recordWh', 'records and readings may spend', 'Wh'],
  ['bulkWh', 'files may spend', 'Wh'],
  ['spillWh', 'of the sun ahead the battery cannot take', 'Wh'],
  ['lowestPct', 'lowest charge ahead', '%'],
  ['fullInH', 'full in', 'h'],
];
/** What is short of it cannot be spent: by how much is of no use to anybody. */
const HEADROOMS: ReadonlySet<string> = new Set(['recordWh', 'bulkWh']);

/** Lines to stand below the decision; none where there is nothing to say. */
export function explainLine(line: Explained, times: ReaderTimes = OWN_TIMES): string[] {
  const numbers = numbersOf(line.numbers);
  const unit = typeof line.socPct === 'number' ? '%' : 'V';
  const parts: (readonly [string, string])[] = [
    ['measured', measured(line)],
    ['level', levelText(numbers, unit)],
    ['plan', planText(numbers)],
    ['other', otherText(numbers)],
    ['energy', energyText(line)],
    ['allowed', listText(line.allowed)],
    ...waitingParts(line.backlog, line.deferred, times),
  ];
  return parts
    .filter(([, text]) => text !== '')
    .map(([name, text]) => `${printable(name).padEnd(10)} ${printable(text)}`);
}

function measured({
  socPct,
  socErrPct,
  batteryV,
  pvW,
  loadW,
  curtailed,
  link,
  clock,
}: Explained): string {
  const error = typeof socErrPct === 'number' ? ` ± ${socErrPct}` : '';
  const figures = [
    typeof socPct === 'number' ? `battery ${tenths(socPct)}${error} %` : '',
    typeof batteryV === 'number' ? `${batteryV} V` : '',
    typeof pvW === 'number' ? `panel ${pvW} W${curtailed === true ? ' held back' : ''}` : '',
    typeof loadW === 'number' ? `load ${loadW} W` : '',
    typeof link === 'string' ? `link ${link}` : '',
    clock === 'unknown' ? 'clock not trusted' : '',
  ];
  return joined(figures);
}

/** What a transfer is thought to have cost, beside what the load says of it. */
function energyText({ energyWh, measuredWh, linkOnS }: Explained): string {
  return joined([
    typeof energyWh === 'number' ? `thought to cost ${Number(energyWh.toPrecision(2))} Wh` : '',
    typeof measuredWh === 'number'
      ? `${Number(measuredWh.toPrecision(2))} Wh by the measured load`
      : '',
    typeof linkOnS === 'number' ? `link on for ${durationText(linkOnS)}` : '',
  ]);
}

/** `41 %: files wait below 45 %, go again from 55 %; …`. */
function levelText(numbers: Numbers, unit: string): string {
  const { level } = numbers;
  if (level === undefined) return '';
  const bounds = LEVELS.filter(([name]) => numbers[name] !== undefined).map(
    ([name, words]) => `${words} ${numbers[name]} ${unit}`,
  );
  return `${figure(level, unit)}: ${bounds.join(', ')}`;
}

function planText(numbers: Numbers): string {
  return joined(
    PLAN.map(([name, words, unit]) => {
      const value = numbers[name];
      if (value === undefined) return '';
      const isNone = value <= 0 && HEADROOMS.has(name);
      return `${words} ${isNone ? 'nothing' : figure(value, unit)}`;
    }),
  );
}

const KNOWN: ReadonlySet<string> = new Set([
  'level',
  ...[...LEVELS, ...PLAN].map(([name]) => name),
]);

function otherText(numbers: Numbers): string {
  const others = Object.entries(numbers).filter(([name]) => !KNOWN.has(name));
  return joined(others.map(([name, value]) => `${name} ${value}`));
}

/** One part for each class that waits: how much, how long, why, until when. */
function waitingParts(
  backlog: unknown,
  deferred: unknown,
  times: ReaderTimes,
): (readonly [string, string])[] {
  const waiting = entriesOf(backlog);
  const reasons = new Map(entriesOf(deferred));
  return waiting.map(([name, { ops, bytes, oldestS }]) => {
    const { reason, until } = reasons.get(name) ?? {};
    const untilMs = typeof until === 'string' ? wallMsOfIso(until) : undefined;
    const figures = [
      typeof ops === 'number' ? countText(ops, 'op') : '',
      typeof bytes === 'number' ? bytesText(bytes) : '',
      typeof oldestS === 'number' ? `oldest ${durationText(oldestS)}` : '',
    ];
    const why = typeof reason === 'string' ? `; waits: ${reason}` : '';
    const when = untilMs === undefined ? '' : `, until ${times.minute(untilMs)}`;
    return [name, joined(figures) + why + when] as const;
  });
}

function figure(value: number, unit: string): string {
  return `${unit === '%' ? tenths(value) : value} ${unit}`;
}

/** Of a percent: no gauge and no forecast knows more. */
function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(', ');
}

function listText(value: unknown): string {
  if (!Array.isArray(value)) return '';
  return value.length === 0 ? 'nothing' : value.join(', ');
}

function numbersOf(value: unknown): Numbers {
  if (typeof value !== 'object' || value === null) return {};
  const entries = Object.entries(value).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  return Object.fromEntries(entries);
}

function entriesOf(value: unknown): [string, Readonly<Record<string, unknown>>][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).filter(
    (entry): entry is [string, Readonly<Record<string, unknown>>] =>
      typeof entry[1] === 'object' && entry[1] !== null,
  );
}
