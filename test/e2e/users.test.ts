/** Users that change while the hub runs and they are connected. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { MqttClient } from 'mqtt';
import { describe, onTestFinished, test } from 'vitest';

import { eventually } from '../support/hubs/api.ts';
import { addUser, heliograph, startHub } from '../support/hubs/hub.ts';
import { acknowledged, openClient } from '../support/hubs/mqtt-client.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const GRANT = 'grant=[{role="operator",read=["#"],publish=["#"]}]';

async function login(port: number, username: string, password: string): Promise<MqttClient> {
  const who = { username, password, clientId: username };
  const client = await openClient(`mqtt://127.0.0.1:${port}`, who);
  onTestFinished(() => {
    client.end(true);
  });
  return client;
}

test('users and tokens that are made at the same time are all there', async () => {
  const data = tempDir();
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const made = [
    ...names.map((name) => heliograph(['user', 'add', name, '--data', data])),
    ...names.map((name) => heliograph(['enrol', 'token', name, '--data', data])),
  ];
  for (const command of made) assert.equal(await command.exited, 0, command.lines.join('\n'));
  const namesIn = (file: string, list: string): string[] => {
    const text = readFileSync(join(data, file), 'utf8');
    const rows = (JSON.parse(text) as Record<string, { readonly name: string }[]>)[list] ?? [];
    return rows.map(({ name }) => name).toSorted();
  };
  assert.deepEqual(namesIn('users.json', 'users'), names);
  assert.deepEqual(namesIn('enrol/tokens.json', 'tokens'), names);
});

describe('a user that is removed', () => {
  test('publishes no more, reads no more and comes in no more, though it was connected', async () => {
    const data = tempDir();
    const [meterWord, anaWord] = [
      await addUser(data, 'meter7', 'device'),
      await addUser(data, 'ana', 'operator'),
    ];
    const hub = await startHub({ data, sets: ['security.mode=password', GRANT] });
    const meter = await login(hub.mqttPort, 'meter7', meterWord);
    const ana = await login(hub.mqttPort, 'ana', anaWord);
    const heardByAna: string[] = [];
    const heardByMeter: string[] = [];
    ana.on('message', (_, payload) => heardByAna.push(payload.toString()));
    meter.on('message', (_, payload) => heardByMeter.push(payload.toString()));
    await ana.subscribeAsync('devices/#', { qos: 1 });
    await meter.subscribeAsync('devices/meter7/commands', { qos: 1 });
    await meter.publishAsync('devices/meter7/power', 'before', { qos: 1 });
    await ana.publishAsync('devices/meter7/commands', 'before', { qos: 1 });
    await eventually(
      () => Promise.resolve([heardByAna, heardByMeter].map((heard) => heard.includes('before'))),
      (both) => both.every(Boolean),
    );

    assert.equal(await heliograph(['user', 'remove', 'meter7', '--data', data]).exited, 0);
    await hub.process.line(/security\.users-changed/);
    await acknowledged(meter, 'devices/meter7/power', 'after').catch(() => undefined);
    await ana.publishAsync('devices/meter7/commands', 'after', { qos: 1 });
    await ana.publishAsync('devices/last', 'last', { qos: 1 });
    await eventually(
      () => Promise.resolve(heardByAna),
      (heard) => heard.includes('last'),
    );
    assert.equal(heardByAna.filter((payload) => payload === 'after').length, 1, 'her own command');
    await assert.rejects(login(hub.mqttPort, 'meter7', meterWord));
    assert.ok(!heardByMeter.includes('after'));
  });

  test('a user that is added meanwhile comes in', async () => {
    const data = tempDir();
    const hub = await startHub({ data, sets: ['security.mode=password'] });
    const password = await addUser(data, 'meter8', 'device');
    await hub.process.line(/security\.users-changed/);
    const meter = await login(hub.mqttPort, 'meter8', password);
    await meter.publishAsync('devices/meter8/power', '1', { qos: 1 });
  });
});
