/**
 * What the standard leaves to the server and a device may have learnt from Mosquitto: expectations of the suites that come with
 * that broker (`test/broker` of its source), where they go beyond `[MQTT-x.y.z-n]`.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { DurableSite } from '../../../support/simulated/durable-site.ts';
import { type Probe, Site } from '../../../support/simulated/broker-site.ts';
import * as mqtt from '../../../support/made/mqtt-packets.ts';

const OLD = { name: 'MQIsdp', level: 3 };

describe('MQTT 3.1 reserves no bits', () => {
  test('in the first byte and the flags of CONNECT', async () => {
    const plain = mqtt.connect({ ...OLD, flags: 0x03 });
    const withQos = Buffer.from(plain);
    withQos[0] = 0x14;
    for (const bytes of [plain, withQos]) {
      assert.deepEqual(await new Site().dial().send(bytes), ['connack 0']);
    }
  });

  test('where 3.1.1 does', async () => {
    const withQos = mqtt.connect();
    withQos[0] = 0x14;
    const probe = new Site().dial();
    assert.deepEqual(await probe.send(withQos), []);
    assert.equal(probe.isClosed, true);
  });

  test('in packets behind CONNECT', async () => {
    const old = await new Site().client('old', OLD);
    const ping = Buffer.from(mqtt.PINGREQ);
    ping[0] = 0xc2;
    assert.deepEqual(await old.send(ping), ['pingresp']);
  });
});

test('a will below `$…` is taken, as bridges name one there, and goes nowhere, as a publish there', async () => {
  const site = new Site();
  const watcher = await site.client('watcher');
  await watcher.send(mqtt.subscribe(1, ['#', 1], ['$SYS/broker/connection/#', 1]));
  const topic = '$SYS/broker/connection/hut/state';
  const bridge = await site.client('hut', { will: { topic, payload: '0', qos: 1, retain: true } });
  assert.deepEqual(await bridge.send(mqtt.publish(topic, '1', { qos: 1, retain: true })), [
    'puback 1',
  ]);
  await bridge.vanish();
  assert.deepEqual(watcher.heard(), []);
  assert.deepEqual(site.door.admitted, []);
});

describe('control characters and code points that are no characters close the connection', () => {
  const texts = ['a\u0001', 'a\u001f', '\u007f', 'a\u009fb', '\ufdd0', 'a\uffff', '\u{3fffe}'];
  const packets: [string, (text: string) => Buffer][] = [
    ['client id', (id) => mqtt.connect({ id })],
    ['user name', (username) => mqtt.connect({ username })],
    ['will topic', (topic) => mqtt.connect({ will: { topic, payload: 'x' } })],
    ['topic', (topic) => mqtt.publish(topic, 'x')],
    ['filter', (filter) => mqtt.subscribe(1, [filter, 0])],
    ['filter of UNSUBSCRIBE', (filter) => mqtt.unsubscribe(1, filter)],
  ];
  for (const [place, packet] of packets) {
    test(`in a ${place}`, async () => {
      for (const text of texts) {
        const probe = new Site().dial();
        const bytes = packet(text);
        const isConnect = bytes[0] === 0x10;
        if (!isConnect) await probe.send(mqtt.connect());
        assert.deepEqual(await probe.send(bytes), [], JSON.stringify(text));
        assert.equal(probe.isClosed, true, JSON.stringify(text));
      }
    });
  }

  test('what looks like them and is none passes', async () => {
    const probe = await new Site().client('a');
    const topics = ['~', '\u00a0', '\ufdf0', '\ufffd', '\u{1f600}', '\u{3fffd}'];
    const heard = await probe.send(...topics.map((text) => mqtt.publish(text, 'x', { qos: 1 })));
    assert.equal(heard.length, topics.length);
  });
});

type Said = (...packets: Buffer[]) => Promise<string[]>;

/** A subscriber at QoS 2 that was sent a message of QoS 1 as 1 and one of QoS 2 as 2; to a clean or to a kept session. */
async function withTwoUnderWay(kept: boolean): Promise<{ probe: Probe; say: Said }> {
  const packets = [
    mqtt.subscribe(1, ['p', 2]),
    mqtt.publish('p', 'x', { qos: 1 }),
    mqtt.publish('p', 'x', { qos: 2, id: 9 }),
  ];
  if (!kept) {
    const probe = await new Site().client('a');
    await probe.send(...packets);
    return { probe, say: (...more) => probe.send(...more) };
  }
  const site = await DurableSite.open();
  const probe = await site.client('a');
  for (const packet of packets) await site.say(probe, packet);
  return { probe, say: (...more) => site.say(probe, ...more) };
}

for (const kept of [false, true]) {
  describe(`acknowledgements of a ${kept ? 'kept' : 'clean'} session`, () => {
    const wrong: [string, Buffer[]][] = [
      ['PUBREC for QoS 1', [mqtt.pubrec(1)]],
      ['PUBCOMP for QoS 1', [mqtt.pubcomp(1)]],
      ['PUBACK for QoS 2', [mqtt.puback(2)]],
      ['PUBCOMP before PUBREC', [mqtt.pubcomp(2)]],
      ['PUBACK behind PUBREC', [mqtt.pubrec(2), mqtt.puback(2)]],
    ];
    for (const [name, packets] of wrong) {
      test(`${name} closes the connection`, async () => {
        const { probe, say } = await withTwoUnderWay(kept);
        for (const packet of packets) await say(packet);
        assert.equal(probe.isClosed, true);
      });
    }

    test('PUBREC twice is answered twice, and what is not under way is passed over', async () => {
      const { probe, say } = await withTwoUnderWay(kept);
      assert.deepEqual(await say(mqtt.pubrec(2)), ['pubrel 2']);
      assert.deepEqual(await say(mqtt.pubrec(2)), ['pubrel 2']);
      await say(mqtt.pubcomp(2), mqtt.puback(1));
      await say(mqtt.pubcomp(2), mqtt.puback(1), mqtt.puback(77), mqtt.pubcomp(60_000));
      assert.deepEqual(await say(mqtt.pubrec(78)), ['pubrel 78']);
      assert.equal(probe.isClosed, false);
    });
  });
}

describe('filters', () => {
  test('of UNSUBSCRIBE are checked like those of SUBSCRIBE', async () => {
    for (const filters of [['a', ''], ['', 'a'], ['a#'], ['a/#/b']]) {
      const probe = await new Site().client('a');
      assert.deepEqual(await probe.send(mqtt.unsubscribe(1, ...filters)), []);
      assert.equal(probe.isClosed, true);
    }
    const probe = await new Site().client('a');
    assert.deepEqual(await probe.send(mqtt.unsubscribe(1, 'a'.repeat(2000))), ['unsuback 1']);
  });

  test('and topics have up to 201 levels', async () => {
    const probe = await new Site().client('a');
    const deep = '/'.repeat(200);
    const heard = await probe.send(mqtt.subscribe(1, [deep, 0]), mqtt.publish(deep, 'x'));
    assert.deepEqual(heard, ['suback 1: 0', `publish ${deep} x qos0`]);
    await probe.send(mqtt.subscribe(2, [`${deep}/`, 0]));
    assert.equal(probe.isClosed, true);
  });

  test('cost memory only up to a limit of their own', async () => {
    const site = new Site({ limits: { subscriptionBytesMax: 128 * 1024 } });
    const probe = await site.client('a');
    const deep = (first: number): [string, number] => [`${first}${'/x'.repeat(200)}`, 0];
    const filters = Array.from({ length: 5 }, (_, i) => deep(i));
    assert.deepEqual(await probe.send(mqtt.subscribe(1, ...filters)), [
      'suback 1: 0 0 128 128 128',
    ]);
    assert.deepEqual(await probe.send(mqtt.subscribe(2, deep(3))), ['suback 2: 128']);
    await probe.send(mqtt.unsubscribe(3, deep(0)[0]));
    assert.deepEqual(await probe.send(mqtt.subscribe(4, deep(3))), ['suback 4: 0']);
  });
});
