/** TLS sessions upstream are resumed: against a server of node:tls that answers CONNECT and nothing else. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';

import { afterEach, test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { machineMqttClient } from '../../../../src/platform/network/machine-mqtt-client.ts';
import { TLS_CERT, TLS_KEY } from '../../../support/machine/tls-fixture.ts';

const CONNACK = Buffer.from([0x20, 2, 0, 0]);
const NOT_AUTHORISED = Buffer.from([0x20, 2, 0, 5]);
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(answer = CONNACK): Promise<{ url: string; reused: boolean[] }> {
  const reused: boolean[] = [];
  const server = createServer({ key: TLS_KEY, cert: TLS_CERT }, (socket) => {
    reused.push(socket.isSessionReused());
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(answer));
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `mqtts://localhost:${port}`, reused };
}

async function visit(url: string, ca = TLS_CERT): Promise<boolean | undefined> {
  const handlers = { onMessage: () => undefined, onClose: () => undefined };
  const base = { clientId: 'hub', keepaliveS: 60, connectTimeoutMs: 60_000 };
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

/** What an attempt took of the line that no session came of. */
async function vainBytes(url: string, trust: { readonly ca?: Uint8Array }): Promise<number> {
  const told: number[] = [];
  const nothing = { onMessage: () => undefined, onClose: () => undefined };
  const handlers = { ...nothing, onVain: (lineBytes: number) => void told.push(lineBytes) };
  const base = { clientId: 'hub', keepaliveS: 60, connectTimeoutMs: 60_000 };
  await assert.rejects(machineMqttClient.connect({ ...base, url, ...trust }, handlers));
  assert.equal(told.length, 1, 'told once');
  return told[0] ?? 0;
}

test('what TLS needs counts, too, where the login is refused or the certificate not trusted', async () => {
  const { url } = await serve(NOT_AUTHORISED);
  const refused = await vainBytes(url, { ca: utf8(TLS_CERT) });
  assert.ok(refused > 1_100, `greeting, certificate, CONNECT and CONNACK: ${refused}`);
  const { url: other } = await serve();
  const untrusted = await vainBytes(other, {});
  assert.ok(untrusted > 900, `greeting and certificate: ${untrusted}`);
});

test('what TLS needs counts, in both directions, also when the session has ended', async () => {
  const { url } = await serve();
  const bytes: (readonly [number, number])[] = [];
  for (let visits = 0; visits < 2; visits++) {
    const handlers = { onMessage: () => undefined, onClose: () => undefined };
    const base = { clientId: 'hub', keepaliveS: 60, connectTimeoutMs: 60_000 };
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
