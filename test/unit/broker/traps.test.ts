/**
 * What was measured of Aedes 1.2.0 before this broker was written: each trap, and that ours has it not. Links
 * are to its repository, github.com/moscajs/aedes. Traps about acknowledgements are in durable-ack.test.ts.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { type Probe, Site } from '../../support/simulated/broker-site.ts';
import { cpuMsSince } from '../../support/machine/cpu-time.ts';
import * as mqtt from '../../support/made/mqtt-packets.ts';

const keeps = { clean: false };

async function away(site: Site, filter = 'a'): Promise<void> {
  const kept = await site.client('k', keeps);
  await kept.send(mqtt.subscribe(1, [filter, 2]), mqtt.DISCONNECT);
}

describe('deliveries', () => {
  test('none is lost when commits of many publishers interleave (issues 955, 994)', async () => {
    const site = new Site();
    site.door.mode = 'journal';
    const to = await site.client('to');
    await to.send(mqtt.subscribe(1, ['#', 1]));
    const publishers = await Promise.all(['x', 'y', 'z'].map((id) => site.client(id)));
    const heard: string[] = [];
    for (let id = 1; id <= 20; id++) {
      for (const [index, from] of publishers.entries()) {
        await from.send(mqtt.publish(`t/${index}`, `${id}`, { qos: 1, id }));
      }
      if (id % 3 === 0) await site.commit(site.door.lsn - 2);
      heard.push(...to.heard());
    }
    await site.commit();
    heard.push(...to.heard());
    assert.equal(new Set(heard.map((words) => words.split(' ', 3).join(' '))).size, 60);
    assert.equal(heard.length, 60);
  });

  test('overlapping subscriptions of a kept session do not end it (issue 543)', async () => {
    const site = new Site();
    const kept = await site.client('k', keeps);
    await kept.send(mqtt.subscribe(1, ['a/#', 1], ['a/+', 1], ['a/b', 2]));
    const from = await site.client('p');
    await from.send(mqtt.publish('a/b', 'x', { qos: 2, id: 1 }));
    assert.deepEqual(kept.heard(), ['publish a/b x qos2 id1']);
    assert.equal(kept.isClosed, false);
  });

  test('a wildcard subscription at QoS 1 is not sent QoS 2', async () => {
    const site = new Site();
    const to = await site.client('to');
    const heard = await to.send(
      mqtt.subscribe(1, ['a/#', 1]),
      mqtt.publish('a/b', 'x', { qos: 2 }),
    );
    assert.ok(heard.includes('publish a/b x qos1 id1'), heard.join());
  });

  test('a retransmission has DUP set (issue 601)', async () => {
    const site = new Site();
    await away(site);
    await (await site.client('p')).send(mqtt.publish('a', 'x', { qos: 1 }));
    const first = await site.client('k', keeps);
    await first.vanish();
    const second = site.dial();
    const heard = await second.send(mqtt.connect({ id: 'k', ...keeps }));
    assert.deepEqual(heard, ['connack 0 present', 'publish a x qos1 id1 dup']);
  });
});

describe('limits', () => {
  test('in flight is a window, the rest waits its turn', async () => {
    const site = new Site({ limits: { inflightMax: 3 } });
    const to = await site.client('to');
    await to.send(mqtt.subscribe(1, ['a', 1]));
    const from = await site.client('p');
    const publishes = [1, 2, 3, 4, 5, 6, 7].map((id) => mqtt.publish('a', `${id}`, { qos: 1, id }));
    await from.send(...publishes);
    const payloads = (heard: string[]): string =>
      heard.map((words) => words.split(' ')[2]).join('');
    assert.equal(payloads(to.heard()), '123');
    assert.equal(payloads(await to.send(mqtt.puback(2))), '4');
    assert.equal(payloads(await to.send(mqtt.puback(1), mqtt.puback(3), mqtt.puback(4))), '567');
    assert.equal(site.broker.stat().queued, 3);
  });

  test('an offline queue is cut at its oldest, and the cut is counted (issue 1087)', async () => {
    const site = new Site({ limits: { queueMessagesMax: 3 } });
    await away(site);
    const from = await site.client('p');
    for (let id = 1; id <= 5; id++) await from.send(mqtt.publish('a', `${id}`, { qos: 1, id }));
    const { queued, cut, slowClient } = site.broker.stat();
    assert.deepEqual({ queued, cut, slowClient }, { queued: 3, cut: 2, slowClient: 'k' });
    await site.turn(30_000);
    const told = site.logged.filter(({ event }) => event === 'broker.queues.full');
    assert.deepEqual(
      told.map(({ fields }) => fields['messages']),
      [2],
    );
    const again = site.dial();
    const heard = await again.send(mqtt.connect({ id: 'k', ...keeps }));
    assert.deepEqual(
      heard.slice(1),
      [3, 4, 5].map((n) => `publish a ${n} qos1 id${n - 2}`),
    );
  });

  test('all offline queues together have a limit in bytes', async () => {
    const site = new Site({ limits: { queueBytesTotalMax: 10_000 } });
    await away(site);
    const from = await site.client('p');
    const large = Buffer.alloc(1000);
    for (let id = 1; id <= 30; id++) await from.send(mqtt.publish('a', large, { qos: 1, id }));
    const { queuedBytes, cut } = site.broker.stat();
    assert.ok(queuedBytes <= 10_000 && queuedBytes > 8_000, `${queuedBytes}`);
    assert.equal(cut, 22);
    await site.client('k', { clean: true });
    assert.equal(site.broker.stat().queuedBytes, 0);
  });

  test('before CONNECT a large packet is refused by its length alone', async () => {
    const site = new Site();
    const probe = site.dial();
    await probe.send(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
    assert.equal(probe.isClosed, true);
  });

  test('after CONNECT the limit is packetBytesMax', async () => {
    const site = new Site({ limits: { packetBytesMax: 1000 } });
    const fits = await site.client('fits');
    await fits.send(mqtt.subscribe(1, ['a', 0]));
    assert.equal((await fits.send(mqtt.publish('a', Buffer.alloc(997)))).length, 1);
    await fits.send(mqtt.publish('a', Buffer.alloc(998)));
    assert.equal(fits.isClosed, true);
  });

  test('a fifth length byte is malformed', async () => {
    const probe = await new Site().client('a');
    await probe.send(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]));
    assert.equal(probe.isClosed, true);
  });

  test('2,000 filters in one SUBSCRIBE cost 2,000 times one, not its square', async () => {
    const site = new Site();
    const probe = await site.client('many', keeps);
    const costMs = async (count: number, prefix: string): Promise<number> => {
      const filters = Array.from({ length: count }, (_, i) => [`${prefix}/${i}/+`, 1] as const);
      const bytes = mqtt.subscribe(1, ...filters);
      const began = process.cpuUsage();
      await probe.send(bytes);
      return cpuMsSince(began);
    };
    await costMs(2000, 'warm-up');
    const one = await costMs(2000, 'one');
    const four = await costMs(8000, 'four').catch(() => Infinity);
    assert.equal(site.broker.stat().subscriptions, 10_000);
    assert.ok(one < 500, `2,000 filters took ${one} ms`);
    assert.ok(four < 16 * Math.max(one, 10), `2,000 took ${one} ms, 8,000 took ${four} ms`);
  });
});

describe('endings', () => {
  test('a QoS 0 flood survives a subscriber that leaves in the middle', async () => {
    const site = new Site();
    const stays = await site.client('stays');
    const leaves = await site.client('leaves');
    for (const probe of [stays, leaves]) await probe.send(mqtt.subscribe(1, ['a', 0]));
    const from = await site.client('p');
    const burst = Buffer.concat(Array.from({ length: 5000 }, () => mqtt.publish('a', 'x')));
    from.line.write(burst);
    leaves.line.cut();
    from.line.write(burst);
    await site.turn();
    assert.equal(stays.heard().length, 10_000);
  });

  test('a client that ends while its own publish is delivered to it harms nobody', async () => {
    const site = new Site();
    const other = await site.client('other');
    await other.send(mqtt.subscribe(1, ['a', 1]));
    const self = await site.client('self', { will: { topic: 'a', payload: 'will' } });
    await self.send(mqtt.subscribe(1, ['a', 1]));
    await self.send(mqtt.publish('a', '1', { qos: 1 }), mqtt.packet(0xf0));
    assert.deepEqual(
      other.heard().map((words) => words.split(' ')[2]),
      ['1', 'will'],
    );
  });
});

describe('slow consumers', () => {
  const narrow = { windowBytes: 2000 };

  async function slowAndQuick(limits = {}): Promise<{ site: Site; slow: Probe; quick: Probe }> {
    const site = new Site({ limits: { writeBufferBytesMax: 20_000, ...limits } });
    const slow = await site.client('slow', {}, narrow);
    const quick = await site.client('quick');
    for (const probe of [slow, quick]) await probe.send(mqtt.subscribe(1, ['a', 1]));
    slow.line.pause();
    return { site, slow, quick };
  }

  test('QoS 0 beyond the write buffer is dropped and counted, others are served (issue 1060)', async () => {
    const { site, slow, quick } = await slowAndQuick();
    const from = await site.client('p');
    const publish = mqtt.publish('a', Buffer.alloc(1000));
    for (let i = 0; i < 100; i++) await from.send(publish);
    assert.equal(quick.heard().length, 100);
    const { dropped } = site.broker.stat();
    assert.ok(dropped >= 75 && dropped < 85, `${dropped}`);
    slow.line.resume();
    await site.turn();
    assert.equal(slow.heard().length, 100 - dropped);
  });

  test('QoS 1 waits in the session and comes whole and in order when the client reads again', async () => {
    const { site, slow, quick } = await slowAndQuick();
    const from = await site.client('p');
    for (let i = 1; i <= 100; i++) {
      await from.send(mqtt.publish('a', `${i}-`.padEnd(1000, 'x'), { qos: 1, id: i }));
      await quick.send(mqtt.puback(i));
    }
    const { queued, queuedBytes, cut } = site.broker.stat();
    assert.deepEqual({ queued, cut }, { queued: 100, cut: 0 });
    assert.ok(queuedBytes < 150_000);
    slow.line.resume();
    const heard: string[] = [];
    for (let i = 0; i < 50; i++) {
      await site.turn();
      heard.push(...slow.heard());
    }
    assert.deepEqual(
      heard.map((words) => Number(words.split(' id')[1])),
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
  });

  test('a client that asks and never reads the answers is not read any more', async () => {
    const site = new Site({ limits: { writeBufferBytesMax: 4000 } });
    const deaf = await site.client('deaf', {}, narrow);
    deaf.line.pause();
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => mqtt.PINGREQ));
    for (let i = 0; i < 50; i++) await deaf.send(pings);
    assert.ok(deaf.line.bufferedBytes > 50_000, 'its requests pile up on its own side');
    deaf.line.resume();
    await site.turn();
    await site.turn();
    assert.equal(deaf.heard().length, 50_000);
  });
});

describe('retained messages to a new subscriber', () => {
  test('ten thousand of them come whole, however narrow the line', async () => {
    const site = new Site({ limits: { writeBufferBytesMax: 10_000 } });
    const count = 10_000;
    for (let i = 0; i < count; i++) {
      site.broker.publish(`a/${i}`, Buffer.from(`${i}`), { retain: true, qos: 1 });
    }
    const reader = await site.client('r', {}, { windowBytes: 1000 });
    let heard = await reader.send(mqtt.subscribe(1, ['a/#', 0]));
    for (let i = 0; i < 2000 && heard.length < count + 1; i++) {
      await site.turn();
      heard = heard.concat(reader.heard());
    }
    assert.equal(heard.length, count + 1);
    assert.equal(site.broker.stat().dropped, 0);
  });

  test('at QoS 1 they keep to the window, and live messages come behind them', async () => {
    const site = new Site({ limits: { inflightMax: 2 } });
    for (const name of ['1', '2', '3']) {
      site.broker.publish(`a/${name}`, Buffer.from(name), { retain: true, qos: 1 });
    }
    const reader = await site.client('r');
    assert.deepEqual(await reader.send(mqtt.subscribe(1, ['a/#', 1])), [
      'suback 1: 1',
      'publish a/1 1 qos1 id1 retained',
      'publish a/2 2 qos1 id2 retained',
    ]);
    site.broker.publish('a/live', Buffer.from('l'), { qos: 1 });
    site.broker.publish('a/3', Buffer.from('newer'), { retain: true, qos: 1 });
    assert.deepEqual(await reader.send(mqtt.puback(1)), ['publish a/3 newer qos1 id3 retained']);
    assert.deepEqual(await reader.send(mqtt.puback(2), mqtt.puback(3)), [
      'publish a/live l qos1 id4',
      'publish a/3 newer qos1 id5',
    ]);
  });

  test('asking again and again for what cannot be sent yet asks once', async () => {
    const site = new Site({ limits: { inflightMax: 1 } });
    for (const name of ['1', '2']) {
      site.broker.publish(`a/${name}`, Buffer.from(name), { retain: true, qos: 1 });
    }
    const reader = await site.client('r');
    await reader.send(mqtt.subscribe(1, ['a/1', 1]));
    for (let id = 2; id < 100; id++) await reader.send(mqtt.subscribe(id, ['a/2', 1]));
    const heard = await reader.send(mqtt.puback(1), mqtt.puback(2), mqtt.puback(3));
    assert.deepEqual(heard, ['publish a/2 2 qos1 id2 retained']);
  });

  test('a thousand filters that match a thousand topics do not stop the others', async () => {
    const site = new Site();
    for (let i = 0; i < 1000; i++) {
      site.broker.publish(`a/${i}/b`, Buffer.from('x'), { retain: true });
    }
    const greedy = await site.client('greedy');
    const filters = Array.from(
      { length: 300 },
      (_, i) => [`+/+/${'+/'.repeat(i % 20)}x`, 0] as const,
    );
    greedy.line.write(mqtt.subscribe(1, ...filters));
    const polite = await site.client('polite');
    assert.deepEqual(await polite.send(mqtt.PINGREQ), ['pingresp']);
    await site.turn(1000);
    assert.equal(greedy.heard().length, 1);
  });
});
