/**
 * `heliograph bench steady`: whether a hub stays what it is. Devices publish at half the rate at which it folds, minute
 * after minute; what the last one takes in memory and latency is compared with the second. How fast it folds is found out first,
 * by a burst that it has to catch up with.
 */
import { pause } from '../../base/clock.ts';
import { MachineHost } from '../../platform/host.ts';
import type { Args } from '../args.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';
import { hub, type RunningBroker } from './contenders.ts';
import { folderOf, inNewFolder } from './folder.ts';
import { figuresOf, generate } from './measure.ts';
import { type Load, PLAIN } from './scenarios.ts';

interface Plan {
  /** Minutes, and how long each of them is. */
  readonly count: number;
  readonly seconds: number;
  /** Messages a second; undefined: half of what the hub folds. */
  readonly rate: number | undefined;
}

interface Minute {
  readonly msgsPerS: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly rssMb: number;
  /** Journaled and not folded at its end. */
  readonly behind: number;
}

interface Report {
  readonly foldsPerS: number;
  readonly ratePerS: number;
  readonly minutes: readonly Minute[];
  /** Of the last minute to the second. */
  readonly ratios: Pick<Minute, 'ackP50Ms' | 'ackP99Ms' | 'rssMb'>;
}

const MINUTES = 10;
const BURST: Load = { ...PLAIN, messages: 300_000, warmupS: 0 };
const POLL_MS = 20;

export async function benchSteady(args: Args, io: CliIo): Promise<void> {
  const plan = {
    count: args.number('minutes', 2, 1_440) ?? MINUTES,
    seconds: args.number('seconds', 1, 60) ?? 60,
    rate: args.number('rate', 20, 1_000_000),
  };
  const report = await inNewFolder(folderOf(args), io, async (dir) => {
    const running = await hub(io.http).start(dir);
    try {
      return await carryOut(plan, running, io);
    } finally {
      await running.stop();
    }
  });
  print(args, io, report, () => [lineOf(report)]);
}

async function carryOut(
  { count, seconds, rate }: Plan,
  running: RunningBroker,
  io: CliIo,
): Promise<Report> {
  const foldsPerS = await foldingRate(running, io);
  const ratePerS = rate ?? Math.round(foldsPerS / 2);
  io.stderr(`folds ${foldsPerS} a second; publishing ${ratePerS}\n`);
  const minutes: Minute[] = [];
  while (minutes.length < count && !io.signal.aborted) {
    const minute = await publish(running, { ratePerS, seconds }, io);
    minutes.push(minute);
    io.stderr(`minute ${minutes.length}/${count}: ${textOf(minute)}\n`);
  }
  return { foldsPerS, ratePerS, minutes, ratios: ratiosOf(minutes) };
}

/** Ops a second that the hub folds while nobody talks to it. */
async function foldingRate(running: RunningBroker, io: CliIo): Promise<number> {
  await generate(running.port, BURST, (line) => io.stderr(`${line}\n`));
  const [behind, beganMs] = [await running.behind(), io.clock.monotonicMs()];
  while (!io.signal.aborted && (await running.behind()) > 0)
    await pause(io.timers, POLL_MS, io.signal);
  const tookMs = io.clock.monotonicMs() - beganMs;
  return Math.round(behind / (tookMs / 1_000));
}

async function publish(
  running: RunningBroker,
  { ratePerS, seconds }: { readonly ratePerS: number; readonly seconds: number },
  io: CliIo,
): Promise<Minute> {
  const load = { ...PLAIN, ratePerS: ratePerS / PLAIN.publishers, seconds };
  const result = await generate(running.port, load, (line) => io.stderr(`${line}\n`));
  return {
    msgsPerS: result.messages / result.seconds,
    ackP50Ms: result.ackP50Ms,
    ackP99Ms: result.ackP99Ms,
    rssMb: figuresOf(running, new MachineHost()).rssBytes / 1e6,
    behind: await running.behind(),
  };
}

function ratiosOf(minutes: readonly Minute[]): Report['ratios'] {
  const [second, last] = [minutes[1], minutes.at(-1)];
  const ratio = (figure: (minute: Minute) => number): number =>
    second === undefined || last === undefined ? 1 : figure(last) / figure(second);
  return {
    ackP50Ms: ratio(({ ackP50Ms }) => ackP50Ms),
    ackP99Ms: ratio(({ ackP99Ms }) => ackP99Ms),
    rssMb: ratio(({ rssMb }) => rssMb),
  };
}

function textOf({ msgsPerS, ackP50Ms, ackP99Ms, rssMb, behind }: Minute): string {
  const acks = `ack p50 ${ackP50Ms.toFixed(2)} ms, p99 ${ackP99Ms.toFixed(2)} ms`;
  return `${Math.round(msgsPerS)} msgs/s, ${acks}, RSS ${rssMb.toFixed(0)} MB, ${behind} behind`;
}

function lineOf({ ratePerS, minutes, ratios }: Report): string {
  const times = (ratio: number): string => `${ratio.toFixed(2)} x`;
  const parts = [
    `RSS ${times(ratios.rssMb)}`,
    `ack p50 ${times(ratios.ackP50Ms)}`,
    `p99 ${times(ratios.ackP99Ms)}`,
  ];
  return `${ratePerS} msgs/s, minute ${minutes.length} against minute 2: ${parts.join(', ')}`;
}
