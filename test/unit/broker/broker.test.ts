/** What the broker tells about itself, and its end. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Site } from '../../support/simulated/broker-site.ts';
import * as mqtt from '../../support/made/mqtt-packets.ts';

test('$SYS says what Mosquitto says, retained, and again only what has changed', async () => {
  const site = new Site();
  const probe = await site.client('a');
  await probe.send(mqtt.subscribe(1, ['$SYS/#', 0]));
  await site.turn(10_000);
  const first = probe.heard();
  assert.ok(first.includes('publish $SYS/broker/version heliograph test qos0'));
  assert.ok(first.includes('publish $SYS/broker/clients/connected 1 qos0'));
  assert.ok(first.includes('publish $SYS/broker/uptime 10 seconds qos0'));
  await site.turn(10_000);
  const second = probe.heard();
  assert.ok(!second.some((words) => words.includes('version')));
  assert.ok(second.includes('publish $SYS/broker/uptime 20 seconds qos0'));
  const late = await site.client('late');
  const heard = await late.send(mqtt.subscribe(1, ['$SYS/broker/version', 0]));
  assert.equal(heard[1], 'publish $SYS/broker/version heliograph test qos0 retained');
});

test('what it counts is what passed', async () => {
  const site = new Site();
  const to = await site.client('to');
  await to.send(mqtt.subscribe(1, ['a', 1]));
  const from = await site.client('from');
  await from.send(mqtt.publish('a', '1', { qos: 1 }), mqtt.publish('a', '2'));
  await from.send(mqtt.DISCONNECT);
  const { clients, clientsMax, sessions, subscriptions, queued } = site.broker.stat();
  assert.deepEqual(
    { clients, clientsMax, sessions, subscriptions, queued },
    { clients: 1, clientsMax: 2, sessions: 1, subscriptions: 1, queued: 1 },
  );
  const { messagesIn, messagesOut, bytesIn, bytesOut } = site.broker.stat();
  const sentBytes = [
    mqtt.connect({ id: 'to' }),
    mqtt.subscribe(1, ['a', 1]),
    mqtt.connect({ id: 'from' }),
    mqtt.publish('a', '1', { qos: 1 }),
    mqtt.publish('a', '2'),
    mqtt.DISCONNECT,
  ].reduce((sum, { length }) => sum + length, 0);
  assert.deepEqual([messagesIn, messagesOut, bytesIn], [2, 2, sentBytes]);
  // Two CONNACK, SUBACK, PUBACK, two PUBLISH.
  assert.equal(bytesOut, 4 + 4 + 5 + 4 + 8 + 6);
});

test('the hub speaks as every publisher does: live, retained, to sessions that are away', async () => {
  const site = new Site();
  const keeps = { clean: false };
  const kept = await site.client('k', keeps);
  await kept.send(mqtt.subscribe(1, ['hub/+', 1]), mqtt.DISCONNECT);
  site.broker.publish('hub/power', Buffer.from('{"state":"normal"}'), { qos: 1, retain: true });
  const back = site.dial();
  assert.deepEqual(await back.send(mqtt.connect({ id: 'k', ...keeps })), [
    'connack 0 present',
    'publish hub/power {"state":"normal"} qos1 id1',
  ]);
  assert.deepEqual(await back.send(mqtt.puback(1), mqtt.subscribe(2, ['hub/power', 0])), [
    'suback 2: 0',
    'publish hub/power {"state":"normal"} qos0 retained',
  ]);
  assert.deepEqual(site.door.admitted, []);
});

test('closing ends every connection, publishes no will, and leaves no timer', async () => {
  const site = new Site();
  const watcher = await site.client('w');
  await watcher.send(mqtt.subscribe(1, ['will', 0]));
  const client = await site.client('c', { will: { topic: 'will', payload: 'x' }, keepaliveS: 5 });
  const silent = site.dial();
  await site.broker.close();
  await site.turn();
  assert.deepEqual([watcher.isClosed, client.isClosed, silent.isClosed], [true, true, true]);
  assert.deepEqual(watcher.heard(), []);
  assert.equal(site.clock.nextDueMs(), undefined);
});
