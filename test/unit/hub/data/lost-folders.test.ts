/** A hub that has lost a folder, or got an old one back, does not go on as if it had never had it. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { beforeEach, describe, onTestFinished, test } from 'vitest';

import { EXIT } from '../../../../src/cli/io.ts';
import { type Hub, openHub } from '../../../../src/hub/hub.ts';
import type { Files } from '../../../../src/platform/files/files.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { eventually } from '../../../support/hubs/api.ts';
import { publishTo } from '../../../support/hubs/mqtt-client.ts';
import { configFor, hubOf, machine, SMALL_FLAGS } from '../../../support/hubs/data-dir.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { CliWorld } from '../../../support/simulated/cli.ts';

const FREE = ['broker.port=0', 'http.port=0', 'power.sources=["none"]'];
let dir: string;

function open(...sets: string[]): Promise<Hub> {
  return openHub(configFor(dir, ...FREE, ...sets), machine);
}

/** A run of the hub in which so many readings are published and folded; returns its id. */
async function run(readings: number, ...sets: string[]): Promise<string> {
  const hub = await open(...sets);
  await publish(hub, readings);
  await hub.close();
  return hub.id;
}

/** Until they are folded. */
async function publish(hub: Hub, readings: number): Promise<void> {
  const client = await connectAsync(hub.addresses.mqtt ?? '', { reconnectPeriod: 0 });
  for (let count = 0; count < readings; count++) {
    await client.publishAsync('meters/1', `${count}`, { qos: 1 });
  }
  await client.endAsync();
  await eventually(
    () => Promise.resolve(hub.status.snapshot()),
    ({ store, journal }) => store.appliedLsn >= journal.durableLsn,
  );
}

function cli(command: string): Promise<{ code: number; stdout: string; stderr: string }> {
  return new CliWorld().run(`${command} --data ${dir} ${SMALL_FLAGS}`, { files: machineFiles });
}

/** Numbers of a hub's readings in the journal. */
async function numbersOf(origin: string): Promise<number[]> {
  const { stdout } = await cli('journal dump --json');
  const entries = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { origin?: string; class?: string; seq?: number });
  return entries
    .filter((entry) => entry.origin === origin && entry.class === 'telemetry')
    .map(({ seq }) => seq ?? 0);
}

describe('the journal of a hub', () => {
  let id: string;

  beforeEach(async () => {
    dir = join(tempDir(), 'data');
    id = await run(5);
  });

  test.each([
    'journal',
    'journal state.db state.snapshot',
    'journal state.db state.snapshot ledger uplink sessions.cbor keys/epochs',
  ])('is lost with %s: no hub starts, and nothing begins a new one', async (names) => {
    for (const name of names.split(' ')) rmSync(join(dir, name), { recursive: true, force: true });
    for (let start = 0; start < 2; start++) await assert.rejects(open(), { code: 'journal.lost' });
    assert.notEqual((await cli('store digest')).code, EXIT.done);
    await assert.rejects(open(), { code: 'journal.lost' });
    assert.ok(!existsSync(join(dir, 'journal')), 'nothing was made in its place');
    const told = await cli('doctor --json');
    const { sync } = JSON.parse(told.stdout) as { sync: { state: string } };
    assert.deepEqual([told.code, sync.state], [EXIT.failed, 'journal lost']);
  });

  test('is back: the hub goes on', async () => {
    renameSync(join(dir, 'journal'), join(dir, 'away'));
    await assert.rejects(open(), { code: 'journal.lost' });
    renameSync(join(dir, 'away'), join(dir, 'journal'));
    assert.equal(await run(1), id);
    assert.deepEqual(await numbersOf(id), [1, 2, 3, 4, 5, 6]);
  });

  test('ends before the state: the hub goes on as a new one by itself, and says so until somebody has seen it', async () => {
    const restored = ['journal', 'keys/epochs'];
    const backup = tempDir();
    for (const name of restored) cpSync(join(dir, name), join(backup, name), { recursive: true });
    await run(5);
    for (const name of restored) {
      rmSync(join(dir, name), { recursive: true });
      renameSync(join(backup, name), join(dir, name));
    }
    const before = await cli('doctor --json');
    assert.match(before.stdout, /"state":"journal cut"/);
    const other = await run(2);
    assert.notEqual(other, id);
    const hub = await open();
    const { sync, faults } = hub.status.snapshot();
    assert.equal(sync.state, 'journal cut');
    assert.match(
      faults.find(({ code }) => code === 'journal.cut')?.message ?? '',
      new RegExp(`hub ${id} .* LSN \\d+, .* LSN \\d+`),
    );
    rmSync(join(dir, 'cut'));
    assert.notEqual(hub.status.snapshot().sync.state, 'journal cut');
    await hub.close();
    assert.equal(await run(0), other, 'it is this hub from now on');
    assert.deepEqual(
      [await numbersOf(id), await numbersOf(other)],
      [
        [1, 2, 3, 4, 5],
        [1, 2],
      ],
    );
  });

  test('is lost for good: a new hub keeps the state, and gives no number twice', async () => {
    rmSync(join(dir, 'journal'), { recursive: true });
    const { stdout, stderr, code } = await cli('identity new');
    assert.equal(code, EXIT.done, stderr);
    assert.match(stderr, /without its journal/);
    const other = await run(2);
    assert.deepEqual([`${other}\n`, other === id], [stdout, false]);
    assert.deepEqual([await numbersOf(id), await numbersOf(other)], [[], [1, 2]]);
    const hub = await open();
    const kept = hub.status.snapshot();
    await hub.close();
    assert.equal(kept.journal.firstLsn, 1);
    const { stdout: digest } = await cli('store digest --json');
    assert.ok((JSON.parse(digest) as { ops: number }).ops >= 7, digest);
    assert.notEqual((await cli('identity new')).code, EXIT.done, 'nothing is lost any more');
    rmSync(join(dir, 'journal'), { recursive: true });
    await assert.rejects(open(), { code: 'journal.lost' });
  });

  test('is that of an old image, with all else: another hub knows what it has done since, and it says so', async () => {
    const image = join(tempDir(), 'image');
    cpSync(dir, image, { recursive: true });
    const peers = ['peer.enabled=true', 'peer.discover=off'];
    const other = await openHub(configFor(join(tempDir(), 'other'), ...FREE, ...peers), machine);
    onTestFinished(() => other.close());
    const dialling = [...peers, `peer.addresses=["${other.addresses.mqtt}"]`];
    const hub = await open(...dialling);
    await publish(hub, 5);
    const statusOf = (of: Hub) => () => Promise.resolve(of.status.snapshot());
    await eventually(statusOf(other), ({ peers: [peer] }) => (peer?.opsTaken ?? 0) >= 10);
    await hub.close();
    rmSync(dir, { recursive: true });
    cpSync(image, dir, { recursive: true });
    const restored = await open(...dialling);
    onTestFinished(() => restored.close());
    const { faults } = await eventually(
      statusOf(restored),
      ({ sync }) => sync.state === 'identity clash',
    );
    assert.match(faults.map(({ message }) => message).join(), /restored from an old copy/);
  });

  test('is lost for good, and the clock with it: what a new hub takes is later than what it keeps', async () => {
    const sinceMs = Date.now() - 60_000;
    rmSync(join(dir, 'journal'), { recursive: true });
    assert.equal((await cli('identity new')).code, EXIT.done);
    const in1970 = {
      wallMs: () => 1_000,
      monotonicMs: () => 1_000,
      quality: () => 'unknown' as const,
    };
    const hub = await openHub(configFor(dir, ...FREE), { ...machine, clock: in1970 });
    await publishTo(hub.addresses.mqtt ?? '', 'meters/1', 'new');
    await hub.close();
    const { stdout } = await cli('journal dump --json');
    const [reading] = stdout
      .split('\n')
      .filter((line) => line.includes('"meters/1"'))
      .map((line) => JSON.parse(line) as { at: string });
    assert.ok(Date.parse(reading?.at ?? '') > sinceMs, stdout);
  });

  test.each(['keys/hub.pem', 'keys/hub.pem hub.id', 'keys', 'keys hub.id'])(
    'is not here, and nothing else of the hub but %s: no hub starts',
    async (names) => {
      const whole = dir;
      dir = join(tempDir(), 'data');
      mkdirSync(join(dir, 'keys'), { recursive: true });
      for (const name of names.split(' '))
        cpSync(join(whole, name), join(dir, name), { recursive: true });
      for (let start = 0; start < 2; start++) {
        await assert.rejects(open(), { code: 'journal.lost', message: /hub\.pem is here/ });
      }
      const told = await cli('doctor --json');
      assert.match(told.stdout, /"state":"journal lost"/);
      assert.equal((await cli('identity new')).code, EXIT.done);
      assert.notEqual(await run(1), id);
    },
  );

  test('of a first start that died between key and note is nobody’s: the next one goes on with the key', async () => {
    dir = join(tempDir(), 'data');
    const files: Files = {
      ...machineFiles,
      replace: (path, bytes) => {
        if (path.endsWith('/hub.id') && bytes.length > 1) throw new Error('it dies');
        machineFiles.replace(path, bytes);
      },
    };
    await assert.rejects(openHub(configFor(dir, ...FREE), { ...machine, files }), /it dies/);
    assert.equal(await run(1), hubOf(dir));
  });

  test('of a version that did not note it is noted from now on', async () => {
    rmSync(join(dir, 'folders'));
    assert.equal(await run(1), hubOf(dir));
    assert.equal(readFileSync(join(dir, 'folders'), 'utf8'), 'journal\n');
  });
});

describe('the enrolment of a hub', () => {
  const ENROLLED = ['security.mode="enrolled"'];

  beforeEach(async () => {
    dir = join(tempDir(), 'data');
    const hub = await open(...ENROLLED);
    await hub.close();
  });

  test('is lost: it does not become the authority of another site by itself', async () => {
    renameSync(join(dir, 'enrol'), join(dir, 'away'));
    await assert.rejects(open(...ENROLLED), { code: 'enrol.lost' });
    const refused = await cli('enrol device meter-1 --password');
    assert.match(refused.stderr, /enrol\.lost/);
    assert.ok(!existsSync(join(dir, 'enrol')), 'nothing was made in its place');
    renameSync(join(dir, 'away'), join(dir, 'enrol'));
    await (await open(...ENROLLED)).close();
  });

  test('is lost for good: a person begins a new site', async () => {
    rmSync(join(dir, 'enrol'), { recursive: true });
    const made = await cli('enrol device meter-1 --password --new-site');
    assert.equal(made.code, EXIT.done, made.stderr);
    await (await open(...ENROLLED)).close();
  });

  test('without the key of the authority it can take in nobody', async () => {
    rmSync(join(dir, 'enrol/authority.pem'));
    const refused = await cli('enrol device meter-1 --password');
    assert.match(refused.stderr, /enrol\.no-authority/);
    assert.ok(!existsSync(join(dir, 'enrol/authority.pem')), 'no other key in its place');
  });
});
