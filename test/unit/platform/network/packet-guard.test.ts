import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

import { onTestFinished, test } from 'vitest';

import { machineMqttClient } from '../../../../src/platform/network/machine-mqtt-client.ts';
import { PacketGuard } from '../../../../src/platform/network/packet-guard.ts';

const CONNACK = Buffer.from([0x20, 2, 0, 0]);
/** A PUBLISH of as many bytes as can be. */
const LARGEST = Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]);
const LARGEST_BYTES = 268_435_455;
const PUBLISH_BYTES = 300;

/** A PUBLISH whose length takes two bytes. */
function publish(): Uint8Array {
  const packet = new Uint8Array(3 + PUBLISH_BYTES).fill(0xff);
  packet.set([0x30, 0x80 | (PUBLISH_BYTES & 0x7f), PUBLISH_BYTES >> 7]);
  return packet;
}

test('packets pass, however the stream is cut, and the one that is too large is found by its head', () => {
  const stream = Buffer.concat([CONNACK, publish(), Buffer.from([0xd0, 0]), publish()]);
  for (const piece of [1, 2, 3, 7, 100, stream.length]) {
    const guard = new PacketGuard(PUBLISH_BYTES);
    for (let at = 0; at < stream.length; at += piece) {
      assert.equal(guard.take(stream.subarray(at, at + piece)), undefined);
    }
    const told = [...LARGEST].map((byte) => guard.take(Uint8Array.of(byte)));
    assert.ok(told.some((length) => (length ?? 0) > PUBLISH_BYTES));
  }
  const guard = new PacketGuard(PUBLISH_BYTES - 1);
  assert.equal(guard.take(publish()), PUBLISH_BYTES);
});

test('a broker that announces 256 MB loses its connection before they come', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(CONNACK);
      setImmediate(() => socket.write(LARGEST));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const options = { url: `mqtt://127.0.0.1:${port}`, clientId: 'hub', keepaliveS: 60 };
  const why = await new Promise<string>((resolve, reject) => {
    const handlers = { onMessage: () => undefined, onClose: resolve };
    machineMqttClient.connect({ ...options, connectTimeoutMs: 60_000 }, handlers).catch(reject);
  });
  assert.match(why, new RegExp(`a packet of ${LARGEST_BYTES} bytes`));
});
