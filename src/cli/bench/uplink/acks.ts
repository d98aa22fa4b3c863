/**
 * What building batches does to acknowledgements: publishes at a steady rate against a hub's own door, journal and
 * broker, while batches of a big backlog are built in that process and while they are not, in turns. The hub's side is a
 * process of its own (`heliograph bench acks`), and says on its output which turn it is.
 */
import { pause } from '../../../base/clock.ts';
import { HubError } from '../../../base/errors.ts';
import { SILENT_LOG } from '../../../base/log.ts';
import { Closers } from '../../../closers.ts';
import { layGround } from '../../../hub/ground.ts';
import { serveDevices } from '../../../hub/serving.ts';
import { startPackThread, thisMachine } from '../../../machine.ts';
import { Child, ownProgram } from '../../../platform/children.ts';
import { machineTimers } from '../../../platform/clock.ts';
import type { Args } from '../../args.ts';
import type { CliIo } from '../../io.ts';
import { HOST } from '../contenders.ts';
import { Latencies } from '../load/latencies.ts';
import { configFor, publishThrough } from '../own-hub.ts';
import { pace, Publisher, type Tally } from '../load/publisher.ts';
import { type Load, PLAIN } from '../scenarios.ts';
import { ApartPacker } from '../../../uplink/packing/apart.ts';
import { buildOnce } from './building.ts';
import { meterDay } from './meters.ts';

/** Latencies of acknowledgements in milliseconds. */
export interface AckFigures {
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

export interface Acks {
  readonly ratePerS: number;
  readonly idle: AckFigures;
  readonly building: AckFigures;
  /** p99.9 while building to that of the idle hub. */
  readonly ratioP999: number;
}

type Turn = 'idle' | 'building';

const TURNS = 4;
/** After a change of turns, so that each has what it caused. */
const SETTLE_MS = 100;
const PUBLISHERS = 10;
const RATE_PER_S = 100;
const GROUP = 1_000;
const LOAD: Load = {
  ...PLAIN,
  publishers: PUBLISHERS,
  payloadBytes: 100,
  window: 1_000,
  ratePerS: RATE_PER_S,
};

export interface AckRun {
  /** Of the hub; made by it. */
  readonly dir: string;
  /** Of the day that lies in its journal. */
  readonly minutes: number;
  /** Length of each turn. */
  readonly seconds: number;
}

/** Runs the hub's side, and publishes against it. */
export async function measureAcks(run: AckRun, io: CliIo): Promise<Acks> {
  const latencies = { idle: new Latencies(), building: new Latencies() };
  let turn: Turn = 'idle';
  const tally: Tally = {
    acknowledged: 0,
    outOfOrder: 0,
    isMeasuring: false,
    get latencies() {
      return latencies[turn];
    },
    allow: () => 0,
  };
  const side = await HubSide.start(run, (next) => {
    turn = next;
    tally.isMeasuring = false;
    machineTimers.after(SETTLE_MS, () => (tally.isMeasuring = true));
  });
  const { clock } = io;
  // Where the hub's side breaks, it says so itself.
  const onLost = (): void => undefined;
  const publishers = await Promise.all(
    Array.from({ length: PUBLISHERS }, (_, index) =>
      Publisher.open({ host: HOST, port: side.port, index }, { load: LOAD, clock, tally, onLost }),
    ),
  );
  const stopPacing = pace(publishers, RATE_PER_S, { clock, timers: machineTimers });
  await side.over;
  stopPacing();
  for (const publisher of publishers) publisher.close();
  const [idle, building] = [figuresOf(latencies.idle), figuresOf(latencies.building)];
  const ratioP999 = idle.p999Ms === 0 ? 0 : building.p999Ms / idle.p999Ms;
  return { ratePerS: PUBLISHERS * RATE_PER_S, idle, building, ratioP999 };
}

function figuresOf(latencies: Latencies): AckFigures {
  const [p50Ms = 0, p99Ms = 0, p999Ms = 0] = latencies.percentilesMs([0.5, 0.99, 0.999]);
  return { samples: latencies.count, p50Ms, p99Ms, p999Ms };
}

/** The process with the hub, seen from the one that publishes. */
class HubSide {
  readonly port: number;
  /** Resolves when it has had all its turns; rejects where it broke. */
  readonly over: Promise<void>;

  private constructor(port: number, over: Promise<void>) {
    this.port = port;
    this.over = over;
  }

  static async start(
    { dir, minutes, seconds }: AckRun,
    onTurn: (turn: Turn) => void,
  ): Promise<HubSide> {
    const { command, entry } = ownProgram();
    const errors: string[] = [];
    let onReady: (port: number) => void = () => undefined;
    const ready = new Promise<number>((resolve) => (onReady = resolve));
    const child = await Child.start({
      command,
      args: [entry, 'bench', 'acks', dir, String(minutes), String(seconds)],
      onLine: (line) => {
        if (line.startsWith('listens ')) onReady(Number(line.split(':').at(-1)));
        else if (line === 'idle' || line === 'building') onTurn(line);
      },
      onErrorLine: (line) => errors.push(line),
    });
    const ending = async (): Promise<void> => {
      const { code } = await child.exited;
      if (code !== 0) throw new HubError('bench.broken', `the hub ended: ${errors.join(' ')}`);
    };
    const over = ending();
    const port = await Promise.race([ready, over]);
    if (port === undefined) throw new HubError('bench.broken', 'the hub ended too early');
    return new HubSide(port, over);
  }
}

/** The process: fills the journal, says its port, then idles and builds in turns. */
export async function benchAcks(args: Args, io: CliIo): Promise<void> {
  const dir = args.operand(0);
  const [minutes, seconds] = [Number(args.operand(1)), Number(args.operand(2))];
  const closers = new Closers();
  try {
    const ground = layGround(configFor(dir), thisMachine({}, SILENT_LOG), closers);
    const serving = await serveDevices(ground);
    await publishThrough(serving, meterDay(minutes), GROUP);
    io.stdout(`listens ${serving.addresses.mqtt ?? ''}\n`);
    const site = { journal: serving.journal, signer: ground.identity };
    const packer = closers.add(new ApartPacker({ start: startPackThread, timers: machineTimers }));
    let built = 0;
    for (let turn = 0; turn < TURNS; turn++) {
      io.stdout('idle\n');
      await pause(machineTimers, 1_000 * seconds);
      io.stdout('building\n');
      const endMs = io.clock.monotonicMs() + 1_000 * seconds;
      while (io.clock.monotonicMs() < endMs)
        await buildOnce(site, packer, `${dir}/built-${(built += 1)}`);
    }
  } finally {
    await closers.close();
  }
}
