/** `store digest` and `store rebuild` on real files, with and without a hub that runs on them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { must } from '../../../src/base/assert.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { EXIT } from '../../../src/cli/io.ts';
import { Closers } from '../../../src/closers.ts';
import { loadConfig } from '../../../src/config.ts';
import type { Config } from '../../../src/config-schema.ts';
import { takeDataDirectory } from '../../../src/hub-data.ts';
import { openHub } from '../../../src/hub.ts';
import { openJournal } from '../../../src/hub-journal.ts';
import { thisMachine } from '../../../src/machine.ts';
import { encodeOpEntry } from '../../../src/model/entry.ts';
import { machineHttpClient } from '../../../src/platform/http-client.ts';
import { machineFiles } from '../../../src/platform/machine-files.ts';
import { CliWorld } from '../../support/cli.ts';
import { patchOp, stampedOp } from '../../support/ops.ts';
import { tempDir } from '../../support/temp-dir.ts';

const SMALL = 'journal.segment_mib=1 journal.total_mib_max=8 journal.free_mib_min=0'.split(' ');
const FLAGS = SMALL.map((set) => `--set ${set}`).join(' ');
const machine = thisMachine({}, SILENT_LOG);

interface Digest {
  readonly digest: string;
  readonly ops: number;
  readonly records: number;
}

function configFor(dir: string, ...sets: string[]): Config {
  const outcome = loadConfig({ sets: [...SMALL, `data=${dir}`, ...sets] });
  assert.equal(outcome.kind, 'ok');
  return outcome.config;
}

/** A data directory whose journal holds ten readings and a record. */
async function dataDir(): Promise<string> {
  const dir = join(tempDir(), 'data');
  const closers = new Closers();
  const paths = takeDataDirectory(dir, machineFiles, closers);
  const journal = closers.add(await openJournal(configFor(dir), machine, paths));
  const ops = Array.from({ length: 10 }, (_, index) =>
    stampedOp({ seq: index + 1, key: `m/${index}` }),
  );
  ops.push(patchOp({ name: 'pump 2' }));
  for (const { bytes, stamp } of ops) journal.append(encodeOpEntry(bytes, stamp), 0);
  await journal.whenDurable(journal.lastLsn);
  await closers.close();
  return dir;
}

async function digestOf(dir: string): Promise<Digest> {
  const { code, stdout, stderr } = await new CliWorld().run(
    `store digest --json --data ${dir} ${FLAGS}`,
  );
  assert.equal(code, EXIT.done, stderr);
  return JSON.parse(stdout) as Digest;
}

test('the digest names what the journal holds, and stays the same however often it is asked', async () => {
  const dir = await dataDir();
  const first = await digestOf(dir);
  assert.deepEqual([first.ops, first.records], [11, 1]);
  assert.match(first.digest, /^[0-9a-f]{64}$/);
  assert.deepEqual(await digestOf(dir), first);
  const { stdout } = await new CliWorld().run(`store digest --data ${dir} ${FLAGS}`);
  assert.equal(stdout, `digest   ${first.digest}\nops      11\nrecords  1\n`);
});

test('a rebuilt state has the same digest, also where the old one is damaged or gone', async () => {
  const dir = await dataDir();
  const first = await digestOf(dir);
  const rebuild = `store rebuild --json --data ${dir} ${FLAGS}`;
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
  const dir = await dataDir();
  const other = await dataDir();
  const closers = new Closers();
  const paths = takeDataDirectory(other, machineFiles, closers);
  const journal = closers.add(await openJournal(configFor(other), machine, paths));
  const { bytes, stamp } = stampedOp({ seq: 11, key: 'm/only-here' });
  await journal.whenDurable(journal.append(encodeOpEntry(bytes, stamp), 0));
  await closers.close();
  const richer = await digestOf(other);
  writeFileSync(join(dir, 'state.db'), readFileSync(join(other, 'state.db')));

  const { code, stderr } = await new CliWorld().run(`store rebuild --data ${dir} ${FLAGS}`);
  assert.equal(code, EXIT.failed);
  assert.match(stderr, /gives another state \(11 ops\) than .*state\.db holds \(12 ops\)/);
  assert.deepEqual(await digestOf(dir), richer);
});

test('a directory without a hub stays as it is', async () => {
  const dir = join(tempDir(), 'nothing');
  const { code, stderr } = await new CliWorld().run(`store digest --data ${dir}`);
  assert.equal(code, EXIT.failed);
  assert.match(stderr, /is not the data directory of a hub/);
  assert.equal(machineFiles.exists(dir), false);
});

test('a running hub is asked, found by what it left in its directory; rebuilding under it is refused', async () => {
  const dir = await dataDir();
  const first = await digestOf(dir);
  const config = configFor(dir, 'broker.port=0', 'http.port=0', 'power.sources=none');
  const hub = await openHub(config, machine);
  const io = { files: machineFiles, http: machineHttpClient };
  const asked = await new CliWorld().run(`store digest --json --data ${dir} ${FLAGS}`, io);
  const rebuilt = await new CliWorld().run(`store rebuild --data ${dir} ${FLAGS}`, io);
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
