/** Clients take turns: who sends a flood of small packets is dealt with, but not before everybody else. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { Site } from '../../support/simulated/broker-site.ts';
import * as mqtt from '../../support/made/mqtt-packets.ts';

const many = (count: number, packet: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => packet(i)));

const floods: [string, Buffer][] = [
  ['PINGREQ', many(5_000, () => mqtt.PINGREQ)],
  ['PUBACK', many(5_000, () => mqtt.puback(7))],
  ['SUBSCRIBE', many(2, (i) => mqtt.subscribe(i + 1, ['retained/#', 0]))],
  ['UNSUBSCRIBE', many(2, (i) => mqtt.unsubscribe(i + 1, 'a'))],
  ['small PUBLISH', many(20_000, () => mqtt.publish('x', ''))],
];

describe('another client has its turn before the end of a flood of', () => {
  for (const [name, flood] of floods) {
    test(name, async () => {
      const site = new Site();
      const [watcher, busy, other] = [
        await site.client('watcher'),
        await site.client('busy'),
        await site.client('other'),
      ];
      await watcher.send(mqtt.subscribe(1, ['said/#', 0]));
      busy.line.write(Buffer.concat([flood, mqtt.publish('said/last', '')]));
      other.line.write(mqtt.publish('said/other', ''));
      await site.turn();
      const said = watcher.heard().filter((words) => words.startsWith('publish said'));
      assert.deepEqual(
        said.map((words) => words.split(' ')[1]),
        ['said/other', 'said/last'],
      );
      assert.equal(busy.isClosed, false);
    });
  }
});

test('what follows a turn keeps its order, and nothing of it is lost', async () => {
  const site = new Site();
  const client = await site.client('client');
  const publish = (i: number): Buffer => mqtt.publish('a', `${i}`, { qos: 1, id: i + 1 });
  const pings = many(1_500, () => mqtt.PINGREQ);
  const heard = await client.send(
    pings,
    publish(0),
    mqtt.subscribe(9, ['b', 0]),
    pings,
    publish(1),
  );
  const others = heard.filter((words) => words !== 'pingresp');
  assert.deepEqual(others, ['puback 1', 'suback 9: 0', 'puback 2']);
  assert.equal(heard.length, 3_003);
});
