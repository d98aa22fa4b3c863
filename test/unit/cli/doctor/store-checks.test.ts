/** `heliograph doctor` on state databases: what it tells of them, and that its repairs lose none. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'vitest';

import { SILENT_LOG } from '../../../../src/base/log.ts';
import { EXIT } from '../../../../src/cli/io.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { SqliteFile } from '../../../../src/store/database/sqlite.ts';
import { Store } from '../../../../src/store/store.ts';
import { STORE_SCHEMA } from '../../../../src/versions.ts';
import { smallDataDir } from '../../../support/hubs/data-dir.ts';
import { CliWorld } from '../../../support/simulated/cli.ts';
import { diagnose, wrongIn } from '../../../support/simulated/doctor.ts';

const world = new CliWorld();
let dir: string;

beforeEach(async () => {
  dir = await smallDataDir();
});

function setSchema(path: string, version: number): void {
  const file = SqliteFile.open({ path, files: machineFiles, durability: 'replayable' });
  file.exec(`PRAGMA user_version = ${version}`);
  file.close();
}

test('a damaged state database is put aside, because the journal has it all', async () => {
  writeFileSync(
    join(dir, 'state.db'),
    'this is no database at all, and long enough to be read as one',
  );
  const before = await diagnose(world, dir);
  assert.deepEqual(wrongIn(before), ['store']);
  assert.equal(before.checks.find(({ name }) => name === 'store')?.fixable, true);
  const after = await diagnose(world, dir, '--fix');
  assert.match(after.fixed.join(), /put .*state\.db aside as .*state\.db\.damaged;/);
  assert.deepEqual([after.code, wrongIn(after)], [EXIT.done, []]);
  assert.ok((await diagnose(world, dir)).checks.some(({ name }) => name === 'put aside'));
});

test('it goes as well where the snapshot is damaged, too, and nothing has left the journal', async () => {
  for (const name of ['state.db', 'state.snapshot'])
    writeFileSync(join(dir, name), 'neither a database nor a snapshot, and long enough');
  const { checks } = await diagnose(world, dir);
  assert.equal(checks.find(({ name }) => name === 'store')?.fixable, true);
});

test('it stays where the journal is gone: nothing else has what is in it', async () => {
  rmSync(join(dir, 'journal'), { recursive: true });
  writeFileSync(join(dir, 'state.db'), 'no database, and long enough to be read as one');
  const { checks, fixed } = await diagnose(world, dir, '--fix');
  assert.deepEqual(fixed, []);
  assert.ok(existsSync(join(dir, 'state.db')));
  const found = checks.find(({ name }) => name === 'store')?.found;
  assert.equal(found, 'no journal can be read that it could be compared with');
});

test('a state database of another journal is told as that', async () => {
  const path = join(dir, 'state.db');
  const store = Store.open({ path, files: machineFiles, log: SILENT_LOG, readingsDays: 1 });
  store.apply([], 13);
  store.close();
  const { checks, code } = await diagnose(world, dir);
  const check = checks.find(({ name }) => name === 'store');
  assert.deepEqual(
    [check?.verdict, check?.found, code],
    ['note', 'is of another journal: LSN 13 of 12', EXIT.done],
  );
});

test('a state database of a newer version is put aside, because its readings may be nowhere else', async () => {
  const state = join(dir, 'state.db');
  setSchema(state, STORE_SCHEMA + 1);
  const before = await diagnose(world, dir);
  assert.deepEqual(wrongIn(before), ['store']);
  const after = await diagnose(world, dir, '--fix');
  assert.match(after.fixed.join(), /put .*state\.db aside as .*state\.db\.newer;/);
  assert.deepEqual([after.code, wrongIn(after)], [EXIT.done, []]);
  assert.ok(existsSync(`${state}.newer`));
});

test('a second one of a newer version does not take the place of the first', async () => {
  const state = join(dir, 'state.db');
  writeFileSync(`${state}.newer`, 'readings of last year');
  setSchema(state, STORE_SCHEMA + 1);
  const { checks, fixed } = await diagnose(world, dir, '--fix');
  assert.deepEqual(fixed, []);
  assert.equal(checks.find(({ name }) => name === 'store')?.verdict, 'wrong');
  assert.equal(readFileSync(`${state}.newer`, 'utf8'), 'readings of last year');
});

test('every state database that was put aside is told', async () => {
  for (const why of ['damaged', 'before', 'newer'])
    writeFileSync(join(dir, `state.db.${why}`), 'old');
  const { checks, code } = await diagnose(world, dir);
  const told = checks.filter(({ name }) => name === 'put aside');
  assert.deepEqual(
    told.map(({ found }) => found.slice(found.indexOf('state.db'))),
    [
      'state.db.damaged, a state database that was damaged',
      'state.db.before, a state database from before `store rebuild`',
      'state.db.newer, a state database of a newer version',
    ],
  );
  assert.equal(code, EXIT.done);
});
