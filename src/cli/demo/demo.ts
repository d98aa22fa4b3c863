/**
 * `heliograph demo`: the whole story as real processes on this machine. A regional node, a hub and field
 * devices talk over real sockets; only sun, battery and the pace of time are simulated, by the power source
 * that `power.sources = ["simulated"]` gives. What is printed is what the hub itself writes into its
 * power-aware log.
 *
 * The verdict at the end compares what the devices had acknowledged with what the regional node holds, and
 * the digests of both sides.
 */
import { pause } from '../../base/clock.ts';
import { durationText } from '../../base/duration.ts';
import { makeTempDir } from '../../platform/children.ts';
import { type Args, UsageError } from '../args.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { renderLine } from '../power/log.ts';
import { countText, type Paint, paintFor } from '../text.ts';
import { Cast, type Node } from './cast.ts';
import { METERS, type Tally } from './devices.ts';

interface Digest {
  readonly digest: string;
  readonly ops: number;
}

interface HubFigures {
  readonly clock: { readonly at: string };
  readonly backlog: Readonly<Record<string, { readonly ops: number }>>;
  readonly journal: { readonly firstLsn: number };
}

export interface Verdict {
  readonly tally: Tally;
  /** Acknowledged and without receipt when the demo ended. */
  readonly waiting: number;
  readonly hub: Digest;
  readonly region: Digest;
  readonly energyWh: number;
  readonly releasedEntries: number;
}

const HOURS_MAX = 24 * 365;
const SPEED_MAX = 20_000;
/** A day in 40 seconds. */
const SPEED_DEFAULT = 2160;
/** The story begins in the late afternoon, so that a night comes first and the sun settles it. */
const START = '2026-06-21T16:00:00Z';
/** Simulated time that the last data may take after the devices have fallen silent. */
const DRAIN_HOURS_MAX = 48;
/** The same after Ctrl-C, in real time. */
const LEAVE_MS_MAX = 10_000;
const LOOK_MS = 250;
const PAGE_PORT = 8080;

export async function demo(args: Args, io: CliIo): Promise<ExitCode> {
  const hours = args.number('hours', 1, HOURS_MAX);
  const speed = args.number('speed', 1, SPEED_MAX) ?? SPEED_DEFAULT;
  if (hours !== undefined && !Number.isInteger(hours)) {
    throw new UsageError('--hours is a whole number of simulated hours');
  }
  const cast = new Cast(io, makeTempDir('heliograph-demo-'));
  try {
    const verdict = await tell(cast, io, { hours, speed, page: !args.has('no-page') });
    printVerdict(verdict, io);
    return isGood(verdict) ? EXIT.done : EXIT.failed;
  } finally {
    await cast.stop();
  }
}

interface Plot {
  /** Undefined: until interrupted. */
  readonly hours: number | undefined;
  readonly speed: number;
  readonly page: boolean;
}

async function tell(cast: Cast, io: CliIo, { hours, speed, page }: Plot): Promise<Verdict> {
  const paint = paintFor(io);
  const region = await cast.startRegion();
  const hub = await cast.startHub({
    upstream: region.mqtt,
    port: page ? PAGE_PORT : 0,
    sets: [`power.time_speed=${speed}`, `power.time_start=${START}`],
  });
  introduce(io, paint, hub, { hours, speed, page });
  const story = new Story(io, paint);
  const following = io.http.follow(
    `${hub.http}api/v1/log?since=${START}`,
    { signal: cast.signal },
    (line) => story.take(line),
  );
  const { clock } = await figuresOf(io, hub);
  const devices = await cast.startDevices({
    url: hub.mqtt,
    speed,
    start: clock.at,
    hours: hours ?? HOURS_MAX,
  });
  const tally = await devices.tally();
  io.stdout(paint('dim', 'The devices are silent. What is left follows when energy allows.\n'));
  const { acknowledged } = tally;
  const waiting = await drained(io, { hub, region, acknowledged, speed });
  const [hubDigest, regionDigest] = await Promise.all([digestOf(io, hub), digestOf(io, region)]);
  const { journal } = await figuresOf(io, hub);
  await cast.stop();
  await following.catch(() => undefined);
  return {
    tally,
    waiting,
    hub: hubDigest,
    region: regionDigest,
    energyWh: story.energyWh,
    releasedEntries: journal.firstLsn - 1,
  };
}

function introduce(io: CliIo, paint: Paint, hub: Node, { hours, speed, page }: Plot): void {
  const day = durationText(86_400 / speed);
  const length = hours === undefined ? 'until you press Ctrl-C' : `for ${hours} simulated hours`;
  io.stdout(
    `One hub, one regional node, ${METERS} meters, a door and a phone, ${length}; a solar day takes ${day}.\n`,
  );
  if (page) io.stdout(`The page: ${paint('bold', hub.http)}\n`);
  io.stdout('\n');
}

/** Prints the hub's own log as it comes, and adds up what the sessions cost. */
class Story {
  energyWh = 0;
  readonly #io: CliIo;
  readonly #paint: Paint;

  constructor(io: CliIo, paint: Paint) {
    this.#io = io;
    this.#paint = paint;
  }

  take(text: string): void {
    const line = JSON.parse(text) as { event?: string; energyWh?: number };
    if (line.event === 'session.close') this.energyWh += line.energyWh ?? 0;
    if (line.event === 'batch.sent') return;
    this.#io.stdout(`${renderLine(line, this.#paint)}\n`);
  }
}

type Asking = Pick<CliIo, 'http' | 'timers' | 'signal'>;

interface Drain {
  readonly hub: Pick<Node, 'http'>;
  readonly region: Pick<Node, 'http'>;
  readonly acknowledged: number;
  readonly speed: number;
}

/**
 * Waits until everything but the log itself has its receipt, or the time for it is over; what then still waits. A hub
 * counts behind its journal: that nothing waits is believed when the region has as many ops as were acknowledged.
 */
export async function drained(
  io: Asking,
  { hub, region, acknowledged, speed }: Drain,
): Promise<number> {
  const longestMs = io.signal.aborted ? LEAVE_MS_MAX : (DRAIN_HOURS_MAX * 3_600_000) / speed;
  for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
    const { backlog } = await figuresOf(io, hub);
    const { log: _log, ...classes } = backlog;
    const waiting = Object.values(classes).reduce((sum, { ops }) => sum + ops, 0);
    if (waitedMs >= longestMs) return waiting;
    if (waiting === 0 && (await digestOf(io, region)).ops >= acknowledged) return 0;
    await pause(io.timers, LOOK_MS);
  }
}

async function digestOf(io: Asking, { http }: Pick<Node, 'http'>): Promise<Digest> {
  return (await json(io, `${http}api/v1/digest`)) as Digest;
}

async function figuresOf(io: Asking, hub: Pick<Node, 'http'>): Promise<HubFigures> {
  return (await json(io, `${hub.http}api/v1/status`)) as HubFigures;
}

async function json(io: Asking, url: string): Promise<unknown> {
  return JSON.parse((await io.http.get(url)).text) as unknown;
}

function lostOf({ tally, region, waiting }: Verdict): number {
  return Math.max(0, tally.acknowledged - region.ops - waiting);
}

function isGood(verdict: Verdict): boolean {
  const { hub, region, waiting } = verdict;
  return waiting === 0 && lostOf(verdict) === 0 && hub.digest === region.digest;
}

function printVerdict(verdict: Verdict, io: CliIo): void {
  const { tally, waiting, hub, region, energyWh, releasedEntries } = verdict;
  const same = hub.digest === region.digest ? 'equal' : 'DIFFERENT';
  io.stdout(
    [
      '',
      `published ${tally.published}, acknowledged ${tally.acknowledged}, stored upstream ${region.ops}, lost ${lostOf(verdict)}, energy for sync ${energyWh.toFixed(1)} Wh`,
      `journal: ${countText(releasedEntries, 'entry', 'entries')} released after their receipts`,
      `digest here     ${hub.digest}`,
      `digest upstream ${region.digest}  ${waiting > 0 ? 'not all is there yet' : same}`,
      ...(waiting > 0 ? [`still on its way: ${waiting}`] : []),
      '',
    ].join('\n'),
  );
}
