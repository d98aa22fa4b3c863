/** Whose data directory it is: a hub whose key is lost, or is another hub's, does not start as a stranger. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { openHub } from '../../../../src/hub/hub.ts';
import { configFor, hubOf, machine, smallDataDir } from '../../../support/hubs/data-dir.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const FREE = ['broker.port=0', 'http.port=0', 'power.sources=["none"]'];
let dir: string;

async function start(): Promise<string> {
  const hub = await openHub(configFor(dir, ...FREE), machine);
  await hub.close();
  return hub.id;
}

/** Name and hash of every file. */
function contents(): Map<string, string> {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).toSorted();
  const files = names.filter((name) => statSync(join(dir, name)).isFile());
  const hashOf = (name: string): string =>
    createHash('sha256')
      .update(readFileSync(join(dir, name)))
      .digest('hex');
  return new Map(files.map((name) => [name, hashOf(name)]));
}

async function refused(): Promise<string> {
  const before = contents();
  const error = await start().then(
    (id) => assert.fail(`started as ${id}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HubError, String(error));
  assert.deepEqual(contents(), before, 'a start that fails leaves the folder as it was');
  return `${error.code} ${error.message}`;
}

describe('a data directory of a hub', () => {
  beforeEach(async () => {
    dir = await smallDataDir();
    await start();
  });

  test('goes on under its key, and says whose it is', async () => {
    assert.equal(readFileSync(join(dir, 'hub.id'), 'utf8'), `${hubOf(dir)}\n`);
    assert.equal(await start(), hubOf(dir));
  });

  test('does not start without its key', async () => {
    const id = hubOf(dir);
    rmSync(join(dir, 'keys/hub.pem'));
    assert.match(await refused(), new RegExp(`^keys.lost .*hub\\.pem is not there.* ${id}`));
  });

  test.each(['hub.id', 'hub.id state.db state.snapshot', 'journal hub.id', 'journal state.db'])(
    'does not start without its key where %s is lost as well',
    async (names) => {
      for (const name of ['keys/hub.pem', ...names.split(' ')]) {
        rmSync(join(dir, name), { recursive: true, force: true });
      }
      assert.match(await refused(), /^keys\.lost /);
    },
  );

  test('does not start without any key', async () => {
    rmSync(join(dir, 'keys'), { recursive: true });
    assert.match(await refused(), /^keys\.lost /);
  });

  test.each(['kek', 'epochs', 'kek epochs'])('does not start without keys/%s', async (names) => {
    for (const name of names.split(' ')) rmSync(join(dir, 'keys', name), { recursive: true });
    assert.match(await refused(), /^journal\.unsealable /);
  });

  test('does not start under the key of another hub', async () => {
    const id = hubOf(dir);
    const other = await smallDataDir();
    cpSync(join(other, 'keys/hub.pem'), join(dir, 'keys/hub.pem'));
    const told = await refused();
    assert.match(told, new RegExp(`^keys\\.foreign .* ${hubOf(other)}, .* ${id}$`));
  });

  test('of a version that did not say whose it is starts, and says it from now on', async () => {
    rmSync(join(dir, 'hub.id'));
    await start();
    assert.equal(readFileSync(join(dir, 'hub.id'), 'utf8'), `${hubOf(dir)}\n`);
  });
});

test('a folder in which no hub has run may hold users and an authority already', async () => {
  dir = join(tempDir(), 'data');
  for (const name of ['enrol', 'journal']) mkdirSync(join(dir, name), { recursive: true });
  assert.equal(await start(), hubOf(dir));
});
