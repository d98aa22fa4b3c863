/** MQTT 3.1.1 §3.8 to §3.11, §4.7: statements about SUBSCRIBE, UNSUBSCRIBE, topic names and filters. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import * as mqtt from '../../../support/made/mqtt-packets.ts';
import { Site } from '../../../support/simulated/broker-site.ts';

describe('SUBSCRIBE', () => {
  const malformed: [string, Buffer][] = [
    ['[MQTT-3.8.1-1] other flags', mqtt.packet(0x80, [0, 1], mqtt.text('a'), [0])],
    ['[MQTT-2.3.1-1] packet identifier 0', mqtt.subscribe(0, ['a', 0])],
    ['[MQTT-3.8.3-3] no filter', mqtt.packet(0x82, [0, 1])],
    ['[MQTT-3.8.3-4] QoS 3', mqtt.subscribe(1, ['a', 3])],
    ['[MQTT-3.8.3-4] reserved bits of the QoS byte', mqtt.subscribe(1, ['a', 0x11])],
    ['[MQTT-3.8.3-1] a filter that is no UTF-8', mqtt.subscribe(1, [Buffer.from([0xff]), 0])],
    ['[MQTT-4.7.3-2] U+0000', mqtt.subscribe(1, ['a\u0000', 0])],
    ['[MQTT-4.7.3-1] an empty filter', mqtt.subscribe(1, ['', 0])],
    ['[MQTT-4.7.1-3] a+', mqtt.subscribe(1, ['a+', 0])],
    ['[MQTT-4.7.1-3] a/b+/c', mqtt.subscribe(1, ['a/b+/c', 0])],
    ['[MQTT-4.7.1-2] a#', mqtt.subscribe(1, ['a#', 0])],
    ['[MQTT-4.7.1-2] a/#/b', mqtt.subscribe(1, ['a/#/b', 0])],
    ['more levels than anyone needs, however long', mqtt.subscribe(1, ['/'.repeat(2_000), 0])],
    ['a filter without its QoS', mqtt.packet(0x82, [0, 1], mqtt.text('a'))],
  ];
  for (const [what, bytes] of malformed) {
    test(`ends the connection: ${what}`, async () => {
      const site = new Site();
      const probe = await site.client('a');
      assert.deepEqual(await probe.send(bytes), []);
      assert.equal(probe.isClosed, true);
      assert.equal(site.broker.stat().subscriptions, 0);
    });
  }

  test('[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.3.1-7] [MQTT-3.8.4-4] [MQTT-3.8.4-5] [MQTT-3.9.3-1] one SUBACK, a code for each filter, in order', async () => {
    const site = new Site();
    const probe = await site.client('a');
    const heard = await probe.send(
      mqtt.subscribe(513, ['a', 2], ['secret/#', 1], ['b/+', 0], ['c/#', 1]),
    );
    assert.deepEqual(heard, ['suback 513: 2 128 0 1']);
    assert.equal(site.broker.stat().subscriptions, 3);
  });

  test('[MQTT-3.9.3-2] what is not granted is answered with 0x80', async () => {
    const site = new Site({ limits: { subscriptionsPerSessionMax: 2 } });
    const probe = await site.client('a');
    const heard = await probe.send(
      mqtt.subscribe(
        1,
        ['$share/group/a', 1],
        ['x'.repeat(2_000), 0],
        ['\u00e9'.repeat(600), 0],
        ['a', 0],
        ['b', 0],
        ['c', 0],
        ['a', 1],
      ),
    );
    assert.deepEqual(heard, ['suback 1: 128 128 128 0 0 128 1']);
    const lines = site.logged.filter(({ event }) => event === 'broker.subscribe.refused');
    assert.deepEqual(
      lines.map(({ fields }) => fields),
      [{ clientId: 'a', filter: '$share/group/a', reason: 'shared subscriptions are not offered' }],
    );
  });

  test('[MQTT-3.8.4-3] the same filter again replaces the QoS, and retained messages come again', async () => {
    const site = new Site();
    const probe = await site.client('a');
    await probe.send(mqtt.publish('a/b', 'kept', { retain: true, qos: 1 }));
    const kept = (qos: number): string =>
      `publish a/b kept qos${qos}${qos > 0 ? ' id1' : ''} retained`;
    assert.deepEqual(await probe.send(mqtt.subscribe(1, ['a/#', 0])), ['suback 1: 0', kept(0)]);
    assert.deepEqual(await probe.send(mqtt.subscribe(2, ['a/#', 1])), ['suback 2: 1', kept(1)]);
    assert.equal(site.broker.stat().subscriptions, 1);
    const heard = await probe.send(mqtt.publish('a/b', 'live', { qos: 1, id: 2 }));
    assert.deepEqual(heard.toSorted(), ['puback 2', 'publish a/b live qos1 id2']);
  });

  test('a malformed filter spoils the whole packet, also for a session that is kept', async () => {
    const site = new Site();
    const probe = await site.client('k', { clean: false });
    await probe.send(mqtt.subscribe(1, ['good', 1], ['bad#', 1]));
    assert.deepEqual([probe.isClosed, site.broker.stat().subscriptions], [true, 0]);
  });

  test('[MQTT-3.8.3-2] wildcards are supported', async () => {
    const site = new Site();
    const probe = await site.client('a');
    await probe.send(mqtt.subscribe(1, ['+/b/#', 0]));
    const heard = await probe.send(
      mqtt.publish('a/b', '1'),
      mqtt.publish('/b/c/d', '2'),
      mqtt.publish('a/c', '3'),
    );
    assert.deepEqual(heard, ['publish a/b 1 qos0', 'publish /b/c/d 2 qos0']);
  });
});

describe('topics', () => {
  const matches: [filter: string, topic: string, isMatch: boolean][] = [
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/#', 'sport', true],
    ['#', '/', true],
    ['sport/tennis/+', 'sport/tennis/player1', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
    ['ACCOUNTS', 'Accounts', false],
    ['Accounts payable', 'Accounts payable', true],
    ['a//b', 'a/b', false],
    ['a/', 'a', false],
    ['caf\u00e9', 'cafe\u0301', false],
    ['\u212b', '\u00c5', false],
    ['a ', 'a', false],
  ];
  for (const [filter, topic, isMatch] of matches) {
    test(`[MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-4] ${filter} and ${topic}: ${isMatch}`, async () => {
      const probe = await new Site().client('a');
      await probe.send(mqtt.subscribe(1, [filter, 0]));
      const heard = await probe.send(mqtt.publish(topic, 'x'));
      assert.deepEqual(heard, isMatch ? [`publish ${topic} x qos0`] : []);
    });
  }

  test('[MQTT-4.7.2-1] wildcards at the front do not match $…, neither live nor retained', async () => {
    const site = new Site();
    const probe = await site.client('a');
    await probe.send(mqtt.subscribe(1, ['#', 0], ['+/broker/version', 0]));
    site.broker.publish('$SYS/broker/version', Buffer.from('x'), { retain: true });
    assert.deepEqual(await probe.send(mqtt.subscribe(2, ['#', 0])), ['suback 2: 0']);
    const heard = await probe.send(mqtt.subscribe(3, ['$SYS/#', 0]));
    assert.deepEqual(heard, ['suback 3: 0', 'publish $SYS/broker/version x qos0 retained']);
  });

  test('wildcards at the front do not match hub/… either: who hears all devices hears the devices', async () => {
    const site = new Site();
    const probe = await site.client('a');
    await probe.send(mqtt.subscribe(1, ['#', 0], ['+/+', 0]));
    site.broker.publish('hub/time', Buffer.from('x'), { retain: true });
    assert.deepEqual(await probe.send(mqtt.subscribe(2, ['+/+', 0])), ['suback 2: 0']);
    const heard = await probe.send(mqtt.subscribe(3, ['hub/+', 0]));
    assert.deepEqual(heard, ['suback 3: 0', 'publish hub/time x qos0 retained']);
    assert.deepEqual(await probe.send(mqtt.publish('hubs/a', '1')), ['publish hubs/a 1 qos0']);
  });

  test('[MQTT-4.7.3-3] a topic of the greatest length we take, and one byte more', async () => {
    const site = new Site();
    const probe = await site.client('a');
    await probe.send(mqtt.subscribe(1, ['#', 0]));
    const longest = 'x'.repeat(1024);
    assert.equal((await probe.send(mqtt.publish(longest, 'x'))).length, 1);
    await probe.send(mqtt.publish(`${longest}x`, 'x'));
    assert.equal(probe.isClosed, true);
  });
});

describe('UNSUBSCRIBE', () => {
  const malformed: [string, Buffer][] = [
    ['[MQTT-3.10.1-1] other flags', mqtt.packet(0xa0, [0, 1], mqtt.text('a'))],
    ['[MQTT-2.3.1-1] packet identifier 0', mqtt.unsubscribe(0, 'a')],
    ['[MQTT-3.10.3-2] no filter', mqtt.packet(0xa2, [0, 1])],
    ['[MQTT-3.10.3-1] a filter that is no UTF-8', mqtt.unsubscribe(1, Buffer.from([0xff]))],
  ];
  for (const [what, bytes] of malformed) {
    test(`ends the connection: ${what}`, async () => {
      const probe = await new Site().client('a');
      assert.deepEqual(await probe.send(bytes), []);
      assert.equal(probe.isClosed, true);
    });
  }

  test('[MQTT-3.10.4-1] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] filters are compared as they are written, one UNSUBACK in any case', async () => {
    const site = new Site();
    const probe = await site.client('a');
    await probe.send(mqtt.subscribe(1, ['a/+', 0], ['a/b', 0], ['A/b', 0], ['c', 0]));
    const heard = await probe.send(mqtt.unsubscribe(77, 'a/+', 'c', 'never/was', 'a/#'));
    assert.deepEqual(heard, ['unsuback 77']);
    assert.equal(site.broker.stat().subscriptions, 2);
    assert.deepEqual(await probe.send(mqtt.publish('a/b', 'x')), ['publish a/b x qos0']);
  });

  test('[MQTT-3.10.4-2] [MQTT-3.10.4-3] no new messages, but what is under way is completed', async () => {
    const site = new Site();
    const probe = await site.client('a', { clean: false });
    await probe.send(mqtt.subscribe(1, ['a', 2]));
    await probe.send(mqtt.publish('a', '1', { qos: 2, id: 1 }));
    await probe.send(mqtt.unsubscribe(2, 'a'), mqtt.publish('a', '2', { qos: 2, id: 2 }));
    await probe.vanish();
    const again = site.dial();
    const heard = await again.send(mqtt.connect({ id: 'a', clean: false }));
    assert.deepEqual(heard, ['connack 0 present', 'publish a 1 qos2 id1 dup']);
    assert.deepEqual(await again.send(mqtt.pubrec(1)), ['pubrel 1']);
  });
});

describe('PINGREQ', () => {
  test('with a body ends the connection', async () => {
    const probe = await new Site().client('a');
    assert.deepEqual(await probe.send(mqtt.packet(0xc0, [0])), []);
    assert.equal(probe.isClosed, true);
  });
});
