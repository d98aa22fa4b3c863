/**
 * Durable sessions against the real program: SIGKILL while devices are away, with clients that others wrote. What a
 * kill cannot show, power cuts, is in test/fault/sessions.test.ts.
 */
import assert from 'node:assert/strict';
import { connect, type IClientOptions, type IConnackPacket, type MqttClient, Store } from 'mqtt';
import { onTestFinished, test } from 'vitest';

import { type RunningHub, startHub } from '../support/hubs/hub.ts';
import { freePort } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Visit {
  readonly client: MqttClient;
  readonly isPresent: boolean;
  readonly heard: { topic: string; text: string; retain: boolean }[];
  /** Resolves when so many messages were heard. */
  until(count: number): Promise<void>;
}

/** A client that is connected, and what it hears from its CONNACK on. */
async function visit(hub: RunningHub, options: IClientOptions): Promise<Visit> {
  const client = connect(hub.mqttUrl, { reconnectPeriod: 0, clean: false, ...options });
  onTestFinished(() => void client.end(true));
  const heard: Visit['heard'] = [];
  let wake: () => void = () => undefined;
  client.on('message', (topic, payload, { retain }) => {
    heard.push({ topic, text: payload.toString(), retain });
    wake();
  });
  client.on('error', () => undefined);
  const connack = await new Promise<IConnackPacket>((resolve) => client.once('connect', resolve));
  const until = async (count: number): Promise<void> => {
    while (heard.length < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { client, isPresent: connack.sessionPresent, heard, until };
}

async function killed(hub: RunningHub, data: string): Promise<RunningHub> {
  hub.process.kill('SIGKILL');
  await hub.process.exited;
  return startHub({ data, mqttPort: hub.mqttPort });
}

const texts = (heard: Visit['heard'], topic: string): string[] =>
  heard.filter((message) => message.topic === topic).map(({ text }) => text);

test('SIGKILL while a subscriber is away: it gets what was acknowledged, in order, QoS 2 once', async () => {
  const data = tempDir();
  let hub = await startHub({ data, mqttPort: await freePort() });
  const first = await visit(hub, { clientId: 'reader' });
  assert.equal(first.isPresent, false);
  await first.client.subscribeAsync({ 'one/#': { qos: 1 }, 'two/#': { qos: 2 } });
  await first.client.endAsync();

  const { client: writer } = await visit(hub, { clientId: 'writer', clean: true });
  const numbers = Array.from({ length: 2_000 }, (_, i) => `${i}`);
  const sends = numbers.flatMap((text) => [
    writer.publishAsync('one/a', text, { qos: 1 }),
    writer.publishAsync('two/a', text, { qos: 2 }),
  ]);
  await Promise.all(sends);
  await writer.publishAsync('state/a', 'kept', { qos: 1, retain: true });
  hub = await killed(hub, data);

  // It hears a part, and the hub dies again under it. What it holds between PUBLISH and PUBREL, it keeps.
  const incomingStore = new Store({ clean: false });
  const second = await visit(hub, { clientId: 'reader', incomingStore });
  assert.equal(second.isPresent, true);
  await second.until(20);
  hub = await killed(hub, data);

  const third = await visit(hub, { clientId: 'reader', incomingStore });
  await third.client.subscribeAsync('state/#', { qos: 1 });
  const heardOf = (topic: string): string[] => texts([...second.heard, ...third.heard], topic);
  const isThere = (): boolean =>
    ['one/a', 'two/a'].every((topic) => heardOf(topic).includes('1999'));
  while (!isThere()) await third.until(third.heard.length + 1);
  assert.deepEqual(
    [...new Set(heardOf('one/a'))],
    numbers,
    'QoS 1: all, in order, some perhaps again',
  );
  assert.deepEqual(heardOf('two/a'), numbers, 'QoS 2: all, in order, once');
  assert.deepEqual(
    third.heard.filter(({ retain }) => retain).map(({ text }) => text),
    ['kept'],
  );
});
