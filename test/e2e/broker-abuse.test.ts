/** What strangers and broken devices do to the port: the broker lives, and serves the others all the while. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { test } from 'vitest';

import { SeededRandom } from '../../src/platform/sim/random.ts';
import { dial, openBroker } from '../support/hubs/broker-port.ts';
import * as mqtt from '../support/made/mqtt-packets.ts';

class Wire {
  readonly socket: Socket;
  readonly heard: string[] = [];
  #changed: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    const reader = new mqtt.PacketReader();
    socket.on('data', (bytes: Buffer) => {
      for (const { first, body } of reader.feed(bytes)) {
        this.heard.push(mqtt.describePacket(first, body));
      }
      this.#changed();
    });
  }

  async until(count: number): Promise<void> {
    while (this.heard.length < count) await new Promise<void>((done) => (this.#changed = done));
  }
}

async function client(port: number, id: string): Promise<Wire> {
  const wire = new Wire(await dial(port));
  wire.socket.write(mqtt.connect({ id }));
  await wire.until(1);
  return wire;
}

/** Served means: a ping is answered and an acknowledged publish comes back. */
async function isServed(wire: Wire): Promise<void> {
  const before = wire.heard.length;
  wire.socket.write(Buffer.concat([mqtt.publish('self', 'x', { qos: 1, id: 5 }), mqtt.PINGREQ]));
  await wire.until(before + 3);
  assert.ok(wire.heard.slice(before).includes('puback 5'));
}

test('random bytes, and packets with random bytes in them, harm nobody', async () => {
  const { tcp, broker } = await openBroker();
  const good = await client(tcp, 'good');
  good.socket.write(mqtt.subscribe(1, ['self', 0]));
  await good.until(2);
  const random = new SeededRandom(7);
  const spoilt = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes);
    for (let i = 0; i < 3; i++)
      copy[Math.floor(random.fraction() * copy.length)] = random.bytes(1)[0] ?? 0;
    return copy;
  };
  const valid = Buffer.concat([
    mqtt.publish('a/b', 'payload', { qos: 2, id: 9 }),
    mqtt.subscribe(3, ['x/+/#', 1], ['y', 2]),
    mqtt.unsubscribe(4, 'y'),
    mqtt.pubrel(9),
    mqtt.PINGREQ,
  ]);
  for (let round = 0; round < 300; round++) {
    const socket = connect(tcp, '127.0.0.1').on('error', () => undefined);
    const connectPacket = mqtt.connect({ id: `fuzz${round % 7}`, clean: round % 2 === 0 });
    if (round % 3 === 0) socket.end(random.bytes(1 + Math.floor(random.fraction() * 300)));
    else if (round % 3 === 1) socket.end(spoilt(Buffer.concat([connectPacket, valid])));
    else socket.end(Buffer.concat([connectPacket, spoilt(valid)]));
    socket.resume();
    if (round % 20 === 19) await once(socket, 'close');
  }
  await isServed(good);
  assert.ok(broker.stat().clients >= 1);
});

test('a stranger who announces 256 MB before CONNECT is closed at once', async () => {
  const { tcp } = await openBroker();
  const socket = await dial(tcp);
  socket.resume();
  socket.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
  await once(socket, 'close');
});

test('a web browser that calls the port is closed at once', async () => {
  const { tcp } = await openBroker();
  const socket = await dial(tcp);
  socket.resume();
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await once(socket, 'close');
});

test('a subscriber that never reads while 200 MB pass costs a bounded amount, others are served', async () => {
  const { tcp, broker } = await openBroker();
  const deaf = await client(tcp, 'deaf');
  deaf.socket.write(mqtt.subscribe(1, ['bulk/#', 1]));
  await deaf.until(2);
  deaf.socket.pause();
  const good = await client(tcp, 'good');
  good.socket.write(mqtt.subscribe(1, ['self', 0]));
  await good.until(2);
  const from = await client(tcp, 'from');
  const payload = Buffer.alloc(64 * 1024, 1);
  for (let block = 0; block < 50; block++) {
    const publishes = Array.from({ length: 64 }, (_, i) =>
      mqtt.publish('bulk/x', payload, { qos: block % 2, id: i + 1 }),
    );
    if (!from.socket.write(Buffer.concat(publishes))) await once(from.socket, 'drain');
    if (block % 10 === 9) await isServed(good);
  }
  await from.until(1 + 25 * 64);
  const { dropped, cut, queuedBytes } = broker.stat();
  assert.ok(dropped > 1500, `${dropped} dropped at QoS 0`);
  assert.ok(cut > 900, `${cut} cut at QoS 1`);
  assert.ok(queuedBytes <= 40 << 20, `${queuedBytes} bytes queued`);
});

test('a QoS 0 flood with subscribers that come and go leaves the broker as it was', async () => {
  const { tcp, broker } = await openBroker();
  const flooder = await client(tcp, 'flooder');
  const burst = Buffer.concat(Array.from({ length: 2000 }, () => mqtt.publish('a/b', 'flood')));
  for (let round = 0; round < 20; round++) {
    const visitor = await client(tcp, `visitor${round}`);
    visitor.socket.write(mqtt.subscribe(1, ['a/#', 0]));
    await visitor.until(2);
    flooder.socket.write(burst);
    await visitor.until(10);
    visitor.socket.resetAndDestroy();
  }
  const last = await client(tcp, 'last');
  last.socket.write(mqtt.subscribe(1, ['self', 0]));
  await last.until(2);
  await isServed(last);
  assert.ok(broker.stat().messagesIn >= 38_000);
});

test('a thousand connections that say nothing leave room for one that does', async () => {
  const { tcp } = await openBroker();
  await Promise.all(Array.from({ length: 1000 }, () => dial(tcp)));
  const good = await client(tcp, 'good');
  good.socket.write(mqtt.subscribe(1, ['self', 0]));
  await good.until(2);
  await isServed(good);
});
