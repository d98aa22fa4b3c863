/**
 * `heliograph bench uplink`: a day of meters over the wire as batches, in bytes an op, beside a Mosquitto bridge that
 * carries the same publishes and beside the same readings packed offline; and how fast batches are built.
 */
import { type Args, UsageError } from '../../args.ts';
import type { CliIo } from '../../io.ts';
import { print } from '../../print.ts';
import { mosquitto } from '../rivals/mosquitto.ts';
import { folderOf, inNewFolder } from '../folder.ts';
import { medianOf } from '../load/latencies.ts';
import { type AckFigures, type AckRun, type Acks, measureAcks } from './acks.ts';
import { type Building, measureBuilding, type Round } from './building.ts';
import { meterDay, METERS, MINUTES } from './meters.ts';
import { offlineBytes } from './offline.ts';
import { bridge, sendBatches, type Wire } from './sending.ts';
import { fill, openSite } from './site.ts';

/** What `--json` prints. */
interface UplinkReport {
  readonly meters: number;
  readonly ops: number;
  /** Mean bytes of a payload. */
  readonly payloadBytes: number;
  readonly building: Building;
  /** Of publishes, while batches are built and while they are not. */
  readonly acks: Acks;
  readonly batches: Wire;
  /** The same readings as columns by hand, at brotli's best, without anything that makes them ops. */
  readonly offlineBytesPerOp: number;
  readonly ratioToOffline: number;
  readonly bridge?: Wire;
  /** Bytes of the bridge to ours. */
  readonly ratioToBridge?: number;
}

const TURN_SECONDS = 3;

export async function benchUplink(args: Args, io: CliIo): Promise<void> {
  const vs = args.text('vs');
  if (vs !== undefined && vs !== 'mosquitto') throw new UsageError('--vs knows mosquitto only');
  const minutes = args.number('minutes', 1, MINUTES) ?? MINUTES;
  const seconds = args.number('seconds', 1, 60) ?? TURN_SECONDS;
  await inNewFolder(folderOf(args), io, async (dir) => {
    const report = await measure({ dir, minutes, seconds }, vs !== undefined, io);
    print(args, io, report, () => linesOf(report));
  });
}

async function measure(
  { dir, minutes, seconds }: AckRun,
  hasRival: boolean,
  io: CliIo,
): Promise<UplinkReport> {
  const publishes = meterDay(minutes);
  const ops = publishes.length;
  const site = await openSite(dir);
  await fill(site, publishes);
  await site.journal.close();
  const building = await measureBuilding(dir);
  io.stderr(`built: ${building.batches} batches\n`);
  const acks = await measureAcks({ dir: `${dir}/acks`, minutes, seconds }, io);
  io.stderr(`acknowledged: ${acks.building.samples + acks.idle.samples} publishes\n`);
  const broker = await mosquitto(io.files).start(dir);
  try {
    const batches = await overWire(dir, broker.port);
    io.stderr(`sent as batches: ${batches.bytesPerOp.toFixed(2)} B an op\n`);
    const bridged = hasRival ? await bridge(publishes, dir, broker.port) : undefined;
    const offlineBytesPerOp = offlineBytes(publishes) / ops;
    return {
      meters: METERS,
      ops,
      payloadBytes: publishes.reduce((sum, { payload }) => sum + payload.length, 0) / ops,
      building,
      acks,
      batches,
      offlineBytesPerOp,
      ratioToOffline: batches.bytesPerOp / offlineBytesPerOp,
      ...(bridged === undefined
        ? {}
        : { bridge: bridged, ratioToBridge: bridged.bytesPerOp / batches.bytesPerOp }),
    };
  } finally {
    await broker.stop();
  }
}

async function overWire(dir: string, port: number): Promise<Wire> {
  const site = await openSite(dir);
  try {
    return await sendBatches(site, dir, port);
  } finally {
    await site.journal.close();
  }
}

function linesOf(report: UplinkReport): string[] {
  const { building, acks, batches, bridge: bridged } = report;
  const bytes = (value: number): string => `${value.toFixed(2)} B`.padStart(10);
  const [first, ...later] = building.rounds;
  const usual = (figure: (round: Round) => number): number => medianOf(later.map(figure));
  const whole = (value = 0): string => Math.round(value).toLocaleString('en');
  const lines = [
    `${report.ops.toLocaleString('en')} readings of ${report.meters} meters, ${report.payloadBytes.toFixed(0)} B each`,
    '',
    'bytes an op on the wire (payload of TCP, both ways, everything included)',
    `  batches        ${bytes(batches.bytesPerOp)}`,
    `  packed offline ${bytes(report.offlineBytesPerOp)}   batches are ${report.ratioToOffline.toFixed(2)} times that`,
  ];
  if (bridged !== undefined) {
    const ratio = (report.ratioToBridge ?? 0).toFixed(1);
    lines.push(`  Mosquitto      ${bytes(bridged.bytesPerOp)}   ${ratio} times ours`);
  }
  lines.push(
    '',
    'building',
    `  ${whole(usual(({ opsPerS }) => opsPerS))} ops/s, ${whole(usual(({ opsPerCpuS }) => opsPerCpuS))} ops a second of processor`,
    `  ${whole(first?.opsPerS)} and ${whole(first?.opsPerCpuS)} in a program just started`,
    `  memory ${building.rssExtraMb.toFixed(0)} MB beyond ${building.rssMb.toFixed(0)} MB`,
    `  event loop late: p99 ${usual(({ loop }) => loop.p99Ms).toFixed(1)} ms, at most ${usual(({ loop }) => loop.maxMs).toFixed(1)} ms`,
    '',
    `acknowledgements of ${acks.ratePerS} publishes a second`,
    `  idle      ${ackLine(acks.idle)}`,
    `  building  ${ackLine(acks.building)}   p99.9 is ${acks.ratioP999.toFixed(1)} times the idle one`,
  );
  return lines;
}

function ackLine({ p50Ms, p99Ms, p999Ms }: AckFigures): string {
  const [median, p99, p999] = [p50Ms, p99Ms, p999Ms].map((ms) => ms.toFixed(1));
  return `median ${median} ms, p99 ${p99} ms, p99.9 ${p999} ms`;
}
