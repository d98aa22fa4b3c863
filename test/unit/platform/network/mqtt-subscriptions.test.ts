/**
 * A broker that lets in and then does not let listen: a broker with access rules, or one that hangs. One that does not even
 * let in, and who is to blame. And what a session keeps.
 */
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Socket } from 'node:net';

import { onTestFinished, test, vi } from 'vitest';

import { machineMqttClient } from '../../../../src/platform/network/machine-mqtt-client.ts';
import type { MqttSession } from '../../../../src/platform/network/mqtt-client.ts';

const CONNACK = Buffer.from([0x20, 2, 0, 0]);
const SUBSCRIBE = 0x82;
/** Whoever answers does so in that time, also on a machine that is busy. */
const SILENT_MS = 3_000;
const NOTHING = { onMessage: () => undefined, onClose: () => undefined };

/** A session with a broker that sends CONNACK, and `answer` to each SUBSCRIBE. */
async function sessionWith(answer: (socket: Socket, packet: Buffer) => void): Promise<MqttSession> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(CONNACK));
    socket.on('data', (packet) => {
      if (packet[0] === SUBSCRIBE) answer(socket, packet);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `mqtt://127.0.0.1:${port}`;
  const options = { url, clientId: 'hub', keepaliveS: 60, connectTimeoutMs: SILENT_MS };
  const session = await machineMqttClient.connect(options, NOTHING);
  onTestFinished(async () => {
    await session.close();
    server.close();
  });
  return session;
}

test('a subscription that is refused is a matter of rights', async () => {
  const session = await sessionWith((socket, packet) => {
    socket.write(Buffer.from([0x90, 4, packet[2] ?? 0, packet[3] ?? 0, 1, 0x80]));
  });
  await assert.rejects(session.subscribe(['a', 'b']), {
    code: 'uplink.refused',
    message: /^mqtt:\/\/127\.0\.0\.1:\d+: the subscription to a, b is refused$/,
  });
});

test('a subscription that is not answered ends the wait', async () => {
  const session = await sessionWith(() => undefined);
  await assert.rejects(session.subscribe(['a']), {
    code: 'uplink.unreachable',
    message: /is not answered$/,
  });
});

test('a login that takes too long tells whether DNS or the broker is silent', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined));
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const options = { clientId: 'hub', keepaliveS: 60, connectTimeoutMs: SILENT_MS };
  const login = (host: string): Promise<unknown> =>
    machineMqttClient.connect({ ...options, url: `mqtt://${host}:${port}` }, NOTHING);
  const silent = /: no answer in 3 s: it takes the connection and says nothing$/;
  await assert.rejects(login('127.0.0.1'), { code: 'uplink.unreachable', message: silent });
  await assert.rejects(login('localhost'), { code: 'uplink.unreachable', message: silent });
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation(() => undefined);
  onTestFinished(() => lookup.mockRestore());
  await assert.rejects(login('region.example'), {
    code: 'uplink.unreachable',
    message: /^mqtt:\/\/region\.example:\d+: no answer in 3 s: DNS does not answer for this name$/,
  });
});

test('what answers in another language than MQTT is told as that: a captive portal does', async () => {
  const portal =
    'HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(portal));
  });
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (const scheme of ['mqtt', 'mqtts']) {
    const options = { clientId: 'hub', keepaliveS: 60, connectTimeoutMs: 60_000 };
    const login = machineMqttClient.connect(
      { ...options, url: `${scheme}://127.0.0.1:${port}` },
      NOTHING,
    );
    await assert.rejects(login, {
      code: 'uplink.unreachable',
      message: `${scheme}://127.0.0.1:${port}: what answers is no MQTT broker: a captive portal, or another service`,
    });
  }
});

test('a session keeps no buffer for each packet identifier', async () => {
  await sessionWith(() => undefined);
  const ofProject = createRequire(import.meta.url);
  const ofLibrary = createRequire(ofProject.resolve('mqtt'));
  const packets = ofLibrary('mqtt-packet') as { writeToStream: { cacheNumbers: boolean } };
  assert.equal(packets.writeToStream.cacheNumbers, false);
});
