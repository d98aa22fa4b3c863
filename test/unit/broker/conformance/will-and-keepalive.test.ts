/** MQTT 3.1.1 §3.1.2: statements about wills and the keepalive. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import * as mqtt from '../../../support/made/mqtt-packets.ts';
import { HubError } from '../../../../src/base/errors.ts';
import { Site } from '../../../support/simulated/broker-site.ts';

describe('wills', () => {
  const will = { topic: 'wills/a', payload: 'gone', qos: 1 };

  async function watched(): Promise<{ site: Site; watcher: Awaited<ReturnType<Site['client']>> }> {
    const site = new Site();
    const watcher = await site.client('watcher');
    await watcher.send(mqtt.subscribe(1, ['wills/#', 1]));
    return { site, watcher };
  }

  test('[MQTT-3.1.2-8] the will is published when the connection is lost, through the door', async () => {
    const { site, watcher } = await watched();
    const probe = await site.client('a', { will });
    await probe.vanish();
    assert.deepEqual(watcher.heard(), ['publish wills/a gone qos1 id1']);
    assert.deepEqual(site.door.admitted, ['a wills/a gone qos1']);
  });

  test('[MQTT-3.1.2-8] and when the client breaks the standard', async () => {
    const { site, watcher } = await watched();
    const probe = await site.client('a', { will });
    await probe.send(mqtt.packet(0xf0));
    assert.deepEqual(watcher.heard(), ['publish wills/a gone qos1 id1']);
  });

  test('[MQTT-3.1.2-10] [MQTT-3.14.4-3] DISCONNECT discards it', async () => {
    const { site, watcher } = await watched();
    const probe = await site.client('a', { will });
    await probe.send(mqtt.DISCONNECT);
    assert.equal(probe.isClosed, true);
    assert.deepEqual(watcher.heard(), []);
  });

  test('[MQTT-3.1.2-10] it is published once', async () => {
    const { site, watcher } = await watched();
    const probe = await site.client('a', { will, clean: false });
    await probe.vanish();
    const again = await site.client('a', { clean: false });
    await again.vanish();
    assert.equal(watcher.heard().length, 1);
  });

  test('[MQTT-3.1.2-12] without a will nothing is said', async () => {
    const { site, watcher } = await watched();
    await (await site.client('a')).vanish();
    assert.deepEqual(watcher.heard(), []);
  });

  test('[MQTT-3.1.2-16] [MQTT-3.1.2-17] it is retained where the client asked for it', async () => {
    const { site } = await watched();
    await (await site.client('a', { will })).vanish();
    await (
      await site.client('b', { will: { topic: 'wills/b', payload: 'kept', retain: true } })
    ).vanish();
    const late = await site.client('late');
    assert.deepEqual(await late.send(mqtt.subscribe(1, ['wills/#', 0])), [
      'suback 1: 0',
      'publish wills/b kept qos0 retained',
    ]);
  });

  test('a will that the door refuses is counted, and nothing breaks', async () => {
    const { site, watcher } = await watched();
    const probe = await site.client('a', { will });
    site.door.refusal = new HubError('journal.disk-full', 'no room');
    await probe.vanish();
    assert.deepEqual(watcher.heard(), []);
    assert.equal(site.broker.stat().refused, 1);
  });
});

describe('keepalive', () => {
  test('[MQTT-3.1.2-24] silence of one and a half times the keepalive ends the connection, with its will', async () => {
    const site = new Site();
    const watcher = await site.client('watcher');
    await watcher.send(mqtt.subscribe(1, ['w', 0]));
    const silent = await site.client('a', { keepaliveS: 10, will: { topic: 'w', payload: 'x' } });
    await site.turn(15_000);
    assert.equal(silent.isClosed, false);
    await site.turn(2_000);
    assert.equal(silent.isClosed, true);
    assert.deepEqual(watcher.heard(), ['publish w x qos0']);
  });

  test('[MQTT-3.1.2-23] [MQTT-3.12.4-1] any packet counts, and PINGREQ is answered', async () => {
    const site = new Site();
    const probe = await site.client('a', { keepaliveS: 10 });
    const packets: [Buffer, string[]][] = [
      [mqtt.PINGREQ, ['pingresp']],
      [mqtt.publish('a', 'x'), []],
      [mqtt.puback(9), []],
      [mqtt.subscribe(1, ['b', 0]), ['suback 1: 0']],
      [mqtt.PINGREQ, ['pingresp']],
    ];
    for (const [packet, answer] of packets) {
      await site.turn(14_000);
      assert.deepEqual(await probe.send(packet), answer);
    }
    assert.equal(probe.isClosed, false);
  });

  test('a keepalive of 0 is never enforced', async () => {
    const site = new Site();
    const probe = await site.client('a', { keepaliveS: 0 });
    await site.turn(86_400_000);
    assert.equal(probe.isClosed, false);
  });
});
