/** The examples do what they say, as they stand in deploy/examples. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';

import { test } from 'vitest';

import { startHub } from '../support/hubs/hub.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { ROOT, spawnProcess } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

async function latest(httpUrl: string, key: string): Promise<string> {
  const answer = await fetch(`${httpUrl}api/v1/readings?key=${encodeURIComponent(key)}`);
  return answer.text();
}

testWithPeers('a sensor in plain Python', ['python3'], async ([python]) => {
  const hub = await startHub({ data: tempDir() });
  const script = join(ROOT, 'deploy/examples/sensor.py');
  const sensor = spawnProcess(python as string, [script, '127.0.0.1', String(hub.mqttPort)]);
  assert.equal(await sensor.exited, 0);
  assert.equal(sensor.lines.filter((line) => line.startsWith('kept')).length, 5);
  assert.match(await latest(hub.httpUrl, 'devices/sensor-1/room'), /celsius/);
});

test('a sensor with the SDK, from its package', async () => {
  const hub = await startHub({ data: tempDir() });
  const dir = tempDir();
  mkdirSync(join(dir, 'node_modules'));
  symlinkSync(ROOT, join(dir, 'node_modules/heliograph'));
  copyFileSync(join(ROOT, 'deploy/examples/sensor.mjs'), join(dir, 'sensor.mjs'));
  const args = ['--preserve-symlinks', join(dir, 'sensor.mjs'), hub.mqttUrl, join(dir, 'kept')];
  const sensor = spawnProcess('node', args, { cwd: dir });
  assert.equal(await sensor.exited, 0, sensor.lines.join('\n'));
  assert.equal(sensor.lines.filter((line) => line.includes("on the hub's disk")).length, 5);
  const answer = await fetch(`${hub.httpUrl}api/v1/records/devices/sensor-1/about`);
  assert.match(await answer.text(), /thermometer/);
});
