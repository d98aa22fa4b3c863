/**
 * `heliograph bench regional`: how many ops a second one worker of a fleet stores in PostgreSQL, from the broker to the
 * receipt: signed, encrypted batches of many hubs come by Mosquitto, are opened, checked, folded and committed. The batches are
 * made before. The database must be for this alone: one that a region uses refuses the bench's key.
 */
import { hexOf } from '../../../base/bytes.ts';
import { HubError, messageOf } from '../../../base/errors.ts';
import { SILENT_LOG } from '../../../base/log.ts';
import { Closers } from '../../../closers.ts';
import { loadConfig } from '../../../config/config.ts';
import { batchOpener, batchSealer, makeOperatorKey } from '../../../keys/batch-seal.ts';
import { Identity, verifyEd25519 } from '../../../keys/identity.ts';
import { type Machine, thisMachine } from '../../../machine.ts';
import { RegionalNode } from '../../../regional/regional-node.ts';
import { fleetTerms, openStorage } from '../../../region/storage.ts';
import { type Args, UsageError } from '../../args.ts';
import type { CliIo } from '../../io.ts';
import { print } from '../../print.ts';
import { HOST } from '../contenders.ts';
import { mosquitto } from '../rivals/mosquitto.ts';
import { folderOf, inNewFolder } from '../folder.ts';
import { benchHubs, type BenchHub } from './batches.ts';
import { hubsAtBroker } from './hubs-over-broker.ts';

export interface RegionalReport {
  readonly hubs: number;
  readonly ops: number;
  readonly batches: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly opsPerS: number;
  /** Ops by the processor time of this process alone; the servers' own is not in it. */
  readonly opsPerCpuS: number;
}

interface Bench {
  readonly site: string;
  readonly url: string;
  readonly dir: string;
  readonly hubs: readonly BenchHub[];
  /** What opens the batches, PEM. */
  readonly operatorKey: string;
}

const HUBS = 10;
const OPS_PER_HUB = 50_000;
const SITE_ID_BYTES = 4;
const KEEP_DAYS = 1_000;
const KEY_SEED = new Uint8Array(32).fill(0xbe);

export async function benchRegional(args: Args, io: CliIo): Promise<void> {
  const url = args.text('database');
  if (url === undefined) throw new UsageError('name an empty database: --database postgres://…');
  const hubs = args.number('hubs', 1, 1_000) ?? HUBS;
  const opsPerHub = args.number('ops', 1, 10_000_000) ?? OPS_PER_HUB;
  const site = `bench-${hexOf(io.random.bytes(SITE_ID_BYTES))}`;
  await inNewFolder(folderOf(args), io, async (dir) => {
    const { publicKey, privatePem: operatorKey } = makeOperatorKey(io.random);
    const sealer = batchSealer(publicKey, io.random);
    const made = await benchHubs(site, { hubs, opsPerHub }, sealer, io.random);
    const closers = new Closers();
    try {
      const report = await measure({ site, url, dir, hubs: made, operatorKey }, io, closers);
      print(args, io, report, () => linesOf(report));
    } finally {
      await closers.close();
    }
  });
}

async function measure(bench: Bench, io: CliIo, closers: Closers): Promise<RegionalReport> {
  const machine = thisMachine(io.env, SILENT_LOG);
  const { clock } = machine;
  const broker = await mosquitto(io.files).start(bench.dir);
  closers.add({ close: () => broker.stop() });
  const regionKey = await startWorker(bench, broker.port, machine, closers);
  const place = { port: broker.port, site: bench.site, regionKey, random: io.random };
  const sender = closers.add(await hubsAtBroker(bench.hubs, place));
  await sender.greet();
  const cpuS = (): number => machine.host.processFigures()?.cpuS ?? 0;
  const before = { ms: clock.monotonicMs(), cpuS: cpuS() };
  const ops = await sender.sendAll();
  const seconds = (clock.monotonicMs() - before.ms) / 1_000;
  const batches = bench.hubs.flatMap((hub) => hub.batches);
  const expected = batches.reduce((sum, { manifest }) => sum + manifest.ops, 0);
  if (ops !== expected) throw new HubError('bench.broken', `${ops} of ${expected} ops were stored`);
  return {
    hubs: bench.hubs.length,
    ops,
    batches: batches.length,
    bytes: batches.reduce((sum, batch) => sum + batch.bytes.length, 0),
    seconds,
    opsPerS: Math.round(ops / seconds),
    opsPerCpuS: Math.round(ops / (cpuS() - before.cpuS)),
  };
}

/** One worker, as `regional run` would have it; its public key. */
async function startWorker(
  { url, dir, operatorKey }: Bench,
  port: number,
  machine: Machine,
  closers: Closers,
): Promise<Uint8Array> {
  const brokerUrl = `mqtt://${HOST}:${port}`;
  const sets = [
    `regional.database=${JSON.stringify(url)}`,
    `regional.url=${brokerUrl}`,
    `regional.readings_days=${KEEP_DAYS}`,
    `regional.batches_days=${KEEP_DAYS}`,
  ];
  const outcome = loadConfig({ sets });
  if (outcome.kind === 'invalid')
    throw new UsageError(`${url} is not a postgres:// URL without a password`);
  const { clock, timers, random, log } = machine;
  const signer = Identity.fromSeed(KEY_SEED);
  const { storage } = await openStorage(outcome.config, machine, dir, signer, closers);
  closers.add(
    await RegionalNode.open({
      mqtt: machine.mqtt,
      broker: { url: brokerUrl },
      storage,
      fleet: fleetTerms(outcome.config),
      signer,
      verify: verifyEd25519,
      clock,
      timers,
      random,
      log,
      opener: batchOpener(operatorKey, 'bench'),
      software: 'bench',
      onFatal: (error) => {
        throw new HubError('bench.broken', messageOf(error), error);
      },
    }),
  );
  return signer.publicKey;
}

function linesOf({ hubs, ops, batches, seconds, opsPerS, opsPerCpuS }: RegionalReport): string[] {
  return [
    `${ops} ops of ${hubs} hubs in ${batches} batches, from the broker to the receipt in ${seconds.toFixed(1)} s by one worker`,
    `${opsPerS} ops/s; ${opsPerCpuS} ops in a second of this process's processor time`,
  ];
}
