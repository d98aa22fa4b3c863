/** MQTT 3.1.1 §3.3, §4.3 to §4.6: statements about PUBLISH, the QoS protocols, redelivery and order. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import * as mqtt from '../../../support/made/mqtt-packets.ts';
import { type Probe, Site } from '../../../support/simulated/broker-site.ts';

async function pair(filter: string, qos: number): Promise<{ site: Site; from: Probe; to: Probe }> {
  const site = new Site();
  const to = await site.client('to');
  await to.send(mqtt.subscribe(1, [filter, qos]));
  return { site, from: await site.client('from'), to };
}

describe('the PUBLISH packet', () => {
  const malformed: [string, Buffer][] = [
    ['[MQTT-3.3.1-4] both QoS bits', mqtt.packet(0x36, mqtt.text('a'), [0, 1])],
    ['[MQTT-3.3.1-2] DUP at QoS 0', mqtt.packet(0x38, mqtt.text('a'))],
    ['[MQTT-2.3.1-1] packet identifier 0', mqtt.publish('a', 'x', { qos: 1, id: 0 })],
    ['[MQTT-3.3.2-1] a topic that is longer than the packet', mqtt.packet(0x30, [0, 9, 0x61])],
    ['[MQTT-3.3.2-1] no topic at all', mqtt.packet(0x30)],
    ['QoS 1 without a packet identifier', mqtt.packet(0x32, mqtt.text('a'))],
    ['[MQTT-3.3.2-2] [MQTT-4.7.1-1] a wildcard in the topic', mqtt.publish('a/+', 'x')],
    ['[MQTT-3.3.2-2] # in the topic', mqtt.publish('a/#', 'x')],
    ['[MQTT-4.7.3-1] an empty topic', mqtt.publish('', 'x')],
    ['[MQTT-4.7.3-2] [MQTT-1.5.3-2] U+0000 in the topic', mqtt.publish('a\u0000b', 'x')],
    ['[MQTT-1.5.3-1] a topic that is no UTF-8', mqtt.publish(Buffer.from([0x61, 0xff]), 'x')],
    ['[MQTT-1.5.3-1] a surrogate', mqtt.publish(Buffer.from([0xed, 0xa0, 0x80]), 'x')],
    ['[MQTT-1.5.3-1] an overlong encoding', mqtt.publish(Buffer.from([0xc0, 0xaf]), 'x')],
  ];
  for (const [what, bytes] of malformed) {
    test(`ends the connection: ${what}`, async () => {
      const { site, from, to } = await pair('#', 0);
      await from.send(bytes);
      assert.equal(from.isClosed, true);
      assert.deepEqual(to.heard(), []);
      assert.deepEqual(await to.send(mqtt.PINGREQ), ['pingresp']);
      assert.deepEqual(site.door.admitted, []);
    });
  }

  test('[MQTT-1.5.3-3] U+FEFF is part of the topic', async () => {
    const { from, to } = await pair('\ufeffa', 0);
    await from.send(mqtt.publish('a', 'other'), mqtt.publish('\ufeffa', 'same'));
    assert.deepEqual(to.heard(), ['publish \ufeffa same qos0']);
  });

  test('[MQTT-2.3.1-5] QoS 0 has no packet identifier, in neither direction', async () => {
    const { from, to } = await pair('a', 2);
    await from.send(mqtt.publish('a', 'payload'));
    assert.deepEqual(to.heard(), ['publish a payload qos0']);
  });

  test('[MQTT-3.3.2-3] the topic of a delivery is the one it was published to', async () => {
    const { from, to } = await pair('a/+/c', 0);
    await from.send(mqtt.publish('a/b/c', 'x'));
    assert.deepEqual(to.heard(), ['publish a/b/c x qos0']);
  });

  test('payloads of any size arrive whole, also beyond what is gathered', async () => {
    const { from, to } = await pair('a', 1);
    for (const [index, size] of [0, 1, 127, 128, 16_383, 16_384, 100_000, 300_000].entries()) {
      await from.send(mqtt.publish('a', Buffer.alloc(size, 0x7a), { qos: index % 2, id: 7 }));
      const [heard] = to.heard();
      const shown = size === 0 ? '' : size <= 40 ? ` ${'z'.repeat(size)}` : ` (${size} bytes)`;
      assert.ok(heard?.startsWith(`publish a${shown} qos${index % 2}`), heard);
    }
  });

  test('[MQTT-3.3.5-2] what may not be published is acknowledged and goes nowhere', async () => {
    const { site, from, to } = await pair('#', 0);
    const heard = await from.send(
      mqtt.publish('secret/x', '1', { qos: 1, id: 1 }),
      mqtt.publish('secret/x', '2', { qos: 2, id: 2 }),
      mqtt.publish('$SYS/x', '3', { qos: 1, id: 3 }),
      mqtt.publish('hub/power', '4', { qos: 1, id: 4, retain: true }),
      mqtt.publish('secret/x', '5'),
    );
    assert.deepEqual(heard, ['puback 1', 'pubrec 2', 'puback 3', 'puback 4']);
    assert.deepEqual(to.heard(), []);
    assert.deepEqual(site.door.admitted, []);
    const { denied, retained } = site.broker.stat();
    assert.deepEqual({ denied, retained }, { denied: 5, retained: 0 });
  });
});

describe('QoS', () => {
  test('[MQTT-3.8.4-6] a delivery has the lower QoS of publish and subscription', async () => {
    for (const published of [0, 1, 2]) {
      for (const subscribed of [0, 1, 2]) {
        const { from, to } = await pair('a', subscribed);
        await from.send(mqtt.publish('a', 'x', { qos: published, id: 5 }));
        const qos = Math.min(published, subscribed);
        assert.deepEqual(to.heard(), [`publish a x qos${qos}${qos > 0 ? ' id1' : ''}`]);
      }
    }
  });

  test('[MQTT-3.3.5-1] overlapping subscriptions deliver once, at the highest QoS', async () => {
    const { from, to } = await pair('a/#', 0);
    await to.send(mqtt.subscribe(2, ['a/+', 2], ['a/b', 1]));
    await from.send(mqtt.publish('a/b', 'x', { qos: 2 }));
    assert.deepEqual(to.heard(), ['publish a/b x qos2 id1']);
  });

  test('[MQTT-4.3.1-1] QoS 0 is sent once, without DUP, and not kept', async () => {
    const site = new Site();
    const kept = await site.client('k', { clean: false });
    const publisher = await site.client('p');
    await kept.send(mqtt.subscribe(1, ['a', 1]));
    await publisher.send(mqtt.publish('a', 'there'));
    assert.deepEqual(kept.heard(), ['publish a there qos0']);
    await kept.send(mqtt.DISCONNECT);
    await publisher.send(mqtt.publish('a', 'away'));
    const again = await site.client('k', { clean: false });
    assert.deepEqual(again.heard(), []);
  });

  test('[MQTT-4.3.2-1] [MQTT-2.3.1-4] QoS 1 out: an unused identifier, DUP 0, open until PUBACK', async () => {
    const { site, from, to } = await pair('a', 1);
    await from.send(mqtt.publish('a', '1', { qos: 1 }), mqtt.publish('a', '2', { qos: 1 }));
    assert.deepEqual(to.heard(), ['publish a 1 qos1 id1', 'publish a 2 qos1 id2']);
    assert.equal(site.broker.stat().queued, 2);
    await to.send(mqtt.puback(2), mqtt.puback(1), mqtt.puback(1), mqtt.puback(999));
    assert.equal(site.broker.stat().queued, 0);
  });

  test('[MQTT-4.3.2-2] [MQTT-2.3.1-6] [MQTT-3.3.4-1] QoS 1 in: PUBACK, and then the identifier is free', async () => {
    const { site, from, to } = await pair('a', 0);
    for (const dup of [false, true]) {
      const heard = await from.send(mqtt.publish('a', 'x', { qos: 1, id: 77, dup }));
      assert.deepEqual(heard, ['puback 77']);
    }
    assert.deepEqual(to.heard(), ['publish a x qos0', 'publish a x qos0']);
    assert.equal(site.door.admitted.length, 2);
  });

  test('[MQTT-4.3.3-1] QoS 2 out: PUBLISH, PUBREL after PUBREC, open until PUBCOMP', async () => {
    const { site, from, to } = await pair('a', 2);
    await from.send(mqtt.publish('a', 'x', { qos: 2 }));
    assert.deepEqual(to.heard(), ['publish a x qos2 id1']);
    assert.deepEqual(await to.send(mqtt.pubrec(1)), ['pubrel 1']);
    assert.deepEqual(await to.send(mqtt.pubrec(1)), ['pubrel 1']);
    assert.equal(site.broker.stat().queued, 1);
    assert.deepEqual(await to.send(mqtt.pubcomp(1)), []);
    assert.equal(site.broker.stat().queued, 0);
  });

  test('[MQTT-4.3.3-2] [MQTT-3.3.4-1] QoS 2 in: exactly once until PUBREL, then the identifier is free', async () => {
    const { site, from, to } = await pair('a', 0);
    const once = mqtt.publish('a', 'x', { qos: 2, id: 9 });
    const again = mqtt.publish('a', 'x', { qos: 2, id: 9, dup: true });
    assert.deepEqual(await from.send(once, again), ['pubrec 9', 'pubrec 9']);
    assert.deepEqual(to.heard(), ['publish a x qos0']);
    assert.deepEqual(await from.send(mqtt.pubrel(9), mqtt.pubrel(9)), ['pubcomp 9', 'pubcomp 9']);
    assert.deepEqual(await from.send(once), ['pubrec 9']);
    assert.equal(site.door.admitted.length, 2);
  });

  test('[MQTT-4.3.3-2] a QoS 2 identifier is remembered over a reconnect of a kept session', async () => {
    const site = new Site();
    const first = await site.client('p', { clean: false });
    await first.send(mqtt.publish('a', 'x', { qos: 2, id: 9 }));
    await first.vanish();
    const second = await site.client('p', { clean: false });
    const heard = await second.send(
      mqtt.publish('a', 'x', { qos: 2, id: 9, dup: true }),
      mqtt.pubrel(9),
    );
    assert.deepEqual(heard, ['pubrec 9', 'pubcomp 9']);
    assert.equal(site.door.admitted.length, 1);
  });

  test('[MQTT-3.6.1-1] PUBREL with other flags ends the connection', async () => {
    const probe = await new Site().client('a');
    await probe.send(mqtt.packet(0x60, [0, 1]));
    assert.equal(probe.isClosed, true);
  });

  for (const first of [0x41, 0x52, 0x71]) {
    test(`[MQTT-2.2.2-1] [MQTT-2.2.2-2] flags of ${first.toString(16)} end the connection`, async () => {
      const probe = await new Site().client('a');
      await probe.send(mqtt.packet(first, [0, 1]));
      assert.equal(probe.isClosed, true);
    });
  }

  for (const first of [0x00, 0x20, 0x90, 0xb0, 0xd0, 0xf0]) {
    test(`[MQTT-4.8.0-1] a packet that is not for clients ends the connection: ${first}`, async () => {
      const probe = await new Site().client('a');
      await probe.send(mqtt.packet(first, [0, 1]));
      assert.equal(probe.isClosed, true);
    });
  }
});

describe('redelivery and order', () => {
  const keeps = { clean: false };

  test('[MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-3.3.1-1] [MQTT-2.3.1-3] what is open is sent again, in order, with DUP', async () => {
    const site = new Site();
    const kept = await site.client('k', keeps);
    await kept.send(mqtt.subscribe(1, ['a', 2]));
    const publisher = await site.client('p');
    await publisher.send(
      mqtt.publish('a', '1', { qos: 1, id: 1 }),
      mqtt.publish('a', '2', { qos: 2, id: 2 }),
      mqtt.publish('a', '3', { qos: 2, id: 3 }),
      mqtt.publish('a', '4', { qos: 1, id: 4 }),
    );
    await kept.send(mqtt.pubrec(2), mqtt.puback(4));
    await kept.vanish();
    await publisher.send(mqtt.publish('a', '5', { qos: 1, id: 5 }));
    const again = site.dial();
    assert.deepEqual(await again.send(mqtt.connect({ id: 'k', ...keeps })), [
      'connack 0 present',
      'publish a 1 qos1 id1 dup',
      'pubrel 2',
      'publish a 3 qos2 id3 dup',
      'publish a 5 qos1 id5',
    ]);
  });

  test('[MQTT-3.3.1-3] DUP of the publisher is not passed on', async () => {
    const { from, to } = await pair('a', 1);
    await from.send(mqtt.publish('a', 'x', { qos: 1, dup: true }));
    assert.deepEqual(to.heard(), ['publish a x qos1 id1']);
  });

  test('[MQTT-4.6.0-5] [MQTT-4.6.0-6] messages of a topic arrive in the order they were published', async () => {
    for (const qos of [0, 1, 2]) {
      const { from, to } = await pair('a', 2);
      const publishes = Array.from({ length: 20 }, (_, i) =>
        mqtt.publish('a', `${i}`, { qos, id: i + 1 }),
      );
      await from.send(...publishes);
      const payloads = to.heard().map((words) => Number(words.split(' ')[2]));
      assert.deepEqual(
        payloads,
        Array.from({ length: 20 }, (_, i) => i),
      );
    }
  });

  test('[MQTT-4.6.0-2] [MQTT-4.6.0-3] acks leave in the order of the publishes', async () => {
    const site = new Site();
    const probe = await site.client('a');
    site.door.mode = 'journal';
    const heard = await probe.send(
      mqtt.publish('a', 'x', { qos: 1, id: 3 }),
      mqtt.publish('a', 'x', { qos: 2, id: 1 }),
      mqtt.publish('secret/a', 'x', { qos: 1, id: 2 }),
    );
    assert.deepEqual(heard, []);
    await site.commit();
    assert.deepEqual(probe.heard(), ['puback 3', 'pubrec 1', 'puback 2']);
  });

  test('[MQTT-4.6.0-4] PUBREL packets leave in the order of the PUBREC packets', async () => {
    const { from, to } = await pair('a', 2);
    await from.send(
      mqtt.publish('a', '1', { qos: 2, id: 1 }),
      mqtt.publish('a', '2', { qos: 2, id: 2 }),
    );
    to.heard();
    assert.deepEqual(await to.send(mqtt.pubrec(2), mqtt.pubrec(1)), ['pubrel 2', 'pubrel 1']);
  });

  test('[MQTT-4.5.0-1] a message goes to every session with a matching subscription', async () => {
    const { site, from, to } = await pair('a/#', 1);
    const other = await site.client('other');
    await other.send(mqtt.subscribe(1, ['+/b', 0]));
    const unrelated = await site.client('unrelated');
    await unrelated.send(mqtt.subscribe(1, ['a/c', 0]));
    await from.send(mqtt.publish('a/b', 'x', { qos: 1 }));
    assert.deepEqual(to.heard(), ['publish a/b x qos1 id1']);
    assert.deepEqual(other.heard(), ['publish a/b x qos0']);
    assert.deepEqual(unrelated.heard(), []);
  });
});

describe('retained messages', () => {
  async function retained(...packets: Buffer[]): Promise<{ site: Site; late: Probe }> {
    const site = new Site();
    await (await site.client('p')).send(...packets);
    return { site, late: await site.client('late') };
  }

  test('[MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-8] a new subscription gets the last one, with its QoS and RETAIN', async () => {
    const { late } = await retained(
      mqtt.publish('a/1', 'old', { retain: true, qos: 1 }),
      mqtt.publish('a/1', 'new', { retain: true, qos: 1 }),
      mqtt.publish('a/2', 'two', { retain: true, qos: 2, id: 2 }),
    );
    assert.deepEqual(await late.send(mqtt.subscribe(1, ['a/+', 2])), [
      'suback 1: 2',
      'publish a/1 new qos1 id1 retained',
      'publish a/2 two qos2 id2 retained',
    ]);
  });

  test('[MQTT-3.3.1-7] a QoS 0 message replaces it', async () => {
    const { late } = await retained(
      mqtt.publish('a', 'one', { retain: true, qos: 1 }),
      mqtt.publish('a', 'zero', { retain: true }),
    );
    const heard = await late.send(mqtt.subscribe(1, ['a', 1]));
    assert.deepEqual(heard, ['suback 1: 1', 'publish a zero qos0 retained']);
  });

  test('a QoS 0 message does not overtake a retained one that waits for the journal', async () => {
    const site = new Site();
    site.door.mode = 'journal';
    const publisher = await site.client('p');
    await publisher.send(
      mqtt.publish('a', 'first', { retain: true, qos: 1 }),
      mqtt.publish('a', 'last', { retain: true }),
    );
    await site.commit();
    const late = await site.client('late');
    const heard = await late.send(mqtt.subscribe(1, ['a', 0]));
    assert.deepEqual(heard, ['suback 1: 0', 'publish a last qos0 retained']);
  });

  test('[MQTT-3.3.1-9] an established subscription gets it without RETAIN', async () => {
    const { from, to } = await pair('a', 1);
    await from.send(
      mqtt.publish('a', 'x', { retain: true }),
      mqtt.publish('a', 'y', { retain: true, qos: 1 }),
    );
    assert.deepEqual(to.heard(), ['publish a x qos0', 'publish a y qos1 id1']);
  });

  test('[MQTT-3.3.1-10] [MQTT-3.3.1-11] an empty payload clears it, and is delivered', async () => {
    const { from, to, site } = await pair('a', 0);
    await from.send(
      mqtt.publish('a', 'x', { retain: true }),
      mqtt.publish('a', '', { retain: true }),
    );
    assert.deepEqual(to.heard(), ['publish a x qos0', 'publish a qos0']);
    assert.equal(site.broker.stat().retained, 0);
    const late = await site.client('late');
    assert.deepEqual(await late.send(mqtt.subscribe(1, ['a', 0])), ['suback 1: 0']);
  });

  test('[MQTT-3.3.1-12] a message without RETAIN changes nothing', async () => {
    const { late } = await retained(
      mqtt.publish('a', 'kept', { retain: true }),
      mqtt.publish('a', 'passing'),
      mqtt.publish('a', ''),
    );
    const heard = await late.send(mqtt.subscribe(1, ['a', 0]));
    assert.deepEqual(heard, ['suback 1: 0', 'publish a kept qos0 retained']);
  });

  test('beyond the limit a new topic is delivered but not retained, and counted', async () => {
    const site = new Site({ limits: { retainedMessagesMax: 1 } });
    const probe = await site.client('p');
    await probe.send(mqtt.subscribe(1, ['#', 0]));
    const heard = await probe.send(
      mqtt.publish('a', '1', { retain: true }),
      mqtt.publish('b', '2', { retain: true }),
      mqtt.publish('a', '3', { retain: true }),
    );
    assert.deepEqual(heard, ['publish a 1 qos0', 'publish b 2 qos0', 'publish a 3 qos0']);
    const { retained: count, notRetained } = site.broker.stat();
    assert.deepEqual({ count, notRetained }, { count: 1, notRetained: 1 });
    await site.turn(30_000);
    assert.ok(site.logged.some(({ event }) => event === 'broker.retained.full'));
  });
});
