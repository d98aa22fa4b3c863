/** `heliograph log`: the power-aware sync log, a line for each decision or transfer. */
import { durationMs } from '../../base/duration.ts';
import { isoTime, wallMsOfIso } from '../../base/iso-time.ts';
import { type Args, UsageError } from '../args.ts';
import { HubApi } from '../asking/hub-api.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { explainLine } from './log-explain.ts';
import { OWN_TIMES, type ReaderTimes } from './reader-times.ts';
import { bytesText, type Colour, countText, type Paint, paintFor, printable } from '../text.ts';

/** The keys of a line that are shown; every one may be absent, and any hub's version may send more. */
interface Line {
  readonly at?: unknown;
  /** Quality of the clock that `at` comes from. */
  readonly clock?: unknown;
  readonly event?: unknown;
  readonly state?: unknown;
  readonly socPct?: unknown;
  readonly link?: unknown;
  readonly ops?: unknown;
  readonly bytes?: unknown;
  readonly energyWh?: unknown;
  readonly why?: unknown;
}

export async function showLog(args: Args, io: CliIo): Promise<ExitCode> {
  const hub = HubApi.of(args, io);
  const since = askedSince(args.text('since'), io);
  const isExplained = args.has('explain');
  const show = args.has('json')
    ? (line: string) => io.stdout(`${line}\n`)
    : pretty(io, isExplained);
  const path = (from: string | undefined): string =>
    `/api/v1/log${from === undefined ? '' : `?since=${encodeURIComponent(from)}`}`;
  if (!args.has('follow')) {
    const lines = (await hub.text(path(since))).split('\n').filter((line) => line !== '');
    lines.forEach(show);
    if (lines.length === 0) io.stderr('No line: a decision is told when it changes.\n');
    return EXIT.done;
  }
  await hub.follow(path(since), show);
  if (io.signal.aborted) return EXIT.done;
  io.stderr('The hub has ended the stream.\n');
  return EXIT.unreachable;
}

/** As the hub is asked: an age counts by its clock, which need not be that of who reads. */
function askedSince(text: string | undefined, io: CliIo): string | undefined {
  const agoMs = durationMs(text ?? '');
  return agoMs === undefined ? sinceOf(text, io) : `${agoMs / 1000}s`;
}

/** A moment, or how long ago it was. */
export function sinceOf(text: string | undefined, io: CliIo): string | undefined {
  if (text === undefined) return undefined;
  const agoMs = durationMs(text);
  const wallMs = agoMs === undefined ? wallMsOfIso(text) : io.clock.wallMs() - agoMs;
  if (wallMs === undefined) {
    throw new UsageError('--since is a time such as 2026-03-01T06:10:00Z or an age such as 2h');
  }
  return isoTime(wallMs);
}

/** Explanations stand below the sentence, and leave them room on a phone. */
const INDENT = ' '.repeat(4);

const STATE_COLOURS: Readonly<Record<string, Colour>> = {
  surplus: 'green',
  normal: 'green',
  saver: 'yellow',
  critical: 'red',
  shutdown: 'red',
};

function pretty(io: CliIo, isExplained: boolean): (line: string) => void {
  const paint = paintFor(io);
  return (text) => {
    let line: unknown;
    try {
      line = JSON.parse(text);
    } catch {
      return;
    }
    if (typeof line !== 'object' || line === null) return;
    const details = isExplained
      ? explainLine(line).map((below) => `${INDENT}${paint('dim', below)}`)
      : [];
    io.stdout([renderLine(line, paint), ...details, ''].join('\n'));
  };
}

/** `2026-03-01 07:10:00  saver      41 %  photos wait: …`, in the time zone of who reads; `?` behind a time not trusted. */
export function renderLine(line: Line, paint: Paint, times: ReaderTimes = OWN_TIMES): string {
  const atMs = typeof line.at === 'string' ? wallMsOfIso(line.at) : undefined;
  const at = atMs === undefined ? '?'.padEnd(19) : times.second(atMs);
  const doubt = line.clock === 'unknown' ? '?' : ' ';
  const event = textOf(line.event);
  const state = textOf(line.state);
  const name = event === 'decision' || event === 'state' ? state || event : event;
  const charge = typeof line.socPct === 'number' ? `${Math.round(line.socPct)} %` : '–';
  const why = textOf(line.why);
  const colour = STATE_COLOURS[state] ?? 'dim';
  const parts = [
    paint(colour, name.padEnd(14)),
    charge.padStart(5),
    (atMs === undefined ? why : times.sentence(why, atMs)) || figuresOf(line),
  ];
  return `${paint('dim', at)}${doubt} ${parts.join('  ')}`;
}

/** What a transfer without a sentence of its own was. */
function figuresOf(line: Line): string {
  const figures = [
    typeof line.ops === 'number' ? countText(line.ops, 'op') : '',
    typeof line.bytes === 'number' ? bytesText(line.bytes) : '',
    typeof line.energyWh === 'number' ? `${line.energyWh.toFixed(2)} Wh` : '',
    textOf(line.link) === '' ? '' : `over ${textOf(line.link)}`,
  ];
  return figures.filter((figure) => figure !== '').join(', ');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? printable(value) : '';
}
