/** MQTT 3.1.1 §3.1, §3.2, §3.14: statements about CONNECT, CONNACK and DISCONNECT. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import * as mqtt from '../../../support/made/mqtt-packets.ts';
import { Site } from '../../../support/simulated/broker-site.ts';

describe('the first packets', () => {
  test('[MQTT-3.1.0-1] the first packet must be CONNECT', async () => {
    const probe = new Site().dial();
    assert.deepEqual(await probe.send(mqtt.PINGREQ), []);
    assert.equal(probe.isClosed, true);
  });

  test('[MQTT-3.1.0-2] a second CONNECT ends the connection', async () => {
    const probe = await new Site().client('a');
    assert.deepEqual(await probe.send(mqtt.connect({ id: 'a' })), []);
    assert.equal(probe.isClosed, true);
  });

  test('[MQTT-3.2.0-1] [MQTT-3.1.4-4] the first answer is CONNACK with return code 0', async () => {
    const site = new Site();
    const probe = site.dial();
    const heard = await probe.send(mqtt.connect(), mqtt.PINGREQ);
    assert.deepEqual(heard, ['connack 0', 'pingresp']);
  });

  test('what came before a breach of the standard in the same write is answered', async () => {
    for (const breach of [mqtt.packet(0xf0), Buffer.of(0xc0, 0xff, 0xff, 0xff, 0xff)]) {
      const probe = new Site().dial();
      const subscribe = mqtt.subscribe(1, ['a', 1]);
      const heard = await probe.send(mqtt.connect(), subscribe, mqtt.PINGREQ, breach);
      assert.deepEqual(heard, ['connack 0', 'suback 1: 1', 'pingresp']);
      assert.equal(probe.isClosed, true);
    }
  });

  test('a connection that sends nothing is closed after ten seconds, one that trickles as well', async () => {
    const site = new Site();
    const silent = site.dial();
    const trickling = site.dial();
    const bytes = mqtt.connect({ id: 'slow' });
    for (let i = 0; i < 3; i++) {
      await trickling.send(bytes.subarray(i, i + 1));
      await site.turn(4_000);
    }
    assert.deepEqual([silent.isClosed, trickling.isClosed], [true, true]);
    const prompt = site.dial();
    await prompt.send(bytes.subarray(0, 5));
    await site.turn(9_000);
    assert.deepEqual(await prompt.send(bytes.subarray(5)), ['connack 0']);
    await site.turn(60_000);
    assert.equal(prompt.isClosed, false);
  });
});

describe('protocol name and level', () => {
  test('[MQTT-3.1.2-1] another protocol name ends the connection without an answer', async () => {
    const probe = new Site().dial();
    assert.deepEqual(await probe.send(mqtt.connect({ name: 'MQTTX' })), []);
    assert.equal(probe.isClosed, true);
  });

  for (const [name, level] of [
    ['MQTT', 3],
    ['MQTT', 6],
    ['MQTT', 0x84],
    ['MQIsdp', 4],
  ] as const) {
    test(`[MQTT-3.1.2-2] ${name} level ${level} is answered with return code 1`, async () => {
      const probe = new Site().dial();
      assert.deepEqual(await probe.send(mqtt.connect({ name, level })), ['connack 1']);
      assert.equal(probe.isClosed, true);
    });
  }

  test('an MQTT 5 client is told so in MQTT 5, and the log says what to set', async () => {
    const site = new Site();
    const probe = site.dial();
    const body = [mqtt.text('MQTT'), [5, 2, 0, 0, 0], mqtt.text('five')];
    const heard = await probe.send(mqtt.packet(0x10, ...body));
    assert.deepEqual(heard, ['connack 132 mqtt5']);
    assert.equal(probe.isClosed, true);
    const line = site.logged.find(({ event }) => event === 'broker.client.refused');
    assert.match(String(line?.fields['reason']), /3\.1\.1/);
  });

  test('MQTT 3.1 is served: its name, level and its DUP bits', async () => {
    const site = new Site();
    const old = await site.client('old', { name: 'MQIsdp', level: 3 });
    const subscribe = mqtt.subscribe(1, ['a/b', 1]);
    subscribe[0] = 0x8a; // SUBSCRIBE with DUP.
    assert.deepEqual(await old.send(subscribe), ['suback 1: 1']);
    const heard = await old.send(mqtt.publish('a/b', 'x', { qos: 1 }));
    assert.deepEqual(heard.toSorted(), ['puback 1', 'publish a/b x qos1 id1']);
  });

  test('MQTT 3.1 has no session-present flag and no refused subscriptions', async () => {
    const site = new Site();
    const old = { name: 'MQIsdp', level: 3, id: 'old', clean: false };
    await (await site.client('old', old)).send(mqtt.DISCONNECT);
    const again = site.dial();
    assert.deepEqual(await again.send(mqtt.connect(old)), ['connack 0']);
    assert.deepEqual(await again.send(mqtt.subscribe(1, ['secret/x', 1])), ['suback 1: 1']);
    assert.equal(site.broker.stat().subscriptions, 0);
  });
});

describe('connect flags and payload', () => {
  const malformed: [string, Buffer][] = [
    ['[MQTT-3.1.2-3] the reserved flag', mqtt.connect({ flags: 0x03 })],
    ['[MQTT-3.1.2-9] a will flag without its fields', mqtt.connect({ flags: 0x06 })],
    ['[MQTT-3.1.2-13] will QoS without a will', mqtt.connect({ flags: 0x0a })],
    ['[MQTT-3.1.2-15] will retain without a will', mqtt.connect({ flags: 0x22 })],
    [
      '[MQTT-3.1.2-11] will fields without the will flag',
      mqtt.connect({ will: { topic: 'w', payload: 'x' }, flags: 0x02 }),
    ],
    ['[MQTT-3.1.2-14] will QoS 3', mqtt.connect({ will: { topic: 'w', payload: 'x', qos: 3 } })],
    ['[MQTT-3.1.2-18] a user name without its flag', mqtt.connect({ username: 'u', flags: 0x02 })],
    ['[MQTT-3.1.2-19] a user name flag without a name', mqtt.connect({ flags: 0x82 })],
    [
      '[MQTT-3.1.2-20] a password without its flag',
      mqtt.connect({ username: 'u', password: 'p', flags: 0x82 }),
    ],
    [
      '[MQTT-3.1.2-21] a password flag without a password',
      mqtt.connect({ username: 'u', flags: 0xc2 }),
    ],
    ['[MQTT-3.1.2-22] a password without a user name', mqtt.connect({ password: 'p' })],
    ['[MQTT-3.1.3-3] no client id at all', mqtt.packet(0x10, mqtt.text('MQTT'), [4, 2, 0, 0])],
    [
      '[MQTT-3.1.3-4] a client id that is no UTF-8',
      mqtt.packet(0x10, mqtt.text('MQTT'), [4, 2, 0, 0], mqtt.text(Buffer.from([0xff, 0xfe]))),
    ],
    [
      '[MQTT-3.1.3-10] a will topic that is no UTF-8',
      mqtt.packet(
        0x10,
        mqtt.text('MQTT'),
        [4, 6, 0, 0],
        mqtt.text('id'),
        mqtt.text(Buffer.from([0xc3, 0x28])),
        mqtt.text('x'),
      ),
    ],
    [
      '[MQTT-3.1.3-11] a user name that is no UTF-8',
      mqtt.packet(
        0x10,
        mqtt.text('MQTT'),
        [4, 0x82, 0, 0],
        mqtt.text('id'),
        mqtt.text(Buffer.from([0xed, 0xa0, 0x80])),
      ),
    ],
    ['a will topic with a wildcard', mqtt.connect({ will: { topic: 'w/#', payload: 'x' } })],
    ['bytes left over', Buffer.concat([mqtt.packet(0x10, mqtt.connect().subarray(2), [0])])],
    [
      '[MQTT-2.2.2-2] reserved flags of the fixed header',
      mqtt.packet(0x11, mqtt.connect().subarray(2)),
    ],
  ];
  for (const [what, bytes] of malformed) {
    test(`[MQTT-3.1.4-1] [MQTT-3.2.2-6] closed without CONNACK: ${what}`, async () => {
      const probe = new Site().dial();
      assert.deepEqual(await probe.send(bytes), []);
      assert.equal(probe.isClosed, true);
    });
  }

  test('[MQTT-3.1.3-1] client id, will topic, will message, user name and password come in this order', async () => {
    const site = new Site();
    const watcher = await site.client('watcher');
    await watcher.send(mqtt.subscribe(1, ['wills/#', 0]));
    const will = { topic: 'wills/a', payload: 'gone' };
    const probe = await site.client('a', { will, username: 'anna', password: 'pw' });
    assert.equal(site.gatekeeper.asked.at(-1), 'a anna pw');
    await probe.vanish();
    assert.deepEqual(watcher.heard(), ['publish wills/a gone qos0']);
  });
});

describe('client ids', () => {
  test('[MQTT-3.1.3-5] letters and digits, 1 to 23 bytes, are allowed', async () => {
    const site = new Site();
    for (const id of [
      'a',
      '0123456789abcdefghijklm',
      'nopqrstuvwxyzABCDEFGHIJ',
      'KLMNOPQRSTUVWXYZ',
    ]) {
      await site.client(id);
    }
    assert.equal(site.broker.stat().clients, 4);
  });

  test('[MQTT-3.1.3-6] an empty client id gets one of its own', async () => {
    const site = new Site();
    await site.client('auto-2');
    const probes = [await site.client(''), await site.client(''), await site.client('')];
    assert.equal(site.broker.stat().sessions, 4);
    assert.ok(probes.every(({ isClosed }) => !isClosed));
  });

  for (const [what, fields] of [
    [
      '[MQTT-3.1.3-7] [MQTT-3.1.3-8] empty, for a session that shall be kept',
      { id: '', clean: false },
    ],
    ['empty, in MQTT 3.1', { id: '', name: 'MQIsdp', level: 3 }],
    ['[MQTT-3.1.3-9] longer than the limit', { id: 'x'.repeat(257) }],
  ] as const) {
    test(`refused with return code 2: ${what}`, async () => {
      const probe = new Site().dial();
      assert.deepEqual(await probe.send(mqtt.connect(fields)), ['connack 2']);
      assert.equal(probe.isClosed, true);
    });
  }

  test('[MQTT-3.1.4-2] a second client with the same id ends the first, whose will is published', async () => {
    const site = new Site();
    const watcher = await site.client('watcher');
    await watcher.send(mqtt.subscribe(1, ['wills', 0]));
    const first = await site.client('same', { will: { topic: 'wills', payload: 'taken over' } });
    const second = await site.client('same');
    assert.deepEqual([first.isClosed, second.isClosed], [true, false]);
    assert.deepEqual(watcher.heard(), ['publish wills taken over qos0']);
    assert.deepEqual(await second.send(mqtt.PINGREQ), ['pingresp']);
    assert.equal(site.broker.stat().sessions, 2);
  });

  test('a session of one user is not handed to another who knows its client id', async () => {
    const site = new Site();
    const anna = await site.client('meter', { clean: false, username: 'anna' });
    const thief = site.dial();
    const heard = await thief.send(mqtt.connect({ id: 'meter', clean: false, username: 'bert' }));
    assert.deepEqual(heard, ['connack 2']);
    assert.deepEqual([anna.isClosed, thief.isClosed], [false, true]);
  });
});

describe('who may come in', () => {
  for (const [what, fields, code] of [
    ['wrong credentials', { username: 'stranger', password: 'x' }, 4],
    ['a gatekeeper that fails', { username: 'broken' }, 3],
    ['a will that may not be said', { will: { topic: 'secret/x', payload: 'x' } }, 5],
  ] as const) {
    test(`[MQTT-3.2.2-4] [MQTT-3.2.2-5] return code ${code} and the end: ${what}`, async () => {
      const probe = new Site().dial();
      assert.deepEqual(await probe.send(mqtt.connect(fields)), [`connack ${code}`]);
      assert.equal(probe.isClosed, true);
    });
  }

  test('[MQTT-3.2.2-4] who is refused is not told that there is a session', async () => {
    const site = new Site();
    await (await site.client('k', { clean: false })).send(mqtt.DISCONNECT);
    const stranger = { id: 'k', clean: false, username: 'stranger' };
    assert.deepEqual(await site.dial().send(mqtt.connect(stranger)), ['connack 4']);
    const again = await site.dial().send(mqtt.connect({ id: 'k', clean: false }));
    assert.deepEqual(again, ['connack 0 present']);
  });

  test('[MQTT-3.1.4-5] nothing behind a refused CONNECT is dealt with', async () => {
    const site = new Site();
    const probe = site.dial();
    const refused = mqtt.connect({ username: 'stranger' });
    const heard = await probe.send(refused, mqtt.publish('a', 'x', { qos: 1 }), mqtt.PINGREQ);
    assert.deepEqual(heard, ['connack 4']);
    assert.deepEqual(site.door.admitted, []);
  });

  test('what is pipelined behind CONNECT waits until the gatekeeper has answered', async () => {
    const site = new Site();
    const probe = site.dial();
    const hasty = mqtt.publish('a', 'x', { qos: 1 });
    assert.deepEqual(await probe.send(mqtt.connect({ username: 'slow' }), hasty), []);
    assert.deepEqual(await probe.send(mqtt.PINGREQ), []);
    assert.deepEqual(site.door.admitted, []);
    await site.turn(1000);
    assert.deepEqual(probe.heard(), ['connack 0', 'puback 1', 'pingresp']);
  });

  test('a client that leaves while the gatekeeper thinks leaves nothing behind', async () => {
    const site = new Site();
    const probe = site.dial();
    await probe.send(mqtt.connect({ username: 'slow', clean: false }));
    await probe.vanish();
    await site.turn(1000);
    assert.equal(site.broker.stat().sessions, 0);
  });

  test('sessions beyond the limit are refused with return code 3', async () => {
    const site = new Site({ limits: { sessionsMax: 1 } });
    await site.client('a');
    assert.deepEqual(await site.dial().send(mqtt.connect({ id: 'b' })), ['connack 3']);
    assert.equal(site.broker.stat().sessionsRefused, 1);
    await site.client('a');
  });
});

describe('sessions', () => {
  const keeps = { id: 'k', clean: false };

  test('[MQTT-3.2.2-2] [MQTT-3.2.2-3] session present says whether there is one', async () => {
    const site = new Site();
    assert.deepEqual(await site.dial().send(mqtt.connect(keeps)), ['connack 0']);
    assert.deepEqual(await site.dial().send(mqtt.connect(keeps)), ['connack 0 present']);
  });

  test('[MQTT-3.2.2-1] [MQTT-3.1.2-6] [MQTT-3.1.4-3] a clean session begins and ends with nothing', async () => {
    const site = new Site();
    const kept = await site.client('k', keeps);
    await kept.send(mqtt.subscribe(1, ['a', 1]));
    const clean = site.dial();
    assert.deepEqual(await clean.send(mqtt.connect({ id: 'k' })), ['connack 0']);
    assert.equal(site.broker.stat().subscriptions, 0);
    await clean.send(mqtt.subscribe(1, ['b', 1]), mqtt.DISCONNECT);
    assert.deepEqual(await site.dial().send(mqtt.connect(keeps)), ['connack 0']);
    assert.equal(site.broker.stat().subscriptions, 0);
  });

  test('[MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.3-2] [MQTT-4.1.0-1] a kept session collects QoS 1 and 2 while away', async () => {
    const site = new Site();
    const kept = await site.client('k', keeps);
    await kept.send(mqtt.subscribe(1, ['a/#', 2]), mqtt.DISCONNECT);
    const publisher = await site.client('p');
    await publisher.send(
      mqtt.publish('a/0', 'zero', { qos: 0 }),
      mqtt.publish('a/1', 'one', { qos: 1, id: 1 }),
      mqtt.publish('a/2', 'two', { qos: 2, id: 2 }),
    );
    assert.equal(site.broker.stat().queued, 2);
    assert.deepEqual(await site.dial().send(mqtt.connect(keeps)), [
      'connack 0 present',
      'publish a/1 one qos1 id1',
      'publish a/2 two qos2 id2',
    ]);
  });

  test('[MQTT-4.1.0-2] a session lasts as long as its connection, kept ones until they expire', async () => {
    const site = new Site({ limits: { sessionExpiryMs: 60_000 } });
    await site.client('connected', { clean: false });
    await (
      await site.client('away', { clean: false })
    ).send(mqtt.subscribe(1, ['a', 1]), mqtt.DISCONNECT);
    await site.turn(50_000);
    assert.equal(site.broker.stat().sessions, 2);
    await site.turn(30_000);
    const { sessions, subscriptions } = site.broker.stat();
    assert.deepEqual({ sessions, subscriptions }, { sessions: 1, subscriptions: 0 });
    const told = site.logged.find(({ event }) => event === 'broker.sessions.expired');
    assert.deepEqual(told?.fields, { sessions: 1, messages: 0 });
    assert.equal(site.broker.stat().sessionsExpired, 1);
  });

  test('[MQTT-3.1.2-7] retained messages outlive the session of whoever said them', async () => {
    const site = new Site();
    const publisher = await site.client('p');
    await publisher.send(mqtt.publish('a', 'stays', { retain: true }), mqtt.DISCONNECT);
    const reader = await site.client('r');
    const heard = await reader.send(mqtt.subscribe(1, ['a', 0]));
    assert.deepEqual(heard, ['suback 1: 0', 'publish a stays qos0 retained']);
  });

  test('a filter that may not be read any more is gone at the next visit', async () => {
    const site = new Site();
    const kept = await site.client('k', keeps);
    await kept.send(mqtt.subscribe(1, ['a', 1], ['b', 1]), mqtt.DISCONNECT);
    site.gatekeeper.close('a');
    await site.client('k', keeps);
    assert.equal(site.broker.stat().subscriptions, 1);
  });
});

describe('DISCONNECT', () => {
  test('[MQTT-3.14.1-1] reserved bits must be zero', async () => {
    const site = new Site();
    const watcher = await site.client('watcher');
    await watcher.send(mqtt.subscribe(1, ['w', 0]));
    const probe = await site.client('a', { will: { topic: 'w', payload: 'x' } });
    await probe.send(mqtt.packet(0xe1));
    assert.equal(probe.isClosed, true);
    assert.deepEqual(watcher.heard(), ['publish w x qos0']);
  });

  test('[MQTT-3.14.4-1] [MQTT-3.14.4-2] we close, and what the client sends behind it is not read', async () => {
    const site = new Site();
    const probe = await site.client('a');
    await probe.send(mqtt.DISCONNECT, mqtt.publish('a', 'late', { qos: 1 }));
    assert.equal(probe.isClosed, true);
    assert.deepEqual(site.door.admitted, []);
  });

  test('answers that were due before it are still sent', async () => {
    const site = new Site();
    const probe = await site.client('a');
    const heard = await probe.send(mqtt.publish('a', 'x', { qos: 1, id: 9 }), mqtt.DISCONNECT);
    assert.deepEqual(heard, ['puback 9']);
  });
});
