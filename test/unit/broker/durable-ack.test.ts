/** Acknowledged means durable: what waits for the journal, what does not, and what a bad card does to clients. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { HubError } from '../../../src/base/errors.ts';
import { PASSING_DOOR } from '../../../src/broker/contract.ts';
import { type Probe, Site } from '../../support/simulated/broker-site.ts';
import * as mqtt from '../../support/made/mqtt-packets.ts';

async function journaling(): Promise<{ site: Site; from: Probe; to: Probe }> {
  const site = new Site();
  site.door.mode = 'journal';
  const to = await site.client('to');
  await to.send(mqtt.subscribe(1, ['a/#', 2]));
  return { site, from: await site.client('from'), to };
}

describe('the ack', () => {
  test('waits for the commit, and so does the delivery', async () => {
    const { site, from, to } = await journaling();
    assert.deepEqual(await from.send(mqtt.publish('a/b', 'x', { qos: 1, id: 4 })), []);
    await site.turn(60_000);
    assert.deepEqual([from.heard(), to.heard()], [[], []]);
    await site.commit();
    assert.deepEqual(from.heard(), ['puback 4']);
    assert.deepEqual(to.heard(), ['publish a/b x qos1 id1']);
  });

  test('of a commit leave in one write, and only those it covers', async () => {
    const { site, from } = await journaling();
    const ids = [1, 2, 3, 4, 5];
    await from.send(...ids.map((id) => mqtt.publish('a', 'x', { qos: 1, id })));
    await site.commit(3);
    assert.deepEqual(from.heard(), ['puback 1', 'puback 2', 'puback 3']);
    assert.deepEqual(await from.send(mqtt.publish('a', 'x', { qos: 1, id: 6 })), []);
    await site.commit(5);
    assert.deepEqual(from.heard(), ['puback 4', 'puback 5']);
    await site.commit(6);
    assert.deepEqual(from.heard(), ['puback 6']);
  });

  test('of QoS 2 is PUBREC after the commit, and a DUP before it is taken once', async () => {
    const { site, from, to } = await journaling();
    const publish = { qos: 2, id: 8 };
    assert.deepEqual(await from.send(mqtt.publish('a', 'x', publish)), []);
    assert.deepEqual(await from.send(mqtt.publish('a', 'x', { ...publish, dup: true })), []);
    await site.commit();
    assert.deepEqual(from.heard(), ['pubrec 8', 'pubrec 8']);
    assert.deepEqual(to.heard(), ['publish a x qos2 id1']);
    assert.equal(site.door.admitted.length, 1);
  });

  test('of what the door lets pass is sent at once, behind those that wait', async () => {
    const { site, from, to } = await journaling();
    site.door.mode = 'pass';
    assert.deepEqual(await from.send(mqtt.publish('a', '1', { qos: 1, id: 1 })), ['puback 1']);
    site.door.mode = 'journal';
    await from.send(mqtt.publish('a', '2', { qos: 1, id: 2 }));
    site.door.mode = 'pass';
    assert.deepEqual(await from.send(mqtt.publish('a/x', '3', { qos: 1, id: 3 })), []);
    assert.deepEqual(to.heard(), ['publish a 1 qos1 id1', 'publish a/x 3 qos1 id2']);
    await site.commit();
    assert.deepEqual(from.heard(), ['puback 2', 'puback 3']);
  });

  test('of a redelivery before the commit waits with the first, and both are one delivery', async () => {
    const { site, from, to } = await journaling();
    await from.send(mqtt.publish('a', 'x', { qos: 1, id: 5 }));
    await from.vanish();
    const again = await site.client('from');
    site.door.redelivery = site.door.lsn;
    await again.send(mqtt.publish('a', 'x', { qos: 1, id: 5, dup: true }));
    assert.deepEqual(again.heard(), []);
    await site.commit();
    assert.deepEqual(again.heard(), ['puback 5']);
    assert.deepEqual(to.heard(), ['publish a x qos1 id1']);
  });

  test('of a redelivery after the commit is sent at once', async () => {
    const { site, from } = await journaling();
    await from.send(mqtt.publish('a', 'x', { qos: 1, id: 5 }));
    await site.commit();
    site.door.redelivery = site.door.lsn;
    const heard = await from.send(mqtt.publish('a', 'x', { qos: 1, id: 5, dup: true }));
    assert.deepEqual(heard, ['puback 5', 'puback 5']);
  });

  test('of what an earlier run has journaled is sent at once', async () => {
    const site = new Site({ durableLsn: 5000 });
    const from = await site.client('from');
    site.door.redelivery = 4900;
    const heard = await from.send(mqtt.publish('a', 'x', { qos: 1, id: 5, dup: true }));
    assert.deepEqual(heard, ['puback 5']);
  });

  test('of what came before DISCONNECT is sent before the connection ends, and nothing is taken behind it', async () => {
    const { site, from, to } = await journaling();
    const id = { qos: 1, id: 5 };
    await from.send(mqtt.publish('a', 'x', id), mqtt.DISCONNECT, mqtt.publish('a', 'y', id));
    assert.equal(from.isClosed, false);
    await site.commit();
    assert.deepEqual([from.heard(), from.isClosed], [['puback 5'], true]);
    assert.deepEqual(to.heard(), ['publish a x qos1 id1']);
  });

  test('waits no longer than for the commit where the client leaves with a will', async () => {
    const { site, to } = await journaling();
    const will = { topic: 'a/will', payload: 'gone', qos: 1 };
    const from = await site.client('leaves', { will });
    await from.send(mqtt.publish('a', 'x', { qos: 2, id: 5 }), mqtt.DISCONNECT);
    await from.vanish();
    await site.commit();
    assert.deepEqual(to.heard(), ['publish a x qos2 id1']);
  });

  test('is not needed for the delivery: a publisher that is gone is delivered all the same', async () => {
    const { site, from, to } = await journaling();
    await from.send(mqtt.publish('a', 'x', { qos: 1, id: 5 }));
    await from.vanish();
    await site.commit();
    assert.deepEqual(to.heard(), ['publish a x qos1 id1']);
  });

  test('keeps the client alive while it waits, however long the card takes', async () => {
    const site = new Site();
    site.door.mode = 'journal';
    const from = await site.client('from', { keepaliveS: 5 });
    await from.send(mqtt.publish('a', 'x', { qos: 1, id: 5 }));
    await site.turn(120_000);
    assert.equal(from.isClosed, false);
    await site.commit();
    assert.deepEqual(from.heard(), ['puback 5']);
    await site.turn(10_000);
    assert.equal(from.isClosed, true);
  });
});

describe('sync/…', () => {
  test('goes to its handlers alone, and the ack waits for the LSN they return', async () => {
    const { site, from, to } = await journaling();
    await to.send(mqtt.subscribe(2, ['#', 1]));
    const seen: string[] = [];
    site.broker.onMessage('sync/+/ops', ({ topic, payload, from: principal }) => {
      seen.push(
        `${topic} ${Buffer.from(payload).toString()} ${principal?.name} ${principal?.role}`,
      );
      return { lsn: 7 };
    });
    const ops = mqtt.publish('sync/meter/ops', 'ops', { qos: 1, id: 3 });
    assert.deepEqual(await from.send(ops), []);
    await site.commit(6);
    assert.deepEqual(from.heard(), []);
    await site.commit(7);
    assert.deepEqual(from.heard(), ['puback 3']);
    assert.deepEqual(seen, ['sync/meter/ops ops anyone device']);
    assert.deepEqual(to.heard(), []);
    assert.deepEqual(site.door.admitted, []);
  });

  test('without a handler is acknowledged, dropped and counted; with nothing to wait for, at once', async () => {
    const { site, from } = await journaling();
    site.broker.onMessage('sync/+/pull', () => undefined);
    const heard = await from.send(
      mqtt.publish('sync/meter/nonsense', 'x', { qos: 1, id: 1 }),
      mqtt.publish('sync/meter/pull', 'x', { qos: 1, id: 2 }),
    );
    assert.deepEqual(heard, ['puback 1', 'puback 2']);
    assert.equal(site.broker.stat().denied, 1);
  });

  test('that a handler refuses ends the connection', async () => {
    const { site, from } = await journaling();
    const refused = new HubError('journal.full', 'no room');
    site.broker.onMessage('sync/+/ops', () => ({ refused }));
    assert.deepEqual(await from.send(mqtt.publish('sync/m/ops', 'x', { qos: 1, id: 1 })), []);
    assert.equal(from.isClosed, true);
  });

  test('is open to the hub itself: what it says there reaches that device, and no wildcard of others', async () => {
    const { site, from, to } = await journaling();
    await to.send(mqtt.subscribe(2, ['sync/to/receipt', 1]));
    await from.send(mqtt.subscribe(2, ['#', 1]));
    site.broker.publish('sync/to/receipt', Buffer.from('seq 7'), { qos: 1, retain: true });
    await site.turn();
    assert.deepEqual(to.heard(), ['publish sync/to/receipt seq 7 qos1 id1']);
    assert.deepEqual(await from.send(mqtt.subscribe(3, ['#', 1])), ['suback 3: 1']);
  });
});

test('a handler of other topics hears them at delivery, beside the subscribers', async () => {
  const { site, from, to } = await journaling();
  const seen: string[] = [];
  site.broker.onMessage('a/+', ({ payload }) => void seen.push(Buffer.from(payload).toString()));
  await from.send(mqtt.publish('a/b', 'one', { qos: 1 }), mqtt.publish('a/b', 'zero'));
  assert.deepEqual(seen, ['zero']);
  await site.commit();
  assert.deepEqual(seen, ['zero', 'one']);
  assert.equal(to.heard().length, 2);
});

test('a broker with the passing door acknowledges everything at once', async () => {
  assert.deepEqual(PASSING_DOOR.admit({} as never), { kind: 'pass' });
  assert.deepEqual([PASSING_DOOR.saturated, PASSING_DOOR.fault], [false, undefined]);
});

describe('a full disk or a failed sync', () => {
  const full = new HubError('journal.disk-full', 'less than 256 MiB free');

  test('[MQTT-4.8.0-2] no ack, the connection ends, and nothing behind it is looked at', async () => {
    const { site, from } = await journaling();
    await from.send(mqtt.publish('a', '1', { qos: 1, id: 1 }));
    site.door.refusal = full;
    const heard = await from.send(
      mqtt.publish('a', '2', { qos: 1, id: 2 }),
      mqtt.publish('a', '3', { qos: 1, id: 3 }),
    );
    assert.deepEqual(heard, []);
    assert.equal(from.isClosed, true);
    assert.equal(site.broker.stat().refused, 1);
  });

  test('new clients get return code 3 while it lasts, and come in when it is over', async () => {
    const { site } = await journaling();
    site.door.fault = full;
    const turnedAway = site.dial();
    assert.deepEqual(await turnedAway.send(mqtt.connect({ id: 'new' })), ['connack 3']);
    assert.equal(turnedAway.isClosed, true);
    site.door.fault = undefined;
    await site.client('new');
  });

  test('is logged once in a while, not for every client', async () => {
    const { site } = await journaling();
    site.door.refusal = full;
    for (let i = 0; i < 20; i++) {
      const probe = await site.client(`p${i}`);
      await probe.send(mqtt.publish('a', 'x', { qos: 1 }));
    }
    const lines = (): number =>
      site.logged.filter(({ event }) => event === 'broker.client.dropped').length;
    assert.equal(lines(), 1);
    await site.turn(10_000);
    await (await site.client('late')).send(mqtt.publish('a', 'x', { qos: 1 }));
    assert.equal(lines(), 2);
    assert.equal(site.logged.at(-1)?.fields['suppressed'], 19);
  });

  test('a QoS 2 identifier that was refused is not remembered', async () => {
    const site = new Site();
    const first = await site.client('p', { clean: false });
    site.door.refusal = full;
    await first.send(mqtt.publish('a', 'x', { qos: 2, id: 1 }));
    site.door.refusal = undefined;
    const second = await site.client('p', { clean: false });
    const heard = await second.send(mqtt.publish('a', 'x', { qos: 2, id: 1, dup: true }));
    assert.deepEqual(heard, ['pubrec 1']);
    assert.equal(site.door.admitted.length, 1);
  });

  test('those who only listen are served all the while', async () => {
    const { site, to } = await journaling();
    site.door.fault = full;
    site.door.refusal = full;
    site.broker.publish('a/status', Buffer.from('full'));
    await site.turn();
    assert.deepEqual(to.heard(), ['publish a/status full qos0']);
    assert.deepEqual(await to.send(mqtt.PINGREQ), ['pingresp']);
  });
});

describe('a card that is slower than the publishers', () => {
  test('a saturated door stops the reading, and relief lets it go on', async () => {
    const { site, from } = await journaling();
    site.door.saturated = true;
    await from.send(mqtt.publish('a', '1', { qos: 1, id: 1 }));
    await from.send(mqtt.publish('a', '2', { qos: 1, id: 2 }));
    assert.equal(site.door.admitted.length, 1);
    assert.equal(site.broker.stat().held, 1);
    await site.commit();
    assert.deepEqual(from.heard(), ['puback 1']);
    assert.equal(site.door.admitted.length, 1);
    site.door.saturated = false;
    await site.commit();
    await site.commit();
    assert.deepEqual(from.heard(), ['puback 2']);
    assert.equal(site.broker.stat().held, 0);
  });

  test('memory stays what it is: the line fills up instead', async () => {
    const site = new Site();
    site.door.mode = 'journal';
    const from = await site.client('from', {}, { windowBytes: 4096 });
    site.door.saturated = true;
    const big = mqtt.publish('a', Buffer.alloc(1000), { qos: 1 });
    for (let i = 0; i < 50; i++) await from.send(big);
    assert.equal(site.door.admitted.length, 1);
    assert.ok(from.line.bufferedBytes > 40_000);
    site.door.saturated = false;
    await site.commit();
    await site.turn();
    assert.equal(site.door.admitted.length, 50);
  });

  test('a publisher is not taken for silent while we do not read from it', async () => {
    const site = new Site();
    site.door.mode = 'journal';
    const from = await site.client('from', { keepaliveS: 5 });
    site.door.saturated = true;
    await from.send(mqtt.publish('a', 'x', { qos: 1 }));
    await site.commit();
    await site.turn(120_000);
    assert.equal(from.isClosed, false);
  });

  test('a publish that the door has no room for is offered again, in its place', async () => {
    const { site, from, to } = await journaling();
    site.door.refusal = new HubError('journal.busy', 'gathering group is full');
    await from.send(
      mqtt.publish('a', '1', { qos: 1, id: 1 }),
      mqtt.publish('a', '2', { qos: 1, id: 2 }),
    );
    assert.equal(from.isClosed, false);
    site.door.refusal = undefined;
    await site.commit();
    await site.commit();
    assert.deepEqual(from.heard(), ['puback 1', 'puback 2']);
    assert.deepEqual(to.heard(), ['publish a 1 qos1 id1', 'publish a 2 qos1 id2']);
  });

  test('a will that the door has no room for is said when it has', async () => {
    const { site, from, to } = await journaling();
    const gone = await site.client('gone', { will: { topic: 'a/will', payload: 'x', qos: 1 } });
    site.door.refusal = new HubError('journal.busy', 'gathering group is full');
    await gone.vanish();
    site.door.saturated = true;
    await site.commit();
    assert.equal(site.broker.stat().held, 1);
    site.door.saturated = false;
    site.door.refusal = undefined;
    await site.commit();
    await site.commit();
    assert.deepEqual(to.heard(), ['publish a/will x qos1 id1']);
    assert.deepEqual([from.isClosed, site.broker.stat().held], [false, 0]);
  });

  test('a publisher that leaves while it is held is not kept', async () => {
    const { site, from } = await journaling();
    site.door.saturated = true;
    await from.send(mqtt.publish('a', '1', { qos: 1, id: 1 }));
    await from.vanish();
    assert.equal(site.broker.stat().held, 0);
  });

  test('a door that recovers without a commit lets publishers go on within ten seconds', async () => {
    const { site, from } = await journaling();
    site.door.saturated = true;
    await from.send(mqtt.publish('a', '1', { qos: 1, id: 1 }));
    site.door.saturated = false;
    await site.turn(10_000);
    assert.equal(site.broker.stat().held, 0);
  });

  test('hundreds that were held go on in turns, none is forgotten', async () => {
    const site = new Site();
    site.door.mode = 'journal';
    const probes = await Promise.all(Array.from({ length: 200 }, (_, i) => site.client(`p${i}`)));
    site.door.saturated = true;
    for (const probe of probes) await probe.send(mqtt.publish('a', 'x', { qos: 1, id: 1 }));
    assert.equal(site.broker.stat().held, 200);
    await (probes[7] as Probe).vanish();
    site.door.saturated = false;
    await site.commit();
    await site.turn();
    assert.equal(site.broker.stat().held, 0);
    for (const probe of probes) await probe.send(mqtt.publish('a', 'y', { qos: 1, id: 2 }));
    assert.equal(site.door.admitted.length, 399);
  });
});
