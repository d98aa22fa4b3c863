/**
 * `heliograph bench power`: what the power brain takes. A tick, with something waiting in every class, over a week of
 * simulated weather in this process; what it remembers across restarts after that week; and the processor time of a
 * whole hub that nobody talks to.
 */
import { pause } from '../../base/clock.ts';
import { SILENT_LOG } from '../../base/log.ts';
import { perClass } from '../../model/class.ts';
import { MachineHost, ownCpuS } from '../../platform/host.ts';
import { SimClock } from '../../platform/sim/clock.ts';
import { SimFiles } from '../../platform/sim/files.ts';
import { SimSite, siteNow } from '../../platform/sim/site.ts';
import { SeededSky } from '../../platform/sim/sky.ts';
import { PowerMonitor } from '../../power/monitor.ts';
import { powerConfigOf } from '../../power/power-config.ts';
import { simulatedSource } from '../../power/sources/simulated.ts';
import type { Args } from '../args.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';
import { hub } from './contenders.ts';
import { folderOf, inNewFolder } from './folder.ts';
import { type Spread, spreadOf } from './load/latencies.ts';
import { figuresOf } from './measure.ts';

interface Report {
  readonly ticks: number;
  readonly tickMs: Spread;
  /** Of the processor's time: the same without the waits for it. */
  readonly tickCpuMs: Spread;
  readonly stateBytes: number;
  readonly idle: { readonly seconds: number; readonly cpuPct: number; readonly rssMb: number };
}

const SECONDS = 60;
/** Until what a start puts off is done: a third of the time that counts, and no longer than this. */
const SETTLE_MS_MAX = 20_000;
const TICK_MS = 10_000;
const DAYS = 7;
const TICKS = (DAYS * 86_400_000) / TICK_MS;
/** Until the machine code is made that a hub runs from its first hour on. */
const WARM_UP_TICKS = 2_000;
const PLACE = { latitude: 25.8, longitude: -80.3 };
const START_MS = 1_768_022_400_000;
const SITE = { panelW: 30, capacityWh: 256, baseLoadW: 3.2, nominalV: 12 };

export async function benchPower(args: Args, io: CliIo): Promise<void> {
  const seconds = args.number('seconds', 1, 3_600) ?? SECONDS;
  const week = await ticksOf(io);
  const idle = await inNewFolder(folderOf(args), io, (dir) => idleHub(dir, seconds, io));
  const report = { ...week, idle };
  print(args, io, report, () => linesOf(report));
}

async function ticksOf({ clock, random }: CliIo): Promise<Omit<Report, 'idle'>> {
  const world = new SimClock(START_MS);
  const site = new SimSite(
    {
      sky: new SeededSky(PLACE, 7),
      panelWatts: SITE.panelW,
      capacityWh: SITE.capacityWh,
      nominalVolts: SITE.nominalV,
      baseWatts: SITE.baseLoadW,
      radioWatts: 0,
      startRatio: 0.5,
    },
    START_MS,
  );
  const files = new SimFiles({ random });
  const path = '/power/learned.json';
  files.makeDir('/power');
  const monitor = PowerMonitor.open({
    sources: [simulatedSource({ clock: world, timers: world }, siteNow(site, world))],
    clock: world,
    timers: world,
    log: SILENT_LOG,
    config: powerConfigOf({ chemistry: 'lifepo4', ...SITE, ...PLACE }),
    backlog: () =>
      perClass(() => ({ ops: 10, bytes: 10_000, oldestMs: world.monotonicMs() % 86_400_000 })),
    link: () => 'satellite',
    stateFile: { path, files },
  });
  const times: number[] = [];
  const cpuTimes: number[] = [];
  for (let tick = 0; tick < TICKS; tick++) {
    const [beganMs, beganCpuS] = [clock.monotonicMs(), ownCpuS()];
    await world.advance(TICK_MS);
    if (tick < WARM_UP_TICKS) continue;
    times.push(clock.monotonicMs() - beganMs);
    cpuTimes.push(1_000 * (ownCpuS() - beganCpuS));
  }
  monitor.close();
  return {
    ticks: times.length,
    tickMs: spreadOf(times),
    tickCpuMs: spreadOf(cpuTimes),
    stateBytes: files.read(path)?.length ?? 0,
  };
}

async function idleHub(dir: string, seconds: number, io: CliIo): Promise<Report['idle']> {
  const host = new MachineHost();
  const running = await hub(io.http).start(dir);
  const figures = () => figuresOf(running, host);
  try {
    await pause(io.timers, Math.min(SETTLE_MS_MAX, (seconds * 1_000) / 3), io.signal);
    const before = figures();
    await pause(io.timers, seconds * 1_000, io.signal);
    const { cpuS, rssBytes } = figures();
    return { seconds, cpuPct: (100 * (cpuS - before.cpuS)) / seconds, rssMb: rssBytes / 1e6 };
  } finally {
    await running.stop();
  }
}

function linesOf({ ticks, tickMs, tickCpuMs, stateBytes, idle }: Report): string[] {
  const times = ({ median, p99, max }: Spread): string =>
    [median, p99, max].map((ms) => ms.toFixed(3)).join(', ');
  return [
    `a tick of the power brain, ${ticks} of them: median, p99, max ${times(tickMs)} ms, ${times(tickCpuMs)} ms of the processor`,
    `what it remembers across restarts: ${(stateBytes / 1_000).toFixed(1)} kB`,
    `an idle hub, for ${idle.seconds} s: ${idle.cpuPct.toFixed(2)} % of a processor, ${idle.rssMb.toFixed(0)} MB`,
  ];
}
