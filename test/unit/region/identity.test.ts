/** Whose the data of a regional node are: one whose key is lost, or is another one's, does not take a new one in silence. */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'vitest';

import { EXIT } from '../../../src/cli/io.ts';
import { openRegion } from '../../../src/region/region.ts';
import { configFor, machine } from '../../support/hubs/data-dir.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { CliWorld } from '../../support/simulated/cli.ts';

const FREE = ['regional.port=0', 'regional.http_port=0'];
let data: string;
let id: string;

async function start(dir = data): Promise<string> {
  const region = await openRegion(configFor(dir, ...FREE), machine);
  await region.close();
  return region.id;
}

function inData(name: string): string {
  return join(data, 'regional', name);
}

/** A site has been met there. */
function haveSite(): void {
  machineFiles.makeDir(inData('sites/north'));
}

async function refused(code: string): Promise<void> {
  const pem = inData('keys/region.pem');
  const before = existsSync(pem) ? readFileSync(pem, 'utf8') : undefined;
  await assert.rejects(start(), { code });
  const after = existsSync(pem) ? readFileSync(pem, 'utf8') : undefined;
  assert.equal(after, before, 'a start that fails writes no key');
}

beforeEach(async () => {
  data = tempDir();
  id = await start();
});

test('goes on under its key, and says whose the data are', async () => {
  assert.equal(readFileSync(inData('region.id'), 'utf8'), `${id}\n`);
  assert.equal(await start(), id);
});

test('does not start without its key, also where only the sites say that it had one', async () => {
  rmSync(inData('keys'), { recursive: true });
  await refused('region.key-lost');
  haveSite();
  rmSync(inData('region.id'));
  await refused('region.key-lost');
});

test('does not start under the key of another region', async () => {
  const other = tempDir();
  await start(other);
  cpSync(join(other, 'regional/keys/region.pem'), inData('keys/region.pem'));
  await refused('region.key-foreign');
});

test('of a version that did not say whose they are starts, and says it from now on', async () => {
  haveSite();
  rmSync(inData('region.id'));
  assert.equal(await start(), id);
  assert.equal(readFileSync(inData('region.id'), 'utf8'), `${id}\n`);
});

test('a person begins with a new key, over the same data', async () => {
  haveSite();
  rmSync(inData('keys'), { recursive: true });
  const argv = `identity new --regional --data ${data}`;
  const made = await new CliWorld().run(argv, { files: machineFiles });
  assert.equal(made.code, EXIT.done, made.stderr);
  assert.match(made.stderr, new RegExp(`keeps the data of region ${id}.*region\\.pub`, 's'));
  assert.equal(`${await start()}\n`, made.stdout);
  assert.ok(existsSync(inData('sites/north')));
  const again = await new CliWorld().run(argv, { files: machineFiles });
  assert.equal(again.code, EXIT.usage);
});

test('whose disk is not mounted waits for it, and begins no other in the empty folder', async () => {
  const note = join(tempDir(), 'region');
  const noted = async (): Promise<string> => {
    const region = await openRegion(configFor(data, ...FREE, `data_note=${note}`), machine);
    await region.close();
    return region.id;
  };
  assert.equal(await noted(), id);
  assert.equal(readFileSync(note, 'utf8'), `${id} ${data}/regional\n`);
  renameSync(data, `${data}.disk`);
  mkdirSync(data);
  const away = {
    code: 'data.away',
    message: new RegExp(`no data of a region.*names region ${id}`),
  };
  await assert.rejects(noted(), away);
  const argv = `identity new --regional --data ${data} --set data_note=${note}`;
  const made = await new CliWorld().run(argv, { files: machineFiles });
  assert.deepEqual([made.code, made.stdout], [EXIT.failed, '']);
  assert.match(made.stderr, /not the data directory of a region/);
  assert.deepEqual(readdirSync(data), [], 'nothing is written there');
  rmSync(data, { recursive: true });
  renameSync(`${data}.disk`, data);
  assert.equal(await noted(), id);
  haveSite();
  rmSync(inData('keys'), { recursive: true });
  const anew = await new CliWorld().run(argv, { files: machineFiles });
  assert.equal(anew.code, EXIT.done, anew.stderr);
  assert.equal(`${await noted()}\n`, anew.stdout, 'a new key is noted in its place');
});
