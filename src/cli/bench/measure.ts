/** One run: a fresh broker, the load in a process of its own, and what both cost. */
import { type Clock, pause } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { Child, ownProgram } from '../../platform/children.ts';
import { machineTimers } from '../../platform/clock.ts';
import type { Host, ProcessFigures } from '../../platform/host.ts';
import { type Contender, HOST, type RunningBroker } from './contenders.ts';
import { medianOf } from './load/latencies.ts';
import { type Load, type LoadResult, type Scenario, WARM_LINE } from './scenarios.ts';
import { Subscriber } from './load/subscriber.ts';

/** Figures of one run, or the medians of several. */
export interface Figures {
  /** From the start of the process to the first CONNACK. */
  readonly startMs: number;
  readonly msgsPerS: number;
  readonly deliveredPerS: number;
  readonly drainedPerS: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  /** Of the broker, from the first connection (where thrift is measured: once it is warm) until it has nothing left to do. */
  readonly cpuS: number;
  readonly cpuSPerMillion: number;
  readonly rssIdleMb: number;
  readonly rssPeakMb: number;
  readonly syncs: number;
  readonly writtenBytesPerMsg: number;
}

export interface Measuring {
  readonly clock: Clock;
  readonly host: Host;
  /** Makes a new folder and removes it, with what is in it, when the run is over. */
  readonly inTempDir: <T>(use: (dir: string) => Promise<T>) => Promise<T>;
  readonly onTrouble: (line: string) => void;
}

/** The broker sits still for so long before its idle memory is read. */
const IDLE_MS = 1_500;
/** A broker that used less than this of a core over a while is done. */
const QUIET_RATIO = 0.04;
const QUIET_MS = 500;
const CATCH_UP_MS_MAX = 120_000;

export function measure(
  contender: Contender,
  scenario: Pick<Scenario, 'load' | 'isThrifty'>,
  measuring: Measuring,
): Promise<Figures> {
  return measuring.inTempDir(async (dir) => {
    const beganMs = measuring.clock.monotonicMs();
    const broker = await contender.start(dir, scenario.isThrifty);
    try {
      await greet(broker);
      const startMs = measuring.clock.monotonicMs() - beganMs;
      return { startMs, ...(await measureRunning(broker, scenario, measuring)) };
    } finally {
      await broker.stop();
    }
  });
}

/** Comes and goes once, as the first device would. */
async function greet({ port }: RunningBroker): Promise<void> {
  const onDelivered = (): void => undefined;
  const first = await Subscriber.open({ host: HOST, port, qos: 0, clean: true, onDelivered });
  first.leave();
}

async function measureRunning(
  broker: RunningBroker,
  { load, isThrifty }: Pick<Scenario, 'load' | 'isThrifty'>,
  measuring: Measuring,
): Promise<Omit<Figures, 'startMs'>> {
  await pause(machineTimers, IDLE_MS);
  const idle = figuresOf(broker, measuring.host);
  const syncsBefore = await broker.syncs();
  let before = idle;
  const result = await generate(broker.port, load, measuring.onTrouble, () => {
    if (isThrifty) before = figuresOf(broker, measuring.host);
  });
  await untilQuiet(broker, measuring.host);
  const end = figuresOf(broker, measuring.host);
  const total = Math.max(1, isThrifty ? result.messages : result.total);
  const cpuS = end.cpuS - before.cpuS;
  return {
    msgsPerS: result.messages / result.seconds,
    deliveredPerS: result.delivered / result.seconds,
    drainedPerS: result.drainSeconds === 0 ? 0 : result.drained / result.drainSeconds,
    ackP50Ms: result.ackP50Ms,
    ackP99Ms: result.ackP99Ms,
    cpuS,
    cpuSPerMillion: (cpuS / total) * 1_000_000,
    rssIdleMb: idle.rssBytes / 1e6,
    rssPeakMb: (end.rssPeakBytes ?? end.rssBytes) / 1e6,
    syncs: (await broker.syncs()) - syncsBefore,
    writtenBytesPerMsg: ((end.writtenBytes ?? 0) - (before.writtenBytes ?? 0)) / total,
  };
}

export function figuresOf(broker: RunningBroker, host: Host): ProcessFigures {
  const figures = host.processFigures(broker.pid);
  if (figures === undefined) throw new HubError('bench.broken', 'the broker ended under load');
  return figures;
}

export async function generate(
  port: number,
  load: Load,
  onTrouble: (line: string) => void,
  onWarm: () => void = () => undefined,
): Promise<LoadResult> {
  const { command, entry } = ownProgram();
  const spec = JSON.stringify({ host: HOST, port, load });
  const lines: string[] = [];
  const child = await Child.start({
    command,
    args: [entry, 'bench', 'load', spec],
    onLine: (line) => (line === WARM_LINE ? onWarm() : lines.push(line)),
    onErrorLine: onTrouble,
  });
  const { code } = await child.exited;
  const last = lines.at(-1);
  if (code !== 0 || last === undefined) {
    throw new HubError('bench.broken', `the load generator ended with code ${code}`);
  }
  return JSON.parse(last) as LoadResult;
}

/** Waits until everything is folded and the processor rests: work put off is work all the same. */
async function untilQuiet(broker: RunningBroker, host: Host): Promise<void> {
  for (let waitedMs = 0; waitedMs < CATCH_UP_MS_MAX; waitedMs += QUIET_MS) {
    const before = figuresOf(broker, host).cpuS;
    await pause(machineTimers, QUIET_MS);
    const ratio = (figuresOf(broker, host).cpuS - before) / (QUIET_MS / 1_000);
    if (ratio < QUIET_RATIO && (await broker.behind()) === 0) return;
  }
  throw new HubError('bench.broken', `the broker was not done after ${CATCH_UP_MS_MAX} ms`);
}

/** Each figure's median over the runs. */
export function mediansOf(runs: readonly Figures[]): Figures {
  const names = Object.keys(runs[0] ?? {}) as (keyof Figures)[];
  const medians = names.map((name) => [name, medianOf(runs.map((run) => run[name]))]);
  return Object.fromEntries(medians) as Figures;
}
