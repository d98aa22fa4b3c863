/**
 * How fast batches are built, for how much processor and memory, and how long the event loop keeps others waiting
 * meanwhile. In a process of its own (`heliograph bench build DIR`), whose memory nothing else has stretched.
 */
import { HubError } from '../../../base/errors.ts';
import { SILENT_LOG } from '../../../base/log.ts';
import { threadedCompressor } from '../../../batch/compression.ts';
import { DEFAULT_SEAL_LIMITS } from '../../../batch/limits.ts';
import { TELEMETRY } from '../../../model/class.ts';
import { Child, ownProgram } from '../../../platform/children.ts';
import { MachineClock, machineTimers } from '../../../platform/clock.ts';
import { type LoopDelays, watchEventLoop } from '../../../platform/event-loop.ts';
import { MachineHost } from '../../../platform/host.ts';
import { machineFiles } from '../../../platform/files/machine-files.ts';
import { startPackThread } from '../../../machine.ts';
import { ApartPacker } from '../../../uplink/packing/apart.ts';
import type { Packer } from '../../../uplink/packing/packer.ts';
import { Outbox } from '../../../uplink/outbox.ts';
import type { SpooledBatch } from '../../../uplink/spool.ts';
import { afterOthers } from '../../../uplink/waiting/breather.ts';
import type { Args } from '../../args.ts';
import type { CliIo } from '../../io.ts';
import { type BenchSite, openSite, SITE } from './site.ts';

export interface Building {
  readonly ops: number;
  readonly batches: number;
  readonly spoolBytes: number;
  /** Memory before the first round, and the most beyond that. */
  readonly rssMb: number;
  readonly rssExtraMb: number;
  /** The first is that of a program just started; the others are what a hub that runs for months does. */
  readonly rounds: readonly Round[];
}

/** All of the journal into the spool, counting included. */
export interface Round {
  readonly opsPerS: number;
  /** Ops by the time that the whole process was computing, compression and collection of memory included. */
  readonly opsPerCpuS: number;
  readonly loop: LoopDelays;
}

const ROUNDS = 5;
const READER = { encoding: 'columns', compression: 'brotli', history: 'none' } as const;
const SPOOL_BYTES_MAX = 256 << 20;
const MEMORY_LOOK_MS = 50;

/** Measures in a process of its own. */
export async function measureBuilding(dir: string): Promise<Building> {
  const { command, entry } = ownProgram();
  const lines: string[] = [];
  const errors: string[] = [];
  const child = await Child.start({
    command,
    args: [entry, 'bench', 'build', dir],
    onLine: (line) => lines.push(line),
    onErrorLine: (line) => errors.push(line),
  });
  const { code } = await child.exited;
  const last = lines.at(-1);
  if (code === 0 && last !== undefined) return JSON.parse(last) as Building;
  throw new HubError('bench.broken', `building ended with code ${code}: ${errors.join(' ')}`);
}

/** The process: seals all that lies in the journal, prints one JSON text. */
export async function benchBuild(args: Args, io: CliIo): Promise<void> {
  io.stdout(`${JSON.stringify(await build(args.operand(0)))}\n`);
}

async function build(dir: string): Promise<Building> {
  const site = await openSite(dir);
  const host = new MachineHost();
  const rssBytes = (): number => must(host.processFigures()).rssBytes;
  const rssBeforeBytes = rssBytes();
  let rssPeakBytes = rssBeforeBytes;
  const stopLooking = machineTimers.every(MEMORY_LOOK_MS, () => {
    rssPeakBytes = Math.max(rssPeakBytes, rssBytes());
  });
  const clock = new MachineClock();
  const ops = site.journal.lastLsn;
  const packer = new ApartPacker({ start: startPackThread, timers: machineTimers });
  const rounds: Round[] = [];
  let batches: readonly SpooledBatch[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const endLoop = watchEventLoop();
    const beganMs = clock.monotonicMs();
    const beganCpuS = must(host.processFigures()).cpuS;
    batches = await buildOnce(site, packer, `${dir}/built-${round}`);
    const seconds = (clock.monotonicMs() - beganMs) / 1_000;
    const cpuS = must(host.processFigures()).cpuS - beganCpuS;
    rounds.push({ opsPerS: ops / seconds, opsPerCpuS: ops / cpuS, loop: endLoop() });
  }
  packer.close();
  stopLooking();
  await site.journal.close();
  return {
    ops,
    batches: batches.length,
    spoolBytes: batches.reduce((bytes, { layout }) => bytes + layout.batchBytes, 0),
    rssMb: rssBeforeBytes / 1e6,
    rssExtraMb: (rssPeakBytes - rssBeforeBytes) / 1e6,
    rounds,
  };
}

/** Builds batches of all telemetry that lies in the journal, into a spool below `dir`. */
export async function buildOnce(
  site: BenchSite,
  packer: Packer,
  dir: string,
): Promise<readonly SpooledBatch[]> {
  const outbox = openOutbox(site, packer, dir);
  const rest = { journal: site.journal, timers: machineTimers };
  while (outbox.unsealed.scan()) await new Promise<void>((resolve) => afterOthers(rest, resolve));
  while (outbox.unsealedOps(TELEMETRY) > 0) await outbox.seal(TELEMETRY, READER);
  return outbox.sendable();
}

function openOutbox({ journal, signer }: BenchSite, packer: Packer, dir: string): Outbox {
  return Outbox.open({
    journal,
    files: machineFiles,
    dir,
    site: SITE,
    signer,
    compressor: threadedCompressor,
    packer,
    clock: new MachineClock(),
    timers: machineTimers,
    log: SILENT_LOG,
    sealLimits: DEFAULT_SEAL_LIMITS,
    spoolBytesMax: SPOOL_BYTES_MAX,
  });
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new HubError('bench.broken', 'this machine tells no figures');
  return value;
}
