/** The hub as a whole, as people and programs of the field meet it: real processes, real clients, real files. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, onTestFinished, test } from 'vitest';

import {
  type Digest,
  eventually,
  getJson,
  readingsOf,
  type StatusView,
  uplinked,
} from '../support/hubs/api.ts';
import { heliograph, startHub, startRegional } from '../support/hubs/hub.ts';
import { publishTo } from '../support/hubs/mqtt-client.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { sampleStatus } from '../support/made/status.ts';
import { freePort, spawnProcess } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const AT_ONCE = 'capture=[{filter="#",class="alarm"}]';

describe('a publish becomes a receipt', () => {
  testWithPeers(
    'through a Mosquitto upstream, from mosquitto_pub to equal digests',
    ['mosquitto', 'mosquitto_pub'],
    async ([mosquitto = '', mosquittoPub = '']) => {
      const data = tempDir();
      const port = await freePort();
      writeFileSync(`${data}/m.conf`, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
      const upstream = spawnProcess(mosquitto, ['-c', `${data}/m.conf`, '-v']);
      await upstream.line(/running/);
      const url = `mqtt://127.0.0.1:${port}`;
      const region = await startRegional({ data, sets: [`regional.url=${url}`] });
      const hub = await startHub({ data, sets: [`uplink.url=${url}`, AT_ONCE] });
      for (const reading of ['{"w":1}', '{"w":2}', '{"w":3}']) {
        const args = ['-p', String(hub.mqttPort), '-q', '1', '-t', 'meters/1', '-m', reading];
        assert.equal(await spawnProcess(mosquittoPub, args).exited, 0);
      }
      await uplinked(hub.httpUrl);
      const here = await getJson<Digest>(`${hub.httpUrl}api/v1/digest`);
      const there = await getJson<Digest>(`${region.httpUrl}api/v1/digest?site=demo`);
      assert.equal(here.ops, 3);
      assert.deepEqual(there, here);
      assert.equal((await readingsOf(hub.httpUrl, 'meters/1')).size, 3);
    },
  );

  test('also when the regional node is away, comes back, and forgets nothing over a restart', async () => {
    const data = tempDir();
    const first = await startRegional({ data });
    const hub = await startHub({ data, sets: [`uplink.url=${first.mqttUrl}`, AT_ONCE] });
    await publishTo(hub.mqttUrl, 'one', 'a');
    await uplinked(hub.httpUrl);
    await first.process.stop();
    await publishTo(hub.mqttUrl, 'one', 'b');
    const second = await startRegional({ data, mqttPort: first.mqttPort });
    await uplinked(hub.httpUrl);
    const here = await getJson<Digest>(`${hub.httpUrl}api/v1/digest`);
    const there = await getJson<Digest>(`${second.httpUrl}api/v1/digest?site=demo`);
    assert.deepEqual(there, here);
    assert.equal(here.ops, 2);
  });
});

/** Paths of all figures; a list, or what is named by its contents, counts as one. */
function pathsOf(value: unknown, path = ''): string[] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [path];
  if (path === '.uplink.byLink') return [path];
  return Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, `${path}.${name}`));
}

test('the status of a hub has what its type declares, and nothing else', async () => {
  const hub = await startHub({ data: tempDir() });
  // The compiler holds the sample to the type. Without an uplink or a measured load these have nothing to tell.
  const { uplink, energy, ...rest } = sampleStatus();
  const { measuredToday: _, ...ownEnergy } = energy;
  const declared = { ...rest, uplink: { ...uplink, quota: null }, energy: ownEnergy };
  const told = await getJson<unknown>(`${hub.httpUrl}api/v1/status`);
  assert.deepEqual(pathsOf(told).toSorted(), pathsOf(declared).toSorted());
});

describe('start and end', () => {
  test('a restarted hub knows what it acknowledged, and SIGTERM ends it with 0', async () => {
    const data = tempDir();
    const hub = await startHub({ data });
    await publishTo(hub.mqttUrl, 'one', 'kept');
    const before = await getJson<Digest>(`${hub.httpUrl}api/v1/digest`);
    assert.equal(await hub.process.stop(), 0);
    assert.equal(existsSync(`${data}/runtime.json`), false);
    const again = await startHub({ data });
    assert.deepEqual(await getJson<Digest>(`${again.httpUrl}api/v1/digest`), before);
  });

  test('a second hub on the same directory ends with 3 and names the holder', async () => {
    const data = tempDir();
    const hub = await startHub({ data });
    const second = heliograph([
      'run',
      '--data',
      data,
      '--set',
      'broker.port=0',
      '--set',
      'http.port=0',
    ]);
    assert.equal(await second.exited, 3);
    assert.match(second.lines.join('\n'), new RegExp(`${hub.process.pid}`));
    assert.match(second.lines.join('\n'), /--data/);
  });

  test('every mistake of the config is listed at once, with exit code 2', async () => {
    const data = tempDir();
    writeFileSync(
      `${data}/bad.toml`,
      '[broker]\nport = 70000\nprot = 1\n[power]\nchemistry = "coal"\n',
    );
    const hub = heliograph(['run', '--data', data, '--config', `${data}/bad.toml`]);
    assert.equal(await hub.exited, 2);
    const text = hub.lines.join('\n');
    for (const key of ['broker.port', 'broker.prot', 'power.chemistry'])
      assert.match(text, new RegExp(key));
  });

  test('a port that is taken is named with the key that asks for it', async () => {
    const other = createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const hub = heliograph(['run', '--data', tempDir(), '--set', `broker.port=${port}`]);
    assert.equal(await hub.exited, 1);
    assert.match(hub.lines.join('\n'), new RegExp(`broker\\.port.*${port}|${port}.*broker\\.port`));
  });

  test('a data directory of a newer version is left alone', async () => {
    const data = tempDir();
    mkdirSync(data, { recursive: true });
    writeFileSync(`${data}/layout`, '999\n');
    const hub = heliograph(['run', '--data', data]);
    assert.equal(await hub.exited, 1);
    assert.match(hub.lines.join('\n'), /newer version/);
    assert.equal(readFileSync(`${data}/layout`, 'utf8'), '999\n');
  });

  test('what only a person can mend is not tried again every other second by a service manager', async () => {
    const data = tempDir();
    writeFileSync(`${data}/layout`, '999\n');
    const hub = heliograph(['run', '--data', data], { NOTIFY_SOCKET: `${data}/nobody` });
    const line = await hub.line(/"node\.waits"/);
    assert.match(line, /"code":"data\.newer".*"seconds":60/);
    const inTheDirectory = heliograph(['run', '--data', data]);
    assert.equal(await inTheDirectory.exited, 1, 'the directory is free meanwhile');
    assert.ok(!hub.lines.some((it) => it.includes('(data.newer)')), 'it still waits');
    assert.equal(await hub.stop(), 1);
  });

  test('mode open refuses the network and says how to go on', async () => {
    const hub = heliograph(['run', '--data', tempDir(), '--set', 'broker.host=0.0.0.0']);
    assert.equal(await hub.exited, 2);
    assert.match(hub.lines.join('\n'), /allow_open_lan/);
  });
});

describe('a device of mode password', () => {
  testWithPeers(
    'comes in by name and password, and only to its own topics',
    ['mosquitto_pub'],
    async ([mosquittoPub = '']) => {
      const data = tempDir();
      const add = heliograph(['user', 'add', 'meter7', '--json', '--data', data]);
      assert.equal(await add.exited, 0);
      const added = add.lines.find((line) => line.startsWith('{')) ?? '';
      const { password } = JSON.parse(added) as { password: string };
      const hub = await startHub({ data, sets: ['security.mode=password'] });
      const publish = (user: string, secret: string, topic: string): Promise<number | null> =>
        spawnProcess(mosquittoPub, [
          '-p',
          String(hub.mqttPort),
          '-q',
          '1',
          '-u',
          user,
          '-P',
          secret,
          '-t',
          topic,
          '-m',
          '1',
        ]).exited;
      assert.notEqual(await publish('meter7', 'wrong', 'devices/meter7/power'), 0);
      assert.equal(await publish('meter7', password, 'devices/meter7/power'), 0);
      await publish('meter7', password, 'devices/meter8/power');
      assert.equal((await fetch(`${hub.httpUrl}api/v1/status`)).status, 401);
      const login = Buffer.from(`meter7:${password}`).toString('base64');
      const headers = { authorization: `Basic ${login}` };
      const answer = await fetch(`${hub.httpUrl}api/v1/status`, { headers });
      assert.equal(((await answer.json()) as StatusView).journal.durableLsn >= 1, true);
      const other = `${hub.httpUrl}api/v1/readings?key=devices/meter8/power`;
      assert.equal((await fetch(other, { headers })).status, 403);
    },
  );
});

describe('a store that is lost', () => {
  test('is folded anew from the journal, to the same digest', async () => {
    const data = tempDir();
    const hub = await startHub({ data });
    for (const text of ['1', '2', '3']) await publishTo(hub.mqttUrl, 'one', text);
    const before = await getJson<Digest>(`${hub.httpUrl}api/v1/digest`);
    await hub.process.stop();
    writeFileSync(`${data}/state.db`, 'this is no database');
    const again = await startHub({ data });
    await eventually(
      () => getJson<Digest>(`${again.httpUrl}api/v1/digest`),
      (after) => after.digest === before.digest,
    );
  });
});
