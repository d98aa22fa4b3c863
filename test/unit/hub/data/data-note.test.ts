/** A hub whose data directory is not where it was: it waits for its disk, and nothing new begins in its place. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'vitest';

import { systemError } from '../../../../src/base/errors.ts';
import { EXIT } from '../../../../src/cli/io.ts';
import { openHub } from '../../../../src/hub/hub.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { openRegion } from '../../../../src/region/region.ts';
import { configFor, machine, SMALL_FLAGS } from '../../../support/hubs/data-dir.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { CliWorld } from '../../../support/simulated/cli.ts';

const FREE = ['broker.port=0', 'http.port=0', 'power.sources=["none"]'];
let dir: string;
let note: string;
let id: string;

/** A life of the hub, as short as can be; returns its id. */
async function live(dataNote = note): Promise<string> {
  const hub = await openHub(configFor(dir, ...FREE, `data_note=${dataNote}`), machine);
  await hub.close();
  return hub.id;
}

function unmount(): void {
  renameSync(dir, `${dir}.disk`);
  mkdirSync(dir);
}

function mount(): void {
  rmSync(dir, { recursive: true });
  renameSync(`${dir}.disk`, dir);
}

function cli(command: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const flags = `--data ${dir} --set data_note=${note} ${SMALL_FLAGS}`;
  return new CliWorld().run(`${command} ${flags}`, { files: machineFiles });
}

beforeEach(async () => {
  dir = join(tempDir(), 'data');
  note = join(tempDir(), 'hub');
  id = await live();
});

test('the hub notes itself, and waits before an empty folder without a trace', async () => {
  assert.equal(readFileSync(note, 'utf8'), `${id} ${dir}\n`);
  unmount();
  for (let start = 0; start < 2; start++) {
    await assert.rejects(live(), { code: 'data.away', message: new RegExp(`names hub ${id}`) });
  }
  assert.deepEqual(readdirSync(dir), []);
  mount();
  assert.equal(await live(), id);
});

test('a line that the card has damaged does not take the others with it', async () => {
  writeFileSync(note, Buffer.concat([Buffer.from([0xff, 0x0a]), readFileSync(note)]));
  unmount();
  await assert.rejects(live(), { code: 'data.away', message: new RegExp(`names hub ${id}`) });
});

test('what a hub left in the folder below, when its disk went, is not its data', async () => {
  unmount();
  writeFileSync(join(dir, 'spare'), '');
  writeFileSync(join(dir, 'sessions.cbor'), '');
  await assert.rejects(live(), { code: 'data.away' });
});

test('a first start that broke off in the folder below does not go on', async () => {
  unmount();
  writeFileSync(join(dir, 'layout'), '1\n');
  writeFileSync(join(dir, 'hub.id'), '\n');
  await assert.rejects(live(), { code: 'data.away' });
});

test('a hub that began in the folder below is not taken for the one that is noted', async () => {
  unmount();
  const other = await live('');
  assert.notEqual(other, id);
  await assert.rejects(live(), { code: 'data.away', message: new RegExp(`data of hub ${other};`) });
  assert.equal(readFileSync(note, 'utf8'), `${id} ${dir}\n`);
});

test('with the note removed, as its hint says, a new hub begins and is noted', async () => {
  unmount();
  rmSync(note);
  const other = await live();
  assert.equal(readFileSync(note, 'utf8'), `${other} ${dir}\n`);
});

test('the same data under a new identity are its own', async () => {
  rmSync(join(dir, 'keys/hub.pem'));
  assert.equal((await cli('identity new')).code, EXIT.done);
  const other = await live();
  assert.notEqual(other, id);
  assert.equal(readFileSync(note, 'utf8'), `${other} ${dir}\n`);
});

test('a hub in another folder is another matter, and noted beside it', async () => {
  const home = dir;
  dir = `${join(tempDir(), 'other')}/`;
  const other = await live();
  assert.equal(await live(), other);
  const second = `${other} ${dir.slice(0, -1)}\n`;
  assert.equal(readFileSync(note, 'utf8'), `${id} ${home}\n${second}`);
  rmSync(dir, { recursive: true });
  dir = `${home}-2`;
  const third = await live();
  const noted = readFileSync(note, 'utf8');
  assert.equal(noted, `${id} ${home}\n${third} ${dir}\n`, 'a folder that is gone is forgotten');
  dir = home;
  unmount();
  await assert.rejects(live(), { code: 'data.away' });
});

test('nobody is added to the folder below', async () => {
  unmount();
  for (const command of ['user add meter-1', 'enrol device meter-1 --password']) {
    const refused = await cli(command);
    assert.deepEqual([refused.code, refused.stdout], [EXIT.failed, ''], command);
    assert.match(refused.stderr, /data\.away/);
  }
  assert.deepEqual(readdirSync(dir), []);
});

test('a note that cannot be written stops no hub', async () => {
  assert.equal(await live(join(note, '../no-folder/hub')), id);
});

test('doctor says where the hub is not, and mends nothing', async () => {
  unmount();
  const { code, stdout } = await cli('doctor --json --fix');
  assert.equal(code, EXIT.failed);
  assert.match(stdout, /data\.away|no data of a hub; .* names hub/);
  assert.match(stdout, /nothing: these are not the data of the hub/);
  assert.deepEqual(readdirSync(dir), []);
});

test('a disk that was pulled answers with errors: that is said, and with the disk the hub goes on', async () => {
  const gone = (path: string): never => {
    throw systemError('EIO', `open ${path}`);
  };
  const files = { ...machineFiles, read: gone, list: gone, lockDir: gone };
  const pulled = openHub(configFor(dir, ...FREE, `data_note=${note}`), { ...machine, files });
  await assert.rejects(pulled, { code: 'data.failing', message: new RegExp(`disk of ${dir}`) });
  const region = openRegion(configFor(dir, 'regional.port=0', 'regional.http_port=0'), {
    ...machine,
    files,
  });
  await assert.rejects(region, { code: 'data.failing' });
  assert.equal(await live(), id);
});
