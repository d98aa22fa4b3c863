/** `store digest` and `store rebuild` on real files, with and without a hub that runs on them. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { must } from '../../../../src/base/assert.ts';
import { EXIT } from '../../../../src/cli/io.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { Closers } from '../../../../src/closers.ts';
import { regionalDir, takeDataDirectory } from '../../../../src/hub/data/data.ts';
import { openIdentity } from '../../../../src/hub/data/identity.ts';
import { openHub } from '../../../../src/hub/hub.ts';
import { openJournal } from '../../../../src/hub/storage/journal.ts';
import { HubStore } from '../../../../src/hub/storage/store.ts';
import type { Origin } from '../../../../src/model/origin.ts';
import { machineHttpClient } from '../../../../src/platform/network/http/http-client.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { openRegionIdentity } from '../../../../src/region/identity.ts';
import { openRegion } from '../../../../src/region/region.ts';
import { Store } from '../../../../src/store/store.ts';
import { CliWorld } from '../../../support/simulated/cli.ts';
import {
  appendOps,
  configFor,
  hubOf,
  machine,
  SMALL_FLAGS,
  smallDataDir,
} from '../../../support/hubs/data-dir.ts';
import { stampedOp } from '../../../support/made/ops.ts';
import { fillDisk, smallDisk, testWithMounts } from '../../../support/machine/small-disk.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

interface Digest {
  readonly digest: string;
  readonly ops: number;
  readonly records: number;
}

async function digestOf(dir: string): Promise<Digest> {
  const argv = `store digest --json --data ${dir} ${SMALL_FLAGS}`;
  const { code, stdout, stderr } = await new CliWorld().run(argv);
  assert.equal(code, EXIT.done, stderr);
  return JSON.parse(stdout) as Digest;
}

test('the digest names what the journal holds, and stays the same however often it is asked', async () => {
  const dir = await smallDataDir();
  const first = await digestOf(dir);
  assert.deepEqual([first.ops, first.records], [11, 1]);
  assert.match(first.digest, /^[0-9a-f]{64}$/);
  assert.deepEqual(await digestOf(dir), first);
  const { stdout } = await new CliWorld().run(`store digest --data ${dir} ${SMALL_FLAGS}`);
  assert.equal(stdout, `digest   ${first.digest}\nops      11\nrecords  1\n`);
});

test('a rebuilt state has the same digest, also where the old one is damaged or gone', async () => {
  const dir = await smallDataDir();
  const first = await digestOf(dir);
  const rebuild = `store rebuild --json --data ${dir} ${SMALL_FLAGS}`;
  const state = join(dir, 'state.db');
  for (const damage of [
    () => undefined,
    () =>
      writeFileSync(state, 'this is no database, but long enough to be taken for one'.repeat(99)),
    () => machineFiles.remove(state),
  ]) {
    damage();
    const { code, stdout, stderr } = await new CliWorld().run(rebuild);
    assert.equal(code, EXIT.done, stderr);
    assert.deepEqual(JSON.parse(stdout), first);
    assert.deepEqual(await digestOf(dir), first);
  }
});

test('a state that the journal does not give is kept', async () => {
  const dir = await smallDataDir();
  const other = await smallDataDir();
  await appendOps(other, [stampedOp({ seq: 11, key: 'm/only-here' })]);
  const richer = await digestOf(other);
  writeFileSync(join(dir, 'state.db'), readFileSync(join(other, 'state.db')));

  const { code, stderr } = await new CliWorld().run(`store rebuild --data ${dir} ${SMALL_FLAGS}`);
  assert.equal(code, EXIT.failed);
  assert.match(stderr, /gives another state \(11 ops\) than .*state\.db holds \(12 ops\)/);
  assert.deepEqual(await digestOf(dir), richer);
});

test('readings that have left the journal are in the old state alone, which stays', async () => {
  const dir = await smallDataDir();
  const hub = hubOf(dir) as Origin;
  const body = machine.random.bytes(60_000);
  const large = Array.from({ length: 30 }, (_, at) =>
    stampedOp({ hub, seq: 11 + at, key: 'm/large', body, atMs: 2_000 + at }),
  );
  for (const from of [0, 10, 20]) await appendOps(dir, large.slice(from, from + 10));
  await letGoOf(dir);
  const state = join(dir, 'state.db');
  const before = readFileSync(state);
  const rebuild = `store rebuild --data ${dir} ${SMALL_FLAGS}`;
  const { code, stderr } = await new CliWorld().run(rebuild);
  assert.equal(code, EXIT.done, stderr);
  assert.ok(statSync(state).size < before.length);
  assert.match(stderr, /Readings that have left the journal are in .*state\.db\.before alone/);
  assert.deepEqual(readFileSync(`${state}.before`), before);
  const again = await new CliWorld().run(rebuild);
  assert.equal(again.code, EXIT.failed);
  assert.match(again.stderr, /state\.db\.before, of an earlier rebuild, is still there/);
  assert.deepEqual(readFileSync(`${state}.before`), before);
});

/** Folds the journal, and releases what the snapshot has. */
async function letGoOf(dir: string): Promise<void> {
  const closers = new Closers();
  const config = configFor(dir);
  const paths = takeDataDirectory(dir, machineFiles, closers);
  const journal = closers.add(await openJournal(config, machine, paths));
  const signer = openIdentity(paths, machine);
  const { clock } = machine;
  const store = closers.add(HubStore.open({ config, machine, clock, paths, journal, signer }));
  store.follow();
  await store.digest();
  journal.release(await store.settle());
  assert.ok(journal.firstLsn > 1);
  await closers.close();
}

testWithMounts('on a full disk nothing is changed, and nothing left', async () => {
  const made = await smallDataDir();
  const disk = smallDisk(8);
  const dir = join(disk, 'data');
  cpSync(made, dir, { recursive: true });
  const first = await digestOf(dir);
  fillDisk(disk);
  const rebuild = `store rebuild --data ${dir} ${SMALL_FLAGS}`;
  assert.equal((await new CliWorld().run(rebuild)).code, EXIT.failed);
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.includes('rebuilt')),
    [],
  );
  rmSync(join(disk, 'ballast'));
  assert.deepEqual(await digestOf(dir), first);
});

test('a directory without a hub stays as it is', async () => {
  const dir = join(tempDir(), 'nothing');
  const { code, stderr } = await new CliWorld().run(`store digest --data ${dir}`);
  assert.equal(code, EXIT.failed);
  assert.match(stderr, /is not the data directory of a hub/);
  assert.equal(machineFiles.exists(dir), false);
});

test('a running hub is asked, found by what it left in its directory; rebuilding under it is refused', async () => {
  const dir = await smallDataDir();
  const first = await digestOf(dir);
  const config = configFor(dir, 'broker.port=0', 'http.port=0', 'power.sources=none');
  const hub = await openHub(config, machine);
  const io = { files: machineFiles, http: machineHttpClient };
  const asked = await new CliWorld().run(`store digest --json --data ${dir} ${SMALL_FLAGS}`, io);
  const rebuilt = await new CliWorld().run(`store rebuild --data ${dir} ${SMALL_FLAGS}`, io);
  const status = await new CliWorld().run(`status --json --data ${dir}`, io);
  await hub.close();
  assert.equal(asked.code, EXIT.done, asked.stderr);
  const { digest, records } = JSON.parse(asked.stdout) as Digest;
  assert.deepEqual([digest, records], [first.digest, first.records]);
  assert.equal(rebuilt.code, EXIT.locked);
  assert.equal((JSON.parse(status.stdout) as { hubId: string }).hubId, must(hub.id, 'an id'));
  const after = await new CliWorld().run(`status --data ${dir} --set http.port=0`, io);
  assert.equal(after.code, EXIT.unreachable);
});

test('a regional node tells the digest of each site, running or not', async () => {
  const dir = join(tempDir(), 'data');
  const config = configFor(dir, 'regional.port=0', 'regional.http_port=0');
  await (await openRegion(config, machine)).close();
  const closers = new Closers();
  const region = regionalDir(dir);
  takeDataDirectory(region, machineFiles, closers);
  openRegionIdentity(configFor(dir), region, machine);
  machineFiles.makeDir(`${region}/sites/north`);
  const path = `${region}/sites/north/state.db`;
  const store = Store.open({ path, files: machineFiles, log: SILENT_LOG, readingsDays: 1 });
  store.apply([{ lsn: 1, stamped: stampedOp({}) }], 1);
  const wanted = store.digest();
  store.close();
  await closers.close();

  const digest = `store digest --json --data ${dir} --site`;
  const still = await new CliWorld().run(`${digest} north`);
  assert.equal(still.code, EXIT.done, still.stderr);
  assert.deepEqual(JSON.parse(still.stdout), wanted);
  const alone = await new CliWorld().run(`store digest --json --data ${dir}`);
  assert.deepEqual(JSON.parse(alone.stdout), wanted, 'one site needs no name');
  machineFiles.makeDir(`${region}/sites/west`);
  const either = await new CliWorld().run(`store digest --json --data ${dir}`);
  assert.equal(either.code, EXIT.usage);
  assert.match(either.stderr, /name one of its sites by --site; it holds: north, west/);
  rmSync(`${region}/sites/west`, { recursive: true });
  const other = await new CliWorld().run(`${digest} south`);
  assert.equal(other.code, EXIT.usage);
  assert.match(other.stderr, /holds no site south; it holds: north/);
  assert.equal((await new CliWorld().run(`${digest} ../north`)).code, EXIT.usage);

  const node = await openRegion(config, machine);
  const io = { files: machineFiles, http: machineHttpClient };
  const running = await new CliWorld().run(`${digest} north`, io);
  await node.close();
  assert.equal(running.code, EXIT.done, running.stderr);
  assert.deepEqual(JSON.parse(running.stdout), wanted);
});
