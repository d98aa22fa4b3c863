import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

import { afterEach, test } from 'vitest';

import { CountingProxy } from '../../../../src/platform/network/counting-proxy.ts';

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
});

/** A target that keeps what comes and answers each read with as many bytes. */
async function target(): Promise<{ port: number; received: number[]; ended: Promise<unknown>[] }> {
  const received: number[] = [];
  const ended: Promise<unknown>[] = [];
  const server: Server = createServer((socket) => {
    ended.push(closeOf(socket));
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      received.push(...bytes);
      socket.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(server);
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { port: address.port, received, ended };
}

/** Not `once`, which rejects for the reset that comes before. */
function closeOf(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.on('close', resolve));
}

async function proxyTo(port: number, cuts: (number | undefined)[] = []): Promise<CountingProxy> {
  const where = { host: '127.0.0.1', port };
  const proxy = await CountingProxy.open({ target: where, bytesUntilCut: () => cuts.shift() });
  open.push(proxy);
  return proxy;
}

async function dial(port: number, allowHalfOpen = false): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  open.push({ close: () => socket.destroy() });
  return socket;
}

test('what passes is counted, each way', async () => {
  const { port, received } = await target();
  const proxy = await proxyTo(port);
  const socket = await dial(proxy.port);
  socket.write(Uint8Array.of(1, 2, 3));
  await once(socket, 'data');
  assert.deepEqual(received, [1, 2, 3]);
  assert.equal(proxy.bytesUp, 3);
  assert.equal(proxy.bytesDown, 3);
  assert.equal(proxy.connections, 1);
  assert.equal(proxy.cuts, 0);
});

test('a cut comes at its very byte: those before arrive, none after, and both ends are gone', async () => {
  const { port, received, ended } = await target();
  const proxy = await proxyTo(port, [100]);
  const socket = await dial(proxy.port);
  const closed = closeOf(socket);
  socket.resume();
  socket.write(new Uint8Array(100_000).fill(7));
  await closed;
  await ended[0];
  assert.equal(received.length, 100);
  assert.equal(proxy.bytesUp + proxy.bytesDown, 100);
  assert.equal(proxy.cuts, 1);
  const next = await dial(proxy.port);
  next.write(Uint8Array.of(9));
  await once(next, 'data');
  assert.equal(received.at(-1), 9);
  assert.equal(proxy.connections, 2);
});

test('who comes back after a cut is let in when the target has read the last bytes', async () => {
  const events: string[] = [];
  const accepted: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const name = accepted.push(socket);
    events.push(`open ${name}`);
    socket.on('close', () => events.push(`close ${name}`));
    if (name === 3) server.emit('third');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(server);
  const { port } = server.address() as AddressInfo;
  const proxy = await proxyTo(port, [100]);
  const first = await dial(proxy.port);
  const closed = closeOf(first);
  first.resume();
  first.write(new Uint8Array(100));
  await closed;
  await dial(proxy.port);
  await dial(port); // Past the proxy: whatever it lets in at once is there before.
  const third = once(server, 'third');
  accepted[0]?.resume();
  await third;
  assert.deepEqual(events, ['open 1', 'open 2', 'close 1', 'open 3']);
});

test('who comes back is let in where the target was gone before the cut', async () => {
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => socket.write(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(server);
  const { port } = server.address() as AddressInfo;
  const proxy = await proxyTo(port, [100]);
  const first = await dial(proxy.port, true);
  first.write(Uint8Array.of(1));
  await once(first, 'data');
  const ended = once(first, 'end');
  accepted[0]?.resetAndDestroy();
  await ended;
  // It had not heard of that when it wrote.
  first.write(new Uint8Array(100));
  while (proxy.cuts === 0) await new Promise((resolve) => setImmediate(resolve));
  const next = await dial(proxy.port);
  next.write(Uint8Array.of(9));
  await once(next, 'data');
  assert.equal(proxy.connections, 2);
});
