/** A card that does not give back one of the files that a hub can do without: the site is served all the same. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { connectAsync } from 'mqtt';
import { test } from 'vitest';

import { systemError } from '../../src/base/errors.ts';
import { openHub } from '../../src/hub/hub.ts';
import type { Files } from '../../src/platform/files/files.ts';
import { machineFiles } from '../../src/platform/files/machine-files.ts';
import { eventually } from '../support/hubs/api.ts';
import { configFor, machine } from '../support/hubs/data-dir.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const FREE = ['broker.port=0', 'http.port=0', 'power.sources=["none"]'];
/** Nobody is there: what an uplink keeps is looked at all the same. */
const UPLINK = 'uplink.url=mqtt://127.0.0.1:1';
const SENT = 5;

const DISPENSABLE = [
  'sessions.cbor',
  'folders',
  'uplink/progress',
  'ledger/state',
  'assets/cursor',
  'power/sync-00000001.jsonl',
  'audit/audit-00000001.jsonl',
  'holes',
  'dropped',
  'uplink/summed-up',
  'uplink/forgotten',
  'state.db',
];
const FOLDERS = ['power', 'audit', 'assets/previews'];
const NEEDED = ['layout', 'hub.id', 'keys/hub.pem', 'keys/kek'];

/** What a hub leaves behind that was stopped. */
async function usedDir(): Promise<string> {
  const dir = join(tempDir(), 'data');
  const hub = await openHub(configFor(dir, ...FREE), machine);
  const client = await connectAsync(hub.addresses.mqtt ?? '', { reconnectPeriod: 0 });
  for (let i = 0; i < SENT; i++) await client.publishAsync('meters/1', `${i}`, { qos: 1 });
  await client.endAsync();
  await hub.close();
  return dir;
}

/** The file cannot be read as long as it has this name: what is made there later is another one. */
function without(bad: string): Files {
  let isThere = true;
  const files = Object.create(machineFiles) as { -readonly [K in keyof Files]: Files[K] };
  const check = (path: string): void => {
    if (isThere && path === bad) throw systemError('EIO', `read ${path}`);
  };
  files.open = (path, mode) => {
    check(path);
    return machineFiles.open(path, mode);
  };
  files.read = (path) => {
    check(path);
    return machineFiles.read(path);
  };
  files.list = (path) => {
    check(path);
    return machineFiles.list(path);
  };
  files.rename = (from, to) => {
    machineFiles.rename(from, to);
    if (from === bad) isThere = false;
  };
  return files;
}

test('a file that the hub can do without is put aside where it cannot be read, and nothing acknowledged is missing', async () => {
  const made = await usedDir();
  for (const name of DISPENSABLE) {
    const dir = join(tempDir(), 'data');
    cpSync(made, dir, { recursive: true });
    const bad = join(dir, name);
    // Some are not written yet in so short a life: what nobody can read may as well be empty.
    if (!existsSync(bad)) writeFileSync(bad, '');
    if (name === 'state.db') {
      // SQLite goes past our files: what it cannot open stands for what it cannot read.
      rmSync(bad);
      mkdirSync(bad);
    }
    const config = configFor(dir, ...FREE, UPLINK);
    const hub = await openHub(config, { ...machine, files: without(bad) });
    await eventually(
      () => Promise.resolve(hub.status.snapshot()),
      ({ store, journal }) => store.appliedLsn >= journal.durableLsn,
    );
    assert.ok(existsSync(`${bad}.damaged`), name);
    assert.ok(hub.status.snapshot().journal.lastLsn >= SENT, name);
    await hub.close();
  }
});

test('so is a folder of logs or previews that cannot be listed, also the second time', async () => {
  const dir = await usedDir();
  for (const name of [...FOLDERS, ...FOLDERS]) {
    const bad = join(dir, name);
    writeFileSync(join(bad, 'mark'), '');
    const hub = await openHub(configFor(dir, ...FREE), { ...machine, files: without(bad) });
    await hub.close();
    assert.ok(existsSync(join(`${bad}.damaged`, 'mark')), name);
    assert.ok(existsSync(bad), name);
  }
});

test('keys and ids are a matter for a person: the start fails, and nothing is moved', async () => {
  const made = await usedDir();
  for (const name of NEEDED) {
    const bad = join(made, name);
    const files = without(bad);
    await assert.rejects(openHub(configFor(made, ...FREE), { ...machine, files }), /EIO/, name);
    assert.ok(existsSync(bad), name);
  }
});
