/** What a phone with the SDK says, as a board hears it that speaks MQTT and nothing else. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { onTestFinished, test } from 'vitest';

import { eventually } from '../support/hubs/api.ts';
import { openDevice, whenSettled } from '../support/hubs/devices.ts';
import { addUser, startHub } from '../support/hubs/hub.ts';
import { freePort } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Board {
  readonly client: MqttClient;
  readonly heard: string[];
}

async function board(url: string, filter: string, options: IClientOptions = {}): Promise<Board> {
  const client = connect(url, { reconnectPeriod: 0, ...options });
  client.on('error', () => undefined); // The hub is killed under it.
  onTestFinished(() => void client.end(true));
  const heard: string[] = [];
  // Before it is connected: what waits for a kept session comes right behind the CONNACK.
  client.on('message', (topic, payload) => heard.push(`${topic} ${payload.toString()}`));
  await new Promise<unknown>((resolve) => client.once('connect', resolve));
  if (filter !== '') await client.subscribeAsync(filter, { qos: 1 });
  return { client, heard };
}

const heardAll = ({ heard }: Board, count: number): Promise<unknown> =>
  eventually(
    () => Promise.resolve(heard),
    (all) => all.length >= count,
  );

test('an event is heard by a board at the same hub, once, also by one that was away while the hub was killed', async () => {
  const data = tempDir();
  const mqttPort = await freePort();
  const hub = await startHub({ data: join(data, 'hub'), mqttPort });
  const esp = await board(hub.mqttUrl, 'alarms/#');
  const kept = { clientId: 'lamp', clean: false };
  const lamp = await board(hub.mqttUrl, 'alarms/#', kept);
  await lamp.client.endAsync();
  const phone = await openDevice({ url: hub.mqttUrl, dir: join(data, 'phone'), name: 'phone' });
  await phone.event('alarms/3/acknowledged', 'lena');
  await phone.event('meters/1', '12');
  await phone.event('alarms/4/acknowledged', 'otieno');
  await heardAll(esp, 2);
  const all = ['alarms/3/acknowledged lena', 'alarms/4/acknowledged otieno'];
  assert.deepEqual(esp.heard, all);
  hub.process.kill('SIGKILL');
  await hub.process.exited;
  const unsent = phone.event('alarms/5/acknowledged', 'made while there was no hub');
  await startHub({ data: join(data, 'hub'), mqttPort });
  const again = await board(hub.mqttUrl, '', kept);
  phone.wake();
  await unsent;
  await heardAll(again, 3);
  assert.deepEqual(again.heard, [...all, 'alarms/5/acknowledged made while there was no hub']);
});

test('an event without the right to it is heard by nobody', async () => {
  const data = tempDir();
  const hubData = join(data, 'hub');
  const ana = await addUser(hubData, 'ana', 'operator');
  const meter = await addUser(hubData, 'meter7', 'device');
  const hub = await startHub({ data: hubData, sets: ['security.mode=password'] });
  const listener = await board(hub.mqttUrl, '#', { username: 'ana', password: ana });
  const dir = join(data, 'meter7');
  const device = await openDevice({ url: hub.mqttUrl, username: 'meter7', password: meter, dir });
  await assert.rejects(Promise.resolve(device.event('alarms/flood', '1')), /no right to write/);
  await device.event('devices/meter7/power', '42');
  await heardAll(listener, 1);
  assert.deepEqual(listener.heard, ['devices/meter7/power 42']);
});

test('at another hub of the site devices with the SDK see it, and boards hear what is said at their own hub', async () => {
  const data = tempDir();
  const near = await startHub({ data: join(data, 'near'), sets: ['peer.enabled=true'] });
  const addresses = JSON.stringify([near.mqttUrl.replace(/\/$/, '')]);
  const sets = ['peer.enabled=true', `peer.addresses=${addresses}`];
  const far = await startHub({ data: join(data, 'far'), sets });
  const esp = await board(far.mqttUrl, '#');
  const phone = await openDevice({ url: near.mqttUrl, dir: join(data, 'phone'), name: 'phone' });
  const tablet = await openDevice({ url: far.mqttUrl, dir: join(data, 'tablet'), name: 'tablet' });
  await whenSettled(tablet);
  await phone.event('alarms/3/acknowledged', 'lena');
  await eventually(
    () => Promise.resolve(tablet.latest('alarms/3/acknowledged') ?? new Uint8Array()),
    (payload) => Buffer.from(payload).toString() === 'lena',
  );
  await esp.client.publishAsync('here', 'now', { qos: 1 });
  await heardAll(esp, 1);
  assert.deepEqual(esp.heard, ['here now']);
});
