/**
 * `heliograph bench regional`: how many ops a second one worker of a fleet stores in PostgreSQL, from the chunks as they
 * leave the broker to the committed receipt. The batches are made before. The database must be for this alone: one
 * that a region uses refuses the bench's key.
 */
import { Closers } from '../../../closers.ts';
import { SILENT_LOG } from '../../../base/log.ts';
import { hexOf } from '../../../base/bytes.ts';
import { threadedBrotli } from '../../../batch/compression.ts';
import { CHUNK_DATA_BYTES_MAX } from '../../../batch/limits.ts';
import {
  type ChunkLayout,
  chunkSpan,
  encodeChunk,
  layoutOf,
  parseChunk,
} from '../../../batch/chunks.ts';
import { loadConfig } from '../../../config/config.ts';
import { HubError, messageOf } from '../../../base/errors.ts';
import { Identity, verifyEd25519 } from '../../../keys/identity.ts';
import { thisMachine } from '../../../machine.ts';
import { DEFAULT_REGIONAL_LIMITS } from '../../../regional/limits.ts';
import { Site } from '../../../regional/site.ts';
import { WorkQueue } from '../../../regional/work-queue.ts';
import { PgStorage } from '../../../regional/postgres/pg-storage.ts';
import { openRegionDatabase } from '../../../region/storage.ts';
import type { Args } from '../../args.ts';
import { UsageError } from '../../args.ts';
import { type CliIo, EXIT, type ExitCode } from '../../io.ts';
import { benchHubs, type BenchHub } from './batches.ts';

export interface RegionalReport {
  readonly hubs: number;
  readonly ops: number;
  readonly batches: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly opsPerS: number;
  /** Ops by the processor time of this process alone; the server's own is not in it. */
  readonly opsPerCpuS: number;
}

const HUBS = 10;
const OPS_PER_HUB = 50_000;
const TAKES_AT_ONCE = 2;
const SITE_ID_BYTES = 4;
const KEEP_DAYS = 1_000;
const KEY_SEED = new Uint8Array(32).fill(0xbe);

export async function benchRegional(args: Args, io: CliIo): Promise<ExitCode> {
  const database = args.text('database');
  if (database === undefined)
    throw new UsageError('name an empty database: --database postgres://…');
  const hubs = args.number('hubs', 1, 1_000) ?? HUBS;
  const opsPerHub = args.number('ops', 1, 10_000_000) ?? OPS_PER_HUB;
  const closers = new Closers();
  try {
    const site = `bench-${hexOf(io.random.bytes(SITE_ID_BYTES))}`;
    const made = await benchHubs(site, hubs, opsPerHub, io.random);
    const report = await measure(site, made, database, io, closers);
    io.stdout(args.has('json') ? `${JSON.stringify(report, undefined, 2)}\n` : textOf(report));
  } finally {
    await closers.close();
  }
  return EXIT.done;
}

async function measure(
  name: string,
  hubs: readonly BenchHub[],
  url: string,
  io: CliIo,
  closers: Closers,
): Promise<RegionalReport> {
  const outcome = loadConfig({ sets: [`regional.database=${JSON.stringify(url)}`] });
  if (outcome.kind === 'invalid')
    throw new UsageError(`${url} is not a postgres:// URL without a password`);
  const machine = thisMachine(io.env, SILENT_LOG);
  const signer = Identity.fromSeed(KEY_SEED);
  const { clock, timers, log } = machine;
  const database = await openRegionDatabase(outcome.config, machine);
  const keepDays = { readings: KEEP_DAYS, batches: KEEP_DAYS };
  const { publicKey } = signer;
  const storage = closers.add(
    await PgStorage.open({ database, publicKey, clock, timers, log, keepDays }),
  );
  const site = await Site.open({
    name,
    storage,
    signer,
    verify: verifyEd25519,
    compressor: threadedBrotli,
    clock,
    timers,
    log: SILENT_LOG,
    limits: DEFAULT_REGIONAL_LIMITS,
    random: io.random,
    publish: () => undefined,
  });
  for (const hub of hubs) await site.storage.meet(hub.id, hub.publicKey);
  const cpuS = (): number => machine.host.processFigures()?.cpuS ?? 0;
  const before = { ms: clock.monotonicMs(), cpuS: cpuS() };
  const ops = await storeAll(site, hubs);
  const seconds = (clock.monotonicMs() - before.ms) / 1_000;
  const batches = hubs.flatMap((hub) => hub.batches);
  return {
    hubs: hubs.length,
    ops,
    batches: batches.length,
    bytes: batches.reduce((sum, batch) => sum + batch.bytes.length, 0),
    seconds,
    opsPerS: Math.round(ops / seconds),
    opsPerCpuS: Math.round(ops / (cpuS() - before.cpuS)),
  };
}

/** Batches of all hubs in turn, as a broker would bring them. */
async function storeAll(site: Site, hubs: readonly BenchHub[]): Promise<number> {
  const failures: string[] = [];
  let ops = 0;
  const queue = new WorkQueue(TAKES_AT_ONCE, (error) => failures.push(messageOf(error)));
  const rounds = Math.max(...hubs.map(({ batches }) => batches.length));
  for (let round = 0; round < rounds; round++) {
    for (const { id, batches } of hubs) {
      const batch = batches[round];
      if (batch === undefined) continue;
      const layout = layoutOf(batch.bytes.length, CHUNK_DATA_BYTES_MAX);
      for (let index = 0; index < layout.total; index++) {
        await site.put(id, batch.id, chunkAt(batch.bytes, layout, index));
      }
      queue.add(async () => {
        const taken = await site.take(id, batch.id);
        ops += taken.ops ?? 0;
      });
    }
    await queue.idle();
  }
  const [failure] = failures;
  if (failure !== undefined) throw new HubError('bench.broken', failure);
  const expected = hubs
    .flatMap(({ batches }) => batches)
    .reduce((sum, { manifest }) => sum + manifest.ops, 0);
  if (ops !== expected) throw new HubError('bench.broken', `${ops} of ${expected} ops were stored`);
  return ops;
}

/** Through the form that travels, whose hash is checked. */
function chunkAt(
  bytes: Uint8Array,
  layout: ChunkLayout,
  index: number,
): Parameters<Site['put']>[2] {
  const { from, to } = chunkSpan(layout, index);
  const outcome = parseChunk(encodeChunk(bytes.subarray(from, to), layout, index));
  if (outcome.kind === 'invalid') throw new HubError('bench.broken', outcome.reason);
  return outcome.chunk;
}

function textOf({ hubs, ops, batches, seconds, opsPerS, opsPerCpuS }: RegionalReport): string {
  return (
    `${ops} ops of ${hubs} hubs in ${batches} batches, stored in ${seconds.toFixed(1)} s by one worker\n` +
    `${opsPerS} ops/s; ${opsPerCpuS} ops in a second of this process's processor time\n`
  );
}
