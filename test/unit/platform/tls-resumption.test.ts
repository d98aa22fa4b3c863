/** TLS sessions upstream are resumed: against a server of node:tls that answers CONNECT and nothing else. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';

import { afterEach, test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { machineMqttClient } from '../../../src/platform/network/machine-mqtt-client.ts';
import { TLS_CERT, TLS_KEY } from '../../support/machine/tls-fixture.ts';

const CONNACK = Buffer.from([0x20, 2, 0, 0]);
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(): Promise<{ url: string; reused: boolean[] }> {
  const reused: boolean[] = [];
  const server = createServer({ key: TLS_KEY, cert: TLS_CERT }, (socket) => {
    reused.push(socket.isSessionReused());
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(CONNACK));
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `mqtts://localhost:${port}`, reused };
}

async function visit(url: string, ca = TLS_CERT): Promise<boolean | undefined> {
  const handlers = { onMessage: () => undefined, onClose: () => undefined };
  const base = { clientId: 'hub', keepaliveS: 60, connectTimeoutMs: 5_000 };
  const session = await machineMqttClient.connect({ ...base, url, ca: utf8(ca) }, handlers);
  const { isResumed } = session;
  await session.close();
  assert.equal(session.isResumed, isResumed, 'also when it has ended');
  return isResumed;
}

test('the second session goes on with the keys of the first', async () => {
  const { url, reused } = await serve();
  assert.equal(await visit(url), false);
  assert.equal(await visit(url), true);
  assert.equal(await visit(url), true);
  assert.deepEqual(reused, [false, true, true]);
});

test('a ticket is for its upstream and for what was trusted there', async () => {
  const { url } = await serve();
  await visit(url);
  assert.equal(await visit(url, `${TLS_CERT}\n${TLS_CERT}`), false, 'other authorities');
  const other = await serve();
  assert.equal(await visit(other.url), false);
});

test('what TLS needs counts, in both directions, also when the session has ended', async () => {
  const { url } = await serve();
  const bytes: (readonly [number, number])[] = [];
  for (let visits = 0; visits < 2; visits++) {
    const handlers = { onMessage: () => undefined, onClose: () => undefined };
    const base = { clientId: 'hub', keepaliveS: 60, connectTimeoutMs: 5_000 };
    const session = await machineMqttClient.connect({ ...base, url, ca: utf8(TLS_CERT) }, handlers);
    await session.close();
    bytes.push([session.bytesOut, session.bytesIn]);
  }
  const [[firstOut, firstIn], [secondOut, secondIn]] = bytes as [
    [number, number],
    [number, number],
  ];
  assert.ok(firstOut > 300 && firstIn > 800, `a greeting and certificates: ${bytes.join(' ')}`);
  assert.ok(
    secondOut > 300 && secondIn > 100 && secondIn < firstIn,
    `a ticket: ${bytes.join(' ')}`,
  );
});
