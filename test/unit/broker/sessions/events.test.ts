/** Events of devices with the SDK, for those that only speak MQTT: like a publish of QoS 1, whatever ends the process. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { must } from '../../../../src/base/assert.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { encodeOpsMessage } from '../../../../src/client/outbox/ops-message.ts';
import { ALARM, LOG, RECORD } from '../../../../src/model/class.ts';
import { Site } from '../../../support/simulated/broker-site.ts';
import { DurableSite } from '../../../support/simulated/durable-site.ts';
import { DISCONNECT, puback, publish, subscribe } from '../../../support/made/mqtt-packets.ts';
import { DEVICE_A, HUB, type OpParts, patchOp, stampedOp } from '../../../support/made/ops.ts';

const PHONE = 'sync/phone/ops';
let packetId = 0;

/** What the phone hands in. */
function ops(...parts: OpParts[]): Uint8Array {
  const made = parts.map((each) => (each.kind === undefined ? stampedOp(each) : patchOp({}, each)));
  packetId += 1;
  const message = must(encodeOpsMessage(made, []), 'it has ops');
  return publish(PHONE, message, { qos: 1, id: packetId });
}

const event = (seq: number, key: string, body = `${seq}`): OpParts => ({
  seq,
  key,
  body: utf8(body),
});

test('what the log has already is delivered when it is durable, in its order, as it was', async () => {
  const site = new Site();
  site.door.mode = 'journal';
  const to = await site.client('to');
  await to.send(subscribe(1, ['a/#', 1]));
  const from = await site.client('from');
  await from.send(publish('a/1', 'first', { qos: 1, id: 1 }));
  const payload = utf8('second');
  site.broker.passOn('a/2', payload, 2);
  payload.fill(0);
  await site.commit(1);
  assert.deepEqual(to.heard(), ['publish a/1 first qos1 id1']);
  await site.commit(2);
  assert.deepEqual(to.heard(), ['publish a/2 second qos1 id2']);
});

describe('an event of the SDK', () => {
  test('is heard once it is durable, by each subscriber once, in the order of the journal', async () => {
    const site = await DurableSite.open();
    const esp = await site.client('esp', { clean: true });
    await site.say(esp, subscribe(1, ['alarms/+/ack', 1], ['alarms/#', 0]));
    const lamp = await site.client('lamp', { clean: true });
    await site.say(lamp, subscribe(1, ['#', 0]));
    const phone = await site.client('phone');
    const message = ops(event(1, 'alarms/3/ack'), event(2, 'meters/1'), event(3, 'alarms/4/ack'));
    assert.deepEqual(await site.say(phone, message), [`puback ${packetId}`]);
    assert.deepEqual(esp.heard(), [
      'publish alarms/3/ack 1 qos1 id1',
      'publish alarms/4/ack 3 qos1 id2',
    ]);
    const all = ['alarms/3/ack 1', 'meters/1 2', 'alarms/4/ack 3'];
    assert.deepEqual(
      lamp.heard(),
      all.map((it) => `publish ${it} qos0`),
    );
    await site.say(phone, ops(event(2, 'meters/1'), event(3, 'alarms/4/ack')));
    assert.deepEqual([...esp.heard(), ...lamp.heard()], [], 'handed in again, it counts once');
    await site.say(esp, publish('meters/1', 'plain', { qos: 1, id: 1 }));
    assert.deepEqual(lamp.heard(), ['publish meters/1 plain qos0']);
  });

  test('is no message where no publish could be one, or where it stands for what was refused', async () => {
    const site = await DurableSite.open();
    const esp = await site.client('esp');
    await site.say(esp, subscribe(1, ['#', 1], ['sync/phone/#', 1]));
    const phone = await site.client('phone');
    const patch: OpParts = { kind: 1, class: RECORD, seq: 1, key: 'orders/1' };
    const keys = ['a/+', 'sync/phone/enrolled', 'hub/power', '$SYS/x'];
    const unheard = keys.map((key, at) => event(at + 1, key));
    const unsaid = event(5, 'devices/phone/void', '');
    const line: OpParts = { ...event(1, 'log/phone'), class: LOG };
    await site.say(phone, ops(patch, ...unheard, unsaid, line, event(6, 'a/b', '')));
    assert.deepEqual(esp.heard(), ['publish a/b qos1 id1']);
  });

  test.each([
    ['SIGKILL', (site: DurableSite) => site.killed()],
    ['a power cut', (site: DurableSite) => site.powerCut()],
    ['a proper restart', (site: DurableSite) => site.restarted()],
  ])('waits for a kept session through %s, under the identifier that it had', async (_, end) => {
    const site = await DurableSite.open();
    const absent = await site.client('absent');
    await site.say(absent, subscribe(1, ['#', 1]), DISCONNECT);
    const esp = await site.client('esp');
    await site.say(esp, subscribe(1, ['#', 1]));
    await site.turn(5_000);
    const phone = await site.client('phone');
    await site.say(phone, publish('m', 'plain', { qos: 1, id: 900 }));
    await site.say(phone, ops(event(1, 'a'), event(2, 'b')));
    await site.say(phone, publish('m', 'later', { qos: 1, id: 901 }));
    const all = ['m plain qos1 id1', 'a 1 qos1 id2', 'b 2 qos1 id3', 'm later qos1 id4'];
    assert.deepEqual(
      esp.heard(),
      all.map((it) => `publish ${it}`),
    );
    await site.say(esp, puback(1), puback(2));
    await site.turn(5_000);
    await end(site);
    assert.deepEqual((await site.greeted('absent'))[1], [
      'connack 0 present',
      ...all.map((it) => `publish ${it}`),
    ]);
    assert.deepEqual((await site.greeted('esp'))[1], [
      'connack 0 present',
      ...all.slice(2).map((it) => `publish ${it} dup`),
    ]);
  });

  test('of another hub, or healed, is none here', async () => {
    const site = await DurableSite.open();
    const esp = await site.client('esp');
    await site.say(esp, subscribe(1, ['#', 1]));
    site.door.acceptPeerOp(stampedOp({ origin: DEVICE_A, key: 'far' }));
    await site.turn(10);
    assert.deepEqual(esp.heard(), []);
    await site.killed();
    assert.deepEqual((await site.greeted('esp'))[1], ['connack 0 present']);
  });
});

describe('what the hub journals itself', () => {
  test('is no message after a crash either, and takes no identifier from those that are', async () => {
    const site = await DurableSite.open();
    const esp = await site.client('esp');
    await site.say(esp, subscribe(1, ['#', 1]));
    await site.turn(5_000);
    const from = await site.client('from');
    site.door.journalOwn({ class: RECORD, key: 'roster/site', body: utf8('members') });
    await site.say(from, publish('m', 'first', { qos: 1, id: 1 }));
    // A peer gives back an op of this hub that was lost here.
    site.door.acceptPeerOp(stampedOp({ origin: HUB, class: ALARM, seq: 1, key: 'alarms/1' }));
    await site.say(from, publish('m', 'second', { qos: 1, id: 2 }));
    const told = ['m first qos1 id1', 'm second qos1 id2'].map((it) => `publish ${it}`);
    assert.deepEqual(esp.heard(), told);
    await site.say(esp, puback(1));
    await site.turn(5_000);
    await site.killed();
    assert.deepEqual((await site.greeted('esp'))[1], ['connack 0 present', `${told[1]} dup`]);
  });
});
