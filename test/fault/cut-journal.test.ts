/** A hub that goes on as a new one, because its card has lost the end of its journal, and loses its power in the midst of that. */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';

import { connectAsync } from 'mqtt';
import { test } from 'vitest';

import { HubError } from '../../src/base/errors.ts';
import { openHub } from '../../src/hub/hub.ts';
import { goOnAsNew } from '../../src/hub/storage/cut-journal.ts';
import type { Files } from '../../src/platform/files/files.ts';
import { machineFiles } from '../../src/platform/files/machine-files.ts';
import { eventually } from '../support/hubs/api.ts';
import { configFor, hubOf, machine, SMALL_FLAGS } from '../support/hubs/data-dir.ts';
import { tempDir } from '../support/machine/temp-dir.ts';
import { CliWorld } from '../support/simulated/cli.ts';

interface Told {
  readonly sync: { readonly state: string; readonly also: readonly string[] };
  readonly checks: readonly { readonly name: string; readonly verdict: string }[];
}

const FREE = ['broker.port=0', 'http.port=0', 'power.sources=["none"]'];
const CHANGES = new Set<string | symbol>(['replace', 'rename', 'remove', 'syncDir', 'createNew']);

/** A data directory whose journal ends before its state. */
async function cutDir(): Promise<string> {
  const dir = join(tempDir(), 'data');
  const backup = tempDir();
  for (const isBackedUp of [true, false]) {
    const hub = await openHub(configFor(dir, ...FREE), machine);
    const client = await connectAsync(hub.addresses.mqtt ?? '', { reconnectPeriod: 0 });
    for (let i = 0; i < 5; i++) await client.publishAsync('meters/1', `${i}`, { qos: 1 });
    await client.endAsync();
    await eventually(
      () => Promise.resolve(hub.status.snapshot()),
      ({ store, journal }) => store.appliedLsn >= journal.durableLsn,
    );
    await hub.close();
    for (const name of ['journal', 'keys/epochs']) {
      if (isBackedUp) cpSync(join(dir, name), join(backup, name), { recursive: true });
      else {
        rmSync(join(dir, name), { recursive: true });
        renameSync(join(backup, name), join(dir, name));
      }
    }
  }
  return dir;
}

/** The power goes at the change of this number. */
function cutAt(change: number): Files {
  let changes = 0;
  return new Proxy(machineFiles, {
    get: (files, name: keyof Files) => {
      const call = files[name] as (...args: unknown[]) => unknown;
      if (!CHANGES.has(name)) return call.bind(files);
      return (...args: unknown[]): unknown => {
        changes += 1;
        if (changes >= change) throw new Error('no power');
        return call.apply(files, args);
      };
    },
  });
}

test('a power cut at any moment of it needs nobody: the next start brings it to its end', async () => {
  const made = await cutDir();
  const old = hubOf(made);
  let change = 0;
  for (let isOver = false; !isOver;) {
    change += 1;
    const dir = join(tempDir(), 'data');
    cpSync(made, dir, { recursive: true });
    const cut = new HubError('journal.cut', 'it ends too early');
    const dying = { ...machine, files: cutAt(change) };
    await goOnAsNew(dir, dying, cut).catch((error: unknown) =>
      assert.match(String(error), /no power/),
    );
    const told = await new CliWorld().run(`doctor --json --data ${dir} ${SMALL_FLAGS}`, {
      files: machineFiles,
    });
    const { sync, checks } = JSON.parse(told.stdout) as Told;
    assert.deepEqual([sync.state, sync.also], ['journal cut', []], `change ${change}`);
    assert.deepEqual(
      checks.filter(({ verdict, name }) => verdict === 'wrong' && name !== 'journal'),
      [],
      `change ${change}: nobody is sent for a backup of the keys`,
    );
    isOver = readFileSync(join(dir, 'hub.id'), 'utf8') !== `${old}\n`;
    const hub = await openHub(configFor(dir, ...FREE), machine);
    await hub.close();
    assert.notEqual(hub.id, old, `change ${change}`);
    assert.equal(readFileSync(join(dir, 'hub.id'), 'utf8'), `${hub.id}\n`);
    assert.equal(readFileSync(join(dir, 'formerly'), 'utf8'), `${old}\n`, `change ${change}`);
    assert.ok(existsSync(join(dir, 'cut')), 'it is told');
  }
  assert.ok(change > 5, `${change} changes were cut`);
});

test('the newest segment cannot be read after a power cut: whatever the state knows, no number is given twice', async () => {
  const running = join(tempDir(), 'data');
  const dir = join(tempDir(), 'data');
  const hub = await openHub(configFor(running, ...FREE), machine);
  const client = await connectAsync(hub.addresses.mqtt ?? '', { reconnectPeriod: 0 });
  for (let i = 0; i < 5; i++) await client.publishAsync('meters/1', `${i}`, { qos: 1 });
  cpSync(running, dir, { recursive: true });
  await client.endAsync();
  await hub.close();
  const newest = readdirSync(join(dir, 'journal')).findLast((name) => name.endsWith('.segment'));
  truncateSync(join(dir, 'journal', newest ?? ''));
  const told = await new CliWorld().run(`doctor --json --data ${dir} ${SMALL_FLAGS}`, {
    files: machineFiles,
  });
  assert.equal((JSON.parse(told.stdout) as Told).sync.state, 'journal cut');
  const next = await openHub(configFor(dir, ...FREE), machine);
  const { faults } = next.status.snapshot();
  assert.notEqual(next.id, hub.id);
  assert.ok(faults.some(({ code }) => code === 'journal.cut'));
  await next.close();
  const again = await openHub(configFor(dir, ...FREE), machine);
  assert.equal(again.id, next.id);
  await again.close();
});

test('a key that is lost later is a matter for a person, though an earlier hub ended so', async () => {
  const dir = await cutDir();
  const hub = await openHub(configFor(dir, ...FREE), machine);
  await hub.close();
  rmSync(join(dir, 'keys/hub.pem'));
  await assert.rejects(openHub(configFor(dir, ...FREE), machine), { code: 'keys.lost' });
});
