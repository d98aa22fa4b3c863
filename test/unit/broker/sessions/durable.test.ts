/** Sessions that outlive the process: what a client finds after SIGKILL, a power cut, or a proper restart. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { joinedEnds } from '../../../support/simulated/line.ts';
import { Probe } from '../../../support/simulated/broker-site.ts';
import { DurableSite } from '../../../support/simulated/durable-site.ts';
import {
  connect,
  DISCONNECT,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  subscribe,
  unsubscribe,
} from '../../../support/made/mqtt-packets.ts';

const NONE_KEPT = [{ filter: 'plain/#', class: 'telemetry', keep: 'none' }] as const;

/** A subscriber to `filter` at `qos` that has left. */
async function absentee(site: DurableSite, filter: string, qos: number): Promise<void> {
  const client = await site.client('absentee');
  assert.deepEqual(await site.say(client, subscribe(1, [filter, qos])), [`suback 1: ${qos}`]);
  await client.send(DISCONNECT);
  await site.turn(5_000); // Until it is noted that it has left.
}

const endings = [
  ['SIGKILL', (site: DurableSite) => site.killed()],
  ['a power cut', (site: DurableSite) => site.powerCut()],
  ['a proper restart', (site: DurableSite) => site.restarted()],
] as const;

for (const [ending, end] of endings) {
  describe(`after ${ending}`, () => {
    test('[MQTT-4.1.0-1] a device that was away gets what it missed, in order, with no mark of repetition', async () => {
      const site = await DurableSite.open();
      await absentee(site, 'm/#', 1);
      const publisher = await site.client('publisher');
      for (let i = 1; i <= 5; i++) {
        assert.deepEqual(await site.say(publisher, publish('m/a', `${i}`, { qos: 1, id: i })), [
          `puback ${i}`,
        ]);
      }
      await end(site);
      const [client, heard] = await site.greeted('absentee');
      assert.deepEqual(heard, [
        'connack 0 present',
        ...[1, 2, 3, 4, 5].map((i) => `publish m/a ${i} qos1 id${i}`),
      ]);
      await site.say(client, ...[1, 2, 3, 4, 5].map(puback), DISCONNECT);
      await site.turn(5_000); // Until that is noted.
      await end(site);
      assert.deepEqual((await site.greeted('absentee'))[1], ['connack 0 present']);
    });

    test('what was not confirmed comes again under its identifier, with DUP', async () => {
      const site = await DurableSite.open();
      const client = await site.client('device');
      await site.say(client, subscribe(1, ['m', 2]));
      const publisher = await site.client('publisher');
      const sent = [1, 2, 3].map((i) => publish('m', `${i}`, { qos: i === 2 ? 2 : 1, id: i }));
      await site.say(publisher, ...sent, pubrel(2));
      assert.deepEqual(client.heard(), [
        'publish m 1 qos1 id1',
        'publish m 2 qos2 id2',
        'publish m 3 qos1 id3',
      ]);
      await site.say(client, puback(1));
      await site.turn(5_000);
      await end(site);
      assert.deepEqual((await site.greeted('device'))[1], [
        'connack 0 present',
        'publish m 2 qos2 id2 dup',
        'publish m 3 qos1 id3 dup',
      ]);
    });

    test('a QoS 2 message that the client confirmed is released, not sent again', async () => {
      const site = await DurableSite.open();
      const client = await site.client('device');
      await site.say(client, subscribe(1, ['m', 2]));
      const publisher = await site.client('publisher');
      await site.say(publisher, publish('m', 'once', { qos: 2, id: 9 }), pubrel(9));
      assert.deepEqual(client.heard(), ['publish m once qos2 id1']);
      assert.deepEqual(await site.say(client, pubrec(1)), ['pubrel 1']);
      await end(site);
      const [again, heard] = await site.greeted('device');
      assert.deepEqual(heard, ['connack 0 present', 'pubrel 1']);
      await site.say(again, pubcomp(1), DISCONNECT);
      await site.turn(5_000);
      await end(site);
      assert.deepEqual((await site.greeted('device'))[1], ['connack 0 present']);
    });

    test('a QoS 2 publish is taken once, and its identifier is free after PUBREL', async () => {
      const site = await DurableSite.open();
      await absentee(site, 'm', 2);
      const first = await site.client('publisher');
      const message = publish('m', 'one', { qos: 2, id: 7 });
      assert.deepEqual(await site.say(first, message), ['pubrec 7']);
      await end(site);
      const again = await site.client('publisher');
      const repeated = publish('m', 'one', { qos: 2, id: 7, dup: true });
      assert.deepEqual(await site.say(again, repeated), ['pubrec 7']);
      assert.deepEqual(await site.say(again, pubrel(7)), ['pubcomp 7']);
      await end(site);
      const third = await site.client('publisher');
      await site.say(third, publish('m', 'two', { qos: 2, id: 7 }), pubrel(7));
      assert.deepEqual((await site.greeted('absentee'))[1], [
        'connack 0 present',
        'publish m one qos2 id1',
        'publish m two qos2 id2',
      ]);
    });

    test('retained messages are there, whatever their QoS and whether captured or not', async () => {
      const site = await DurableSite.open({ capture: NONE_KEPT });
      const publisher = await site.client('publisher');
      const retain = true;
      await site.say(
        publisher,
        publish('m/captured', 'a', { qos: 1, id: 1, retain }),
        publish('plain/1', 'b', { qos: 1, id: 2, retain }),
        publish('m/zero', 'old', { retain }),
        publish('m/zero', 'c', { retain }),
        publish('m/gone', 'd', { qos: 1, id: 3, retain }),
        publish('m/gone', '', { qos: 1, id: 4, retain }),
        publish('m/gone-too', 'e', { retain }),
      );
      await site.turn(5_000);
      await site.say(publisher, publish('m/gone-too', '', { retain }));
      await site.turn(5_000);
      await end(site);
      const client = await site.client('reader', { clean: true });
      const heard = await site.say(client, subscribe(1, ['m/#', 1], ['plain/#', 1]));
      assert.deepEqual(
        heard
          .slice(1)
          .map((words) => words.replace(/ id\d+/, ''))
          .toSorted(),
        [
          'publish m/captured a qos1 retained',
          'publish m/zero c qos0 retained',
          'publish plain/1 b qos1 retained',
        ],
      );
    });

    test('what is not captured waits for kept sessions all the same', async () => {
      const site = await DurableSite.open({ capture: NONE_KEPT });
      await absentee(site, 'plain/#', 1);
      const publisher = await site.client('publisher');
      assert.deepEqual(await site.say(publisher, publish('plain/1', 'x', { qos: 1, id: 1 })), [
        'puback 1',
      ]);
      await end(site);
      assert.deepEqual((await site.greeted('absentee'))[1].slice(1), [
        'publish plain/1 x qos1 id1',
      ]);
    });

    test('an UNSUBSCRIBE holds, and so does a clean CONNECT', async () => {
      const site = await DurableSite.open();
      const client = await site.client('device');
      await site.say(client, subscribe(1, ['a', 1], ['b', 1]));
      assert.deepEqual(await site.say(client, unsubscribe(2, 'a')), ['unsuback 2']);
      const other = await site.client('other');
      await site.say(other, subscribe(1, ['b', 1]), DISCONNECT);
      const gone = await site.client('other', { clean: true });
      await site.say(gone, DISCONNECT);
      await end(site);
      const publisher = await site.client('publisher', { clean: true });
      await site.say(
        publisher,
        publish('a', 'no', { qos: 1, id: 1 }),
        publish('b', 'yes', { qos: 1, id: 2 }),
      );
      assert.deepEqual((await site.greeted('device'))[1], [
        'connack 0 present',
        'publish b yes qos1 id1',
      ]);
      assert.deepEqual((await site.greeted('other'))[1], ['connack 0']);
    });
  });
}

test('a clean CONNECT is answered when it is durable that the session before is over', async () => {
  const site = await DurableSite.open();
  await absentee(site, 'm/#', 1);
  const [near, far] = joinedEnds(site.clock, ['probe', 'broker'], {});
  const probe = new Probe(near, site.clock);
  const write = far.write.bind(far);
  const undurable: number[] = [];
  far.write = (bytes) => {
    undurable.push(site.journal.lastLsn - site.journal.durableLsn);
    return write(bytes);
  };
  site.broker.accept(far);
  const heard = await probe.send(connect({ id: 'absentee', clean: true }));
  assert.deepEqual({ heard, undurable }, { heard: ['connack 0'], undurable: [0] });
});

test('a subscription counts from its place in the log, for messages on their way too', async () => {
  const site = await DurableSite.open();
  const publisher = await site.client('publisher');
  const client = await site.client('device');
  // All in one turn: neither is durable before the other is read.
  publisher.line.write(publish('m', 'before', { qos: 1, id: 1 }));
  await site.turn();
  client.line.write(subscribe(1, ['m', 1]));
  publisher.line.write(publish('m', 'after', { qos: 1, id: 2 }));
  await site.turn(10);
  const live = client.heard().filter((words) => words.startsWith('publish'));
  await site.killed();
  const again = (await site.greeted('device'))[1].filter((words) => words.startsWith('publish'));
  assert.deepEqual(
    again,
    live.map((words) => `${words} dup`),
  );
});

test('all that may have been sent comes again with DUP, however much was confirmed since the last note', async () => {
  const site = await DurableSite.open({ limits: { inflightMax: 2 } });
  const client = await site.client('device');
  await site.say(client, subscribe(1, ['m', 1]));
  await site.turn(5_000);
  const publisher = await site.client('publisher', { clean: true });
  const ids = [1, 2, 3, 4, 5];
  for (const id of ids) {
    await site.say(publisher, publish('m', `${id}`, { qos: 1, id }));
    assert.deepEqual(client.heard(), [`publish m ${id} qos1 id${id}`]);
    await client.send(puback(id));
  }
  await site.killed();
  await site.restarted(); // Whoever was away meanwhile has heard them all the same.
  const later = await site.client('publisher', { clean: true });
  await site.say(later, publish('m', '6', { qos: 1, id: 6 }));
  const [again, heard] = await site.greeted('device');
  for (const id of ids) heard.push(...(await site.say(again, puback(id))));
  assert.deepEqual(
    heard.slice(1, 6),
    ids.map((id) => `publish m ${id} qos1 id${id} dup`),
  );
  assert.match(heard[6] ?? '', /^publish m 6 qos1 id6/);
});

test('the file of sessions stands in for a journal that was released', async () => {
  const site = await DurableSite.open({ segmentBytes: 16 * 1024 });
  await absentee(site, 'm', 1);
  const publisher = await site.client('publisher');
  const payload = 'x'.repeat(1000);
  await site.say(publisher, publish('kept', 'r', { qos: 1, id: 1, retain: true }));
  for (let i = 0; i < 60; i++) {
    await site.say(publisher, publish('other', payload, { qos: 1, id: 1 }));
  }
  assert.equal(site.broker.pinnedLsn, Infinity);
  await site.say(publisher, publish('m', 'owed', { qos: 1, id: 1 }));
  const owedLsn = site.broker.pinnedLsn;
  assert.equal(owedLsn, site.journal.lastLsn);
  const saving = site.broker.sumUp();
  await site.turn(5);
  const summedUp = await saving;
  assert.equal(summedUp, site.journal.durableLsn);
  assert.ok(site.journal.release(owedLsn - 1) > 1);
  await site.killed();
  const [client, heard] = await site.greeted('absentee');
  assert.deepEqual(heard, ['connack 0 present', 'publish m owed qos1 id1']);
  assert.deepEqual(await site.say(client, puback(1), subscribe(2, ['kept', 0])), [
    'suback 2: 0',
    'publish kept r qos0 retained',
  ]);
});

test('a full journal takes from the absent what is oldest, and counts it', async () => {
  const site = await DurableSite.open();
  await absentee(site, 'm', 1);
  const publisher = await site.client('publisher');
  for (let i = 1; i <= 4; i++) await site.say(publisher, publish('m', `${i}`, { qos: 1, id: i }));
  site.broker.cutThrough(site.broker.pinnedLsn + 1);
  assert.equal(site.broker.stat().cut, 2);
  assert.deepEqual((await site.greeted('absentee'))[1].slice(1), [
    'publish m 3 qos1 id3',
    'publish m 4 qos1 id4',
  ]);
});

test('beyond its limit a session loses what is oldest, and holds eight bytes for the rest', async () => {
  const site = await DurableSite.open({ limits: { queueMessagesMax: 3 } });
  await absentee(site, 'm', 1);
  const publisher = await site.client('publisher');
  for (let i = 1; i <= 5; i++) await site.say(publisher, publish('m', `${i}`, { qos: 1, id: i }));
  const { cut, queued, queuedBytes } = site.broker.stat();
  assert.deepEqual({ cut, queued, queuedBytes }, { cut: 2, queued: 3, queuedBytes: 24 });
  const heard = (await site.greeted('absentee'))[1];
  assert.equal(heard[1], 'publish m 3 qos1 id3');
});

test('a damaged file of sessions is said, and what the journal still has is used', async () => {
  const site = await DurableSite.open();
  await absentee(site, 'm', 1);
  await site.restarted();
  site.files.flipBit('/data/sessions.cbor', 20, 3);
  await site.killed();
  assert.ok(site.logged.some(({ event }) => event === 'broker.sessions.damaged'));
  assert.deepEqual((await site.greeted('absentee'))[1], ['connack 0 present']);
});

test('a journal begun anew is not read as the one that the file is about, however far it comes', async () => {
  const site = await DurableSite.open();
  await absentee(site, 'm/#', 1);
  await site.restarted();
  site.files.remove('/data/journal');
  await site.killed();
  assert.ok(site.logged.some(({ event }) => event === 'broker.sessions.other-journal'));
  await site.turn(10_000);
  const publisher = await site.client('publisher');
  const messages = Array.from({ length: 30 }, (_, i) =>
    publish('m/a', `${i}`, { qos: 1, id: i + 1 }),
  );
  await site.say(publisher, ...messages);
  await site.killed();
  const [, heard] = await site.greeted('absentee');
  assert.deepEqual(
    heard.slice(1).map((words) => words.split(' ')[2]),
    Array.from({ length: 30 }, (_, i) => `${i}`),
  );
});

test('sessions of users keep their owner, and expire though the hub restarts', async () => {
  const site = await DurableSite.open({ limits: { sessionExpiryMs: 60_000 } });
  const client = await site.client('device', { username: 'ann' });
  await site.say(client, DISCONNECT);
  await site.turn(40_000);
  await site.restarted();
  await assert.rejects(site.client('device', { username: 'bob' }), /connack 2/);
  await site.turn(35_000);
  assert.equal(site.broker.stat().sessions, 0);
});

test('a window that is full goes on from the log, in order, as the client confirms', async () => {
  const site = await DurableSite.open({ limits: { inflightMax: 4 } });
  await absentee(site, 'm', 1);
  const publisher = await site.client('publisher');
  const messages = Array.from({ length: 30 }, (_, i) =>
    publish('m', `${i}`, { qos: 1, id: i + 1 }),
  );
  await site.say(publisher, ...messages);
  const [client, heard] = await site.greeted('absentee');
  const payloads: string[] = [];
  let packets = heard.slice(1);
  while (packets.length > 0) {
    assert.ok(packets.length <= 4);
    payloads.push(...packets.map((words) => words.split(' ')[2] as string));
    const ids = packets.map((words) => Number(/id(\d+)/.exec(words)?.[1]));
    packets = await site.say(client, ...ids.map(puback));
  }
  assert.deepEqual(
    payloads,
    Array.from({ length: 30 }, (_, i) => `${i}`),
  );
});
