/** Rights that change while clients are connected. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Site } from '../../support/simulated/broker-site.ts';
import * as mqtt from '../../support/made/mqtt-packets.ts';

test('a topic that was allowed a moment ago is refused at once', async () => {
  const site = new Site();
  const probe = await site.client('a');
  await probe.send(mqtt.publish('t', '1', { qos: 1 }), mqtt.publish('t', '2', { qos: 1 }));
  site.gatekeeper.close('t');
  assert.deepEqual(await probe.send(mqtt.publish('t', '3', { qos: 1 })), ['puback 1']);
  assert.deepEqual(site.door.admitted, ['a t 1 qos1', 'a t 2 qos1']);
  assert.equal(site.broker.stat().denied, 1);
  const line = site.logged.find(({ event }) => event === 'broker.publish.denied');
  const fields = { clientId: 'a', user: 'anyone', topic: 't' };
  assert.deepEqual(line?.fields, fields, 'who it proved to be, by password or certificate');
});

test('a subscription that was allowed ends with the next publish, those of others and other ones stay', async () => {
  const site = new Site();
  const probe = await site.client('a');
  const away = await site.client('away', { clean: false });
  await away.send(mqtt.subscribe(1, ['x', 1], ['y', 1]), mqtt.DISCONNECT);
  await probe.send(mqtt.subscribe(1, ['x', 0], ['y', 0]));
  const from = await site.client('from');
  site.gatekeeper.close('x');
  await from.send(mqtt.publish('x', 'hidden'), mqtt.publish('y', 'seen'));
  assert.equal(site.broker.stat().subscriptions, 2);
  assert.deepEqual(probe.heard(), ['publish y seen qos0']);
});
