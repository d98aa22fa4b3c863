/**
 * `heliograph bench recover`: from the start of the process until the first device has its CONNACK, on an
 * empty data directory and on a journal of a million ops whose state database is lost. That is the longest
 * way to serve a device: nothing but the journal's tail says how far the ops were numbered. The hub is ended by
 * SIGKILL each time, so every run but the first also recovers from a crash.
 */
import { Closers } from '../../closers.ts';
import { SILENT_LOG } from '../../base/log.ts';
import { type Clock, pause } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Config } from '../../config/schema.ts';
import { hubPaths } from '../../hub/data/data.ts';
import { layGround } from '../../hub/ground.ts';
import { serveDevices } from '../../hub/serving.ts';
import { type Machine, thisMachine } from '../../machine.ts';
import { Child, ownProgram } from '../../platform/children.ts';
import { machineTimers } from '../../platform/clock.ts';
import { freePort } from '../../platform/network/load-socket.ts';
import { Store } from '../../store/store.ts';
import type { Args } from '../args.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';
import { HOST } from './contenders.ts';
import { folderOf, inNewFolder } from './folder.ts';
import { configFor, publishThrough } from './own-hub.ts';
import { medianOf } from './load/latencies.ts';
import { Subscriber } from './load/subscriber.ts';

/** Medians over the runs. */
interface Start {
  readonly ops: number;
  readonly connackMs: number;
  /** Of the hub alone, user and system, until the CONNACK: what a quiet machine would take at the least. */
  readonly cpuMs: number;
  readonly rssMb: number;
}

const OPS = 1_000_000;
const RUNS = 5;
const PAYLOAD_BYTES = 200;
/** Ops that are journaled before their commit is waited for. */
const GROUP_OPS = 5_000;
const RETRY_MS = 2;
const START_MS_MAX = 60_000;

export async function benchRecover(args: Args, io: CliIo): Promise<void> {
  const ops = args.number('ops', 1, 100_000_000) ?? OPS;
  const runs = args.number('runs', 1, 99) ?? RUNS;
  const machine = thisMachine({}, SILENT_LOG);
  await inNewFolder(folderOf(args), io, async (dir) => {
    const empty = await startsOf(runs, 0, machine, (run) => `${dir}/empty-${run}`);
    const full = `${dir}/full`;
    await fill(configFor(full), machine, ops);
    const recovered = await startsOf(runs, ops, machine, () => full);
    print(args, io, { empty, recovered }, () => [empty, recovered].map(lineOf));
  });
}

/** Journals `ops` publishes through the hub's own door. */
async function fill(config: Config, machine: Machine, ops: number): Promise<void> {
  const closers = new Closers();
  try {
    const serving = await serveDevices(layGround(config, machine, closers));
    const payload = machine.random.bytes(PAYLOAD_BYTES);
    await publishThrough(serving, publishes(ops, payload), GROUP_OPS);
  } finally {
    await closers.close();
  }
}

function* publishes(
  ops: number,
  payload: Uint8Array,
): Generator<{ topic: string; payload: Uint8Array }> {
  for (let count = 0; count < ops; count++) yield { topic: `bench/${count % 20}`, payload };
}

async function startsOf(
  runs: number,
  ops: number,
  machine: Machine,
  dirOf: (run: number) => string,
): Promise<Start> {
  const starts: Start[] = [];
  for (let run = 0; run < runs; run++) {
    Store.remove(machine.files, hubPaths(dirOf(run)).state);
    starts.push({ ops, ...(await startOnce(dirOf(run), machine)) });
  }
  const median = (figure: (start: Start) => number): number => medianOf(starts.map(figure));
  return {
    ops,
    connackMs: median(({ connackMs }) => connackMs),
    cpuMs: median(({ cpuMs }) => cpuMs),
    rssMb: median(({ rssMb }) => rssMb),
  };
}

async function startOnce(dir: string, { clock, host }: Machine): Promise<Omit<Start, 'ops'>> {
  const port = await freePort();
  const sets = [`broker.port=${port}`, 'http.port=0', 'power.sources=["none"]'];
  const { command, entry } = ownProgram();
  const args = [entry, 'run', '--data', dir, ...sets.flatMap((set) => ['--set', set])];
  const beganMs = clock.monotonicMs();
  const child = await Child.start({ command, args });
  try {
    await firstConnack(child, port, clock);
    const connackMs = clock.monotonicMs() - beganMs;
    const figures = host.processFigures(child.pid);
    if (figures === undefined) throw new HubError('bench.broken', 'the hub ended at its start');
    return { connackMs, cpuMs: figures.cpuS * 1_000, rssMb: figures.rssBytes / 1e6 };
  } finally {
    await child.stop(0);
  }
}

async function firstConnack(child: Child, port: number, clock: Clock): Promise<void> {
  const endMs = clock.monotonicMs() + START_MS_MAX;
  const onDelivered = (): void => undefined;
  while (child.running && clock.monotonicMs() < endMs) {
    try {
      const options = { host: HOST, port, qos: 0, clean: true, onDelivered } as const;
      (await Subscriber.open(options)).leave();
      return;
    } catch {
      await pause(machineTimers, RETRY_MS); // Nobody listens yet.
    }
  }
  throw new HubError('bench.broken', 'the hub took no connection');
}

function lineOf({ ops, connackMs, cpuMs, rssMb }: Start): string {
  const journal =
    ops === 0 ? 'empty journal' : `${ops.toLocaleString('en')} ops, no state database`;
  const figures = [`CONNACK after ${Math.round(connackMs)} ms`, `CPU ${Math.round(cpuMs)} ms`];
  return `${journal}: ${[...figures, `RSS ${Math.round(rssMb)} MB`].join(', ')}`;
}
