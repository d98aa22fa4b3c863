/** The broker with clients that others wrote: mosquitto_pub, mosquitto_sub and MQTT.js, over TCP, TLS and WebSocket. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { connect, connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { describe, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';

import { openBroker } from '../support/hubs/broker-port.ts';
import * as mqtt from '../support/made/mqtt-packets.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { spawnProcess } from '../support/machine/spawn.ts';

async function mqttJs(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync(url, {
    reconnectPeriod: 0,
    connectTimeout: 5000,
    rejectUnauthorized: false,
    ...options,
  });
  onTestFinished(() => void client.end(true));
  return client;
}

interface Heard {
  readonly heard: string[];
  readonly until: (count: number) => Promise<void>;
}

/** Messages of a client as they come: `topic payload qos`, with `retained` where it says so. */
function listen(client: MqttClient): Heard {
  const heard: string[] = [];
  let changed: () => void = () => undefined;
  client.on('message', (topic, payload, { qos, retain }) => {
    heard.push(`${topic} ${payload.toString()} ${qos}${retain ? ' retained' : ''}`);
    changed();
  });
  const until = async (count: number): Promise<void> => {
    while (heard.length < count) await new Promise<void>((resolve) => (changed = resolve));
  };
  return { heard, until };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('MQTT.js', () => {
  for (const carrier of ['tcp', 'tls', 'websocket'] as const) {
    test(`[MQTT-7.0.0-2] publishes and hears QoS 0, 1 and 2 over ${carrier}`, async () => {
      const ports = await openBroker();
      const url = {
        tcp: `mqtt://127.0.0.1:${ports.tcp}`,
        tls: `mqtts://127.0.0.1:${ports.tls}`,
        websocket: `ws://127.0.0.1:${ports.webSocket}/mqtt`,
      }[carrier];
      const to = await mqttJs(url);
      const { heard, until } = listen(to);
      await to.subscribeAsync('a/#', { qos: 2 });
      const from = await mqttJs(url);
      await from.publishAsync('a/0', 'zero', { qos: 0 });
      await from.publishAsync('a/1', 'one', { qos: 1 });
      await from.publishAsync('a/2', 'two', { qos: 2 });
      await until(3);
      assert.deepEqual(heard.toSorted(), ['a/0 zero 0', 'a/1 one 1', 'a/2 two 2']);
    });
  }

  test('a kept session gets what it missed, in order, ten thousand messages of it', async () => {
    const { tcp } = await openBroker();
    const url = `mqtt://127.0.0.1:${tcp}`;
    const keeps = { clientId: 'kept', clean: false };
    const first = await mqttJs(url, keeps);
    await first.subscribeAsync('a', { qos: 1 });
    await first.endAsync();
    const from = await mqttJs(url);
    const count = 10_000;
    const acks = Array.from({ length: count }, (_, i) =>
      from.publishAsync('a', `${i}`, { qos: 1 }),
    );
    await Promise.all(acks);
    const again = connect(url, { ...keeps, reconnectPeriod: 0 });
    onTestFinished(() => void again.end(true));
    const { heard, until } = listen(again);
    await until(count);
    assert.deepEqual(
      heard,
      Array.from({ length: count }, (_, i) => `a ${i} 1`),
    );
  });

  test('a payload of a megabyte travels whole', async () => {
    const { tcp } = await openBroker();
    const client = await mqttJs(`mqtt://127.0.0.1:${tcp}`);
    await client.subscribeAsync('a', { qos: 1 });
    const payload = Buffer.alloc(1 << 20, 'abcdefg');
    const heard = new Promise<Buffer>((resolve) =>
      client.on('message', (_topic, bytes) => resolve(bytes)),
    );
    await client.publishAsync('a', payload, { qos: 1 });
    assert.equal(payload.equals(await heard), true);
  });

  test('is told of a wrong password and of a refused subscription', async () => {
    const { tcp } = await openBroker();
    const url = `mqtt://127.0.0.1:${tcp}`;
    await assert.rejects(
      mqttJs(url, { username: 'u', password: 'wrong' }),
      /Bad username|code: 4/i,
    );
    const client = await mqttJs(url, { username: 'u', password: 'right' });
    await assert.rejects(client.subscribeAsync('secret/#', { qos: 1 }), /Unspecified error|128/);
    const [granted] = await client.subscribeAsync('open/#', { qos: 1 });
    assert.equal(granted?.qos, 1);
  });

  test('in MQTT 5 it is refused and says so', async () => {
    const { tcp } = await openBroker();
    const five = mqttJs(`mqtt://127.0.0.1:${tcp}`, { protocolVersion: 5 });
    await assert.rejects(five, /Unsupported Protocol Version|132|code/i);
  });

  test('retained state, wills and $SYS are there', async () => {
    const { tcp } = await openBroker();
    const url = `mqtt://127.0.0.1:${tcp}`;
    const device = await mqttJs(url, {
      will: { topic: 'state', payload: Buffer.from('offline'), qos: 1, retain: true },
    });
    await device.publishAsync('state', 'online', { qos: 1, retain: true });
    const watcher = await mqttJs(url);
    const { heard, until } = listen(watcher);
    await watcher.subscribeAsync('state', { qos: 1 });
    await until(1);
    device.stream.destroy();
    await until(2);
    assert.deepEqual(heard, ['state online 1 retained', 'state offline 1']);
  });
});

test('[MQTT-6.0.0-2] [MQTT-6.0.0-4] packets need not fit WebSocket messages, and `mqtt` is selected', async () => {
  const { webSocket } = await openBroker();
  const socket = new WebSocket(`ws://127.0.0.1:${webSocket}/mqtt`, ['other', 'mqtt']);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  assert.equal(socket.protocol, 'mqtt');
  const heard: string[] = [];
  const reader = new mqtt.PacketReader();
  const done = new Promise<void>((resolve) =>
    socket.on('message', (bytes: Buffer) => {
      for (const { first, body } of reader.feed(bytes))
        heard.push(mqtt.describePacket(first, body));
      if (heard.length === 4) resolve();
    }),
  );
  const packets = [mqtt.connect(), mqtt.subscribe(1, ['a', 0]), mqtt.publish('a', 'x', { qos: 1 })];
  const stream = Buffer.concat(packets);
  for (let at = 0; at < stream.length - 9; at++) socket.send(stream.subarray(at, at + 1));
  socket.send(stream.subarray(stream.length - 9));
  await done;
  assert.deepEqual(heard.toSorted(), ['connack 0', 'puback 1', 'publish a x qos0', 'suback 1: 0']);
});

for (const carrier of ['tcp', 'tls'] as const) {
  test(`who ends its half behind its publishes still hears their acknowledgements, and its will goes out: ${carrier}`, async () => {
    const ports = await openBroker();
    const watcher = await mqttJs(`mqtt://127.0.0.1:${ports.tcp}`);
    const { heard: wills, until } = listen(watcher);
    await watcher.subscribeAsync('gone');
    const to = { port: ports[carrier], host: '127.0.0.1', allowHalfOpen: true };
    const half =
      carrier === 'tcp' ? connectTcp(to) : connectTls({ ...to, rejectUnauthorized: false });
    onTestFinished(() => void half.destroy());
    const heard: string[] = [];
    const reader = new mqtt.PacketReader();
    half.on('data', (bytes) => {
      for (const { first, body } of reader.feed(bytes))
        heard.push(mqtt.describePacket(first, body));
    });
    const will = { topic: 'gone', payload: 'bye' };
    half.write(mqtt.connect({ id: 'half', will }));
    for (const id of [1, 2, 3]) half.write(mqtt.publish('a', 'x', { qos: 1, id }));
    half.end();
    await once(half, 'end');
    assert.deepEqual(heard, ['connack 0', 'puback 1', 'puback 2', 'puback 3']);
    await until(1);
    assert.deepEqual(wills, ['gone bye 0']);
    assert.equal(ports.broker.stat().clients, 1);
  });
}

describe('mosquitto clients', () => {
  testWithPeers(
    'publish and hear QoS 0, 1 and 2',
    ['mosquitto_pub', 'mosquitto_sub'],
    async (paths) => {
      const [publish, subscribe] = paths as [string, string];
      const { tcp, broker } = await openBroker();
      const port = ['-p', String(tcp)];
      for (const qos of ['0', '1', '2']) {
        const format = ['-F', '%t %p %q'];
        const to = spawnProcess(subscribe, [
          ...port,
          '-t',
          'a/+',
          '-q',
          qos,
          '-C',
          '1',
          ...format,
          '-d',
        ]);
        while (broker.stat().subscriptions === 0) await turn();
        const from = spawnProcess(publish, [...port, '-t', 'a/b', '-m', 'hello', '-q', qos]);
        assert.equal(await from.exited, 0);
        assert.equal(await to.line(/^a\/b/), `a/b hello ${qos}`);
        assert.equal(await to.exited, 0);
      }
    },
  );

  testWithPeers('speak MQTT 3.1 as well', ['mosquitto_pub', 'mosquitto_sub'], async (paths) => {
    const [publish, subscribe] = paths as [string, string];
    const { tcp } = await openBroker();
    const old = ['-p', String(tcp), '-V', 'mqttv31', '-q', '1', '-t', 'a'];
    const from = spawnProcess(publish, [...old, '-m', 'kept', '-r']);
    assert.equal(await from.exited, 0);
    const to = spawnProcess(subscribe, [...old, '-C', '1']);
    assert.equal(await to.line(/./), 'kept');
  });

  testWithPeers('in MQTT 5 are told to use 3.x', ['mosquitto_pub'], async ([publish]) => {
    const { tcp } = await openBroker();
    const five = ['-p', String(tcp), '-V', '5', '-t', 'a', '-m', 'x'];
    const from = spawnProcess(publish as string, five);
    assert.notEqual(await from.exited, 0);
    assert.match(from.lines.join('\n'), /Unsupported Protocol Version/);
  });

  testWithPeers(
    'a thousand lines at QoS 2 arrive once each',
    ['mosquitto_pub'],
    async ([publish]) => {
      const { tcp } = await openBroker();
      const to = await mqttJs(`mqtt://127.0.0.1:${tcp}`);
      const { heard, until } = listen(to);
      await to.subscribeAsync('a', { qos: 2 });
      const script = `seq 1000 | ${publish} -p ${tcp} -t a -q 2 -l`;
      assert.equal(await spawnProcess('sh', ['-c', script]).exited, 0);
      await until(1000);
      assert.deepEqual(
        heard,
        Array.from({ length: 1000 }, (_, i) => `a ${i + 1} 2`),
      );
    },
  );
});
