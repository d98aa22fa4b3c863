/**
 * A fleet: hubs in this process with real uplinks over a real broker, workers as real processes on a real PostgreSQL that
 * are killed again and again. Journals and spools of the hubs are in memory.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { onTestFinished } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { threadedCompressor } from '../../../src/batch/compression.ts';
import { Identity, verifyEd25519 } from '../../../src/keys/identity.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { CLASSES, RECORD, TELEMETRY } from '../../../src/model/class.ts';
import { PATCH } from '../../../src/model/op.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { encodePatch } from '../../../src/merge/patch.ts';
import { MachineClock, machineTimers } from '../../../src/platform/clock.ts';
import { machineMqttClient } from '../../../src/platform/network/machine-mqtt-client.ts';
import type { Database } from '../../../src/platform/network/postgres.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { Uplink } from '../../../src/uplink/uplink.ts';
import { SITE, stampedOp } from '../made/batches.ts';
import { heliograph } from './hub.ts';
import { MemoryJournal } from '../memory/memory-journal.ts';
import { connect, PostgresServer } from '../machine/postgres.ts';
import { freePort, type Spawned, spawnProcess } from '../machine/spawn.ts';
import { tempDir } from '../machine/temp-dir.ts';

export interface FleetOptions {
  readonly workers: number;
  readonly hubs: number;
  readonly opsPerHub: number;
  /** A worker dies so often. */
  readonly killEveryMs: number;
  readonly killsMin: number;
  /** It is not killed then, but held for so long, and goes on where it was. */
  readonly holdMs?: number;
  /** PostgreSQL is ended and started again after so many kills. */
  readonly restartAfterKills?: number;
  readonly deadlineMs: number;
  readonly mosquitto: string;
}

interface FleetHub {
  readonly id: Origin;
  readonly journal: MemoryJournal;
  readonly uplink: Uplink;
  readonly ledger: Ledger;
}

const OPS_PER_BATCH = 100;

/** Fails where an op is missing or counted twice, or a hub's history has a gap. */
export async function fleetUnderKills(options: FleetOptions): Promise<void> {
  const server = await PostgresServer.start();
  const url = server.url(await server.create());
  const database = await connect(url);
  try {
    await run(options, server, url, database);
  } finally {
    await database.close();
    await server.stop();
  }
}

async function run(
  options: FleetOptions,
  server: PostgresServer,
  url: string,
  database: Database,
): Promise<void> {
  const dir = tempDir();
  const port = await startBroker(dir, options.mosquitto);
  // All at once, on a database and a key that are not there yet.
  const workers = Array.from({ length: options.workers }, (_, index) =>
    startWorker(dir, index, port, url),
  );
  await Promise.all(workers.map((worker) => worker.line(/^ready /)));
  const fatal: unknown[] = [];
  const hubs = Array.from({ length: options.hubs }, (_, index) => startHub(index, port, fatal));
  // Half of it is there from the start, the rest comes while workers die.
  const half = Math.floor(options.opsPerHub / 2);
  for (const [index, hub] of hubs.entries()) fill(hub, index, 1, half);
  const endMs = Date.now() + options.deadlineMs;
  let kills = 0;
  const isDone = (): boolean =>
    hubs.every(({ uplink, journal }) => uplink.receiptedLsn === journal.lastLsn);
  for (let from = half + 1; ;) {
    if (from <= options.opsPerHub) {
      const to = Math.min(options.opsPerHub, from + OPS_PER_BATCH - 1);
      for (const [index, hub] of hubs.entries()) fill(hub, index, from, to);
      from = to + 1;
    } else if (kills >= options.killsMin && isDone()) break;
    assert.ok(Date.now() < endMs, `not delivered: ${hubs.map((hub) => state(hub)).join(' ')}`);
    await pause(options.killEveryMs);
    if (kills >= options.killsMin) continue;
    const victim = kills % options.workers;
    kills += 1;
    if (options.holdMs !== undefined) {
      workers[victim]?.kill('SIGSTOP');
      await pause(options.holdMs);
      workers[victim]?.kill('SIGCONT');
      continue;
    }
    workers[victim]?.kill('SIGKILL');
    await workers[victim]?.exited;
    if (kills === options.restartAfterKills) {
      await server.halt('SIGINT');
      await server.resume();
    }
    // It takes part again before the next one dies, however slow the machine is.
    workers[victim] = startWorker(dir, victim, port, url);
    await workers[victim].line(/^ready /);
  }
  for (const { uplink, ledger } of hubs) {
    await uplink.close();
    await ledger.close();
  }
  assert.deepEqual(fatal, []);
  await checkTotals(database, options);
}

async function checkTotals(database: Database, { hubs, opsPerHub }: FleetOptions): Promise<void> {
  const one = async (sql: string): Promise<number> =>
    Number(Object.values((await database.query(sql))[0] ?? {})[0]);
  const records = Math.floor(opsPerHub / OPS_PER_BATCH);
  const readings = hubs * opsPerHub;
  assert.equal(await one('SELECT count(*) FROM heliograph.reading'), readings, 'each reading once');
  assert.equal(
    await one('SELECT count(*) FROM (SELECT DISTINCT lane_id, seq FROM heliograph.reading) r'),
    readings,
  );
  assert.equal(await one('SELECT sum(up_to) FROM heliograph.lane'), hubs * (opsPerHub + records));
  assert.equal(await one('SELECT count(*) FROM heliograph.record_write'), hubs * records);
  assert.equal(
    (await one("SELECT (content->>'hubs')::int FROM heliograph.field LIMIT 1")) >= 0,
    true,
  );
  assert.equal(await one('SELECT count(*) FROM heliograph.part'), 0, 'nothing is left lying');
  assert.equal(await one('SELECT count(*) FROM heliograph.chunk'), 0);
  assert.equal(await one('SELECT count(*) FROM heliograph.parked'), 0);
  // Kept in order: the tree of each class has all that was sent.
  const trees = await database.query(
    'SELECT class, full_tiles[1] * 256 + length(hashes[1]) / 32 AS size FROM heliograph.ledger',
  );
  for (const row of trees) {
    const expected = row['class'] === TELEMETRY ? opsPerHub : records;
    assert.equal(row['size'], expected, `the history of class ${String(row['class'])} has no gap`);
  }
  assert.equal(trees.length, hubs * 2);
}

export async function startBroker(dir: string, mosquitto: string): Promise<number> {
  const port = await freePort();
  const config = join(dir, 'mosquitto.conf');
  writeFileSync(
    config,
    `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 10000\n`,
  );
  const broker = spawnProcess(mosquitto, ['-c', config]);
  await broker.line(/running/);
  return port;
}

export interface Worker {
  readonly process: Spawned;
  readonly httpUrl: string;
}

export interface Fleet {
  /** Of the broker, on loopback. */
  readonly port: number;
  /** Of the database. */
  readonly url: string;
  /** Starts a worker; resolves when it is ready. */
  readonly start: (index: number) => Promise<Worker>;
}

/** A broker and a database of the test's own, for the workers that it starts; all of them end with it. */
export async function openFleet(mosquitto: string): Promise<Fleet> {
  const server = await PostgresServer.start();
  onTestFinished(() => server.stop());
  const url = server.url(await server.create());
  const dir = tempDir();
  const port = await startBroker(dir, mosquitto);
  return { port, url, start: (index) => openWorker(dir, index, port, url) };
}

/** Starts a worker; resolves when it is ready. */
export async function openWorker(
  dir: string,
  index: number,
  port: number,
  url: string,
): Promise<Worker> {
  const process = startWorker(dir, index, port, url);
  const line = await process.line(/^ready /);
  return { process, httpUrl: /http:\/\/\S+/.exec(line)?.[0] ?? '' };
}

function startWorker(dir: string, index: number, port: number, url: string): Spawned {
  const sets = [
    `regional.url=mqtt://127.0.0.1:${port}`,
    `regional.database=${url}`,
    `regional.key_file=${join(dir, 'region.pem')}`,
    'regional.http_port=0',
  ];
  const data = join(dir, `worker-${index}`);
  return heliograph(['regional', 'run', '--data', data, ...sets.flatMap((set) => ['--set', set])]);
}

function startHub(index: number, port: number, fatal: unknown[]): FleetHub {
  const random = new SeededRandom(1_000 + index);
  const signer = Identity.fromSeed(random.bytes(32));
  const journal = new MemoryJournal();
  const files = new SimFiles({ random });
  const shared = {
    journal,
    files,
    signer,
    verify: verifyEd25519,
    timers: machineTimers,
    log: SILENT_LOG,
    onFatal: (error: unknown): void => void fatal.push(error),
  };
  const id = signer.id;
  const ledger = Ledger.open({ ...shared, dir: 'ledger', hub: id });
  const uplink = Uplink.open({
    ...shared,
    history: ledger,
    mqtt: machineMqttClient,
    clock: new MachineClock(),
    random,
    software: 'test',
    compressor: threadedCompressor,
    broker: { url: `mqtt://127.0.0.1:${port}` },
    dir: 'uplink',
    site: SITE,
    decide: () => ({ allowed: CLASSES, riding: CLASSES, why: 'test' }),
    link: () => 'cellular',
    syncLog: { append: () => undefined },
    energy: { transferWh: () => 0, sessionWh: () => 0, linkBytesToday: () => 0 },
    linkTimers: machineTimers,
    limits: {
      lookMs: 50,
      lingerMs: 500,
      replyMsMax: 4_000,
      pauseMsMin: 50,
      pauseMsMax: 1_000,
      seal: { opsMax: OPS_PER_BATCH, opBytesMax: 1 << 20 },
    },
  });
  return { id, journal, uplink, ledger };
}

/** Readings of the hub, and with every hundredth a field of a record that all hubs write. */
function fill({ id, journal }: FleetHub, index: number, from: number, to: number): void {
  for (let seq = from; seq <= to; seq++) {
    journal.append(stampedOp(seq, { key: `hub-${index}/power` }, id));
    if (seq % OPS_PER_BATCH > 0) continue;
    const body = encodePatch({ hubs: index });
    const patch = { class: RECORD, kind: PATCH, key: 'shared/record', body } as const;
    journal.append(stampedOp(seq / OPS_PER_BATCH, patch, id));
  }
}

function state({ id, uplink, journal }: FleetHub): string {
  return `${id}:${uplink.receiptedLsn}/${journal.lastLsn}`;
}
