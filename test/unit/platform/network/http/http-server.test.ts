import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, test } from 'vitest';

import { HubError } from '../../../../../src/base/errors.ts';
import {
  type HttpServer,
  type HttpServerOptions,
  serveHttp,
} from '../../../../../src/platform/network/http/http-server.ts';

const servers: HttpServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function waitFor(isSo: () => boolean): Promise<void> {
  while (!isSo()) await setImmediate();
}

async function serve(more: Partial<HttpServerOptions> = {}): Promise<HttpServer> {
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    purpose: 'http.port',
    connectionsMax: 20,
    fetch: (request, remote) =>
      new Response(`${request.method} ${new URL(request.url).pathname} ${remote}`),
    ...more,
  });
  servers.push(server);
  return server;
}

/** Sends raw bytes and returns all that comes back until the server closes. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString()));
  socket.end(text);
  await once(socket, 'close');
  return answer;
}

test('a request reaches the handler with the address of its peer', async () => {
  const server = await serve();
  const response = await fetch(`http://127.0.0.1:${server.port}/a?b=c`);
  assert.match(await response.text(), /^GET \/a 127\.0\.0\.1:\d+$/);
});

test('a port that is taken is a clear error that names who asked for it', async () => {
  const { port } = await serve();
  await assert.rejects(serve({ port }), (error) => {
    assert.ok(error instanceof HubError && error.code === 'port.taken');
    assert.match(error.message, new RegExp(`http\\.port: 127\\.0\\.0\\.1:${port}`));
    return true;
  });
});

test('bodies that are too large or of unknown length never reach the handler', async () => {
  const reached: string[] = [];
  const { port } = await serve({
    fetch: (request) => {
      reached.push(request.url);
      return new Response('ok');
    },
  });
  const large = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n';
  const tooLarge = await exchange(port, large);
  assert.match(tooLarge, /^HTTP\/1\.1 413 [^]*application\/problem\+json[^]*"status":413/);
  const chunked = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  assert.match(await exchange(port, chunked), /^HTTP\/1\.1 411 [^]*Content-Length\."\}/);
  const twoHosts = 'GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n';
  for (const odd of [twoHosts, 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n'])
    assert.match(await exchange(port, odd), /^HTTP\/1\.1 400 [^]*"status":400/);
  assert.deepEqual(reached, []);
});

test('headers beyond 16 KiB and nonsense are answered, not crashed on', async () => {
  const { port } = await serve();
  const long = `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`;
  assert.match(await exchange(port, long), /^HTTP\/1\.1 431 [^]*problem\+json[^]*"status":431/);
  const nonsense = '\u0000\u0001\r\n\r\n';
  assert.match(await exchange(port, nonsense), /^HTTP\/1\.1 400 [^]*problem\+json[^]*"status":400/);
  const behind = await exchange(port, `GET / HTTP/1.1\r\nHost: x\r\n\r\n${nonsense}`);
  assert.ok((behind.match(/HTTP\/1/g) ?? []).length <= 1, 'an answer has one head');
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
});

test('no refusal is without its words: no Host, an unknown Expect, a body that does not come', async () => {
  const { port } = await serve({
    bodyMsMax: 50,
    fetch: async (request) => new Response(await request.text()),
  });
  const head = 'POST / HTTP/1.1\r\n';
  const host = 'Host: hub.local\r\n';
  assert.match(await exchange(port, `${head}\r\n`), / 400 [^]*One Host/);
  assert.match(await exchange(port, `${head}${host}Expect: tea\r\n\r\n`), / 417 [^]*100-continue/);
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString()));
  socket.write(`${head}${host}Content-Length: 9\r\n\r\n{`);
  await once(socket, 'close');
  assert.match(answer, /^HTTP\/1.1 408 [^]*application\/problem\+json[^]*in time[^]*}\n$/);
  assert.match(await exchange(port, 'GET /a HTTP/1.0\r\n\r\n'), / 200 /);
});

test('a handler that throws is an answer of 500', async () => {
  const { port } = await serve({
    fetch: () => {
      throw new Error('boom');
    },
  });
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(response.status, 500);
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  assert.doesNotMatch(await response.text(), /boom/);
});

test('silent connections make room, and who finds none all the same is told of', async () => {
  let turnedAway = 0;
  let asked = 0;
  const { port } = await serve({
    connectionsMax: 4,
    patienceMs: 300,
    onTurnedAway: () => (turnedAway += 1),
    fetch: () => {
      asked += 1;
      return new Response(new ReadableStream({}));
    },
  });
  const open = (text = ''): Socket => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    if (text !== '') socket.write(text);
    return socket.resume();
  };
  const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  const silent = open();
  const halfHead = open(request.slice(0, 20));
  await Promise.all([once(silent, 'connect'), once(halfHead, 'connect')]);
  const asking: Socket[] = [];
  const ask = async (): Promise<void> => {
    asking.push(open(request));
    await waitFor(() => asked === asking.length);
  };
  await ask();
  await ask();
  await waitFor(() => silent.closed);
  await ask();
  await waitFor(() => halfHead.closed);
  await ask();
  assert.equal(turnedAway, 0);
  assert.ok(
    asking.every((socket) => !socket.closed),
    'whoever waits for an answer stays',
  );
  await once(open(request), 'close');
  assert.equal(turnedAway, 1);
  for (const socket of asking) socket.destroy();
});

function upgradeRequest(path: string, origin?: string): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: hub.local',
    'Connection: Upgrade',
    'Upgrade: websocket',
  ];
  if (origin !== undefined) lines.push(`Origin: ${origin}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

test('an upgrade of the right path and origin reaches its handler, all others are refused', async () => {
  const { port } = await serve({
    upgrade: {
      path: '/mqtt',
      origins: 'same',
      handler: (_request, socket) => socket.end('HTTP/1.1 101 Yes\r\n\r\n'),
    },
  });
  assert.match(await exchange(port, upgradeRequest('/mqtt')), / 101 /);
  assert.match(await exchange(port, upgradeRequest('/mqtt?x=1', 'http://hub.local')), / 101 /);
  assert.match(await exchange(port, upgradeRequest('/mqtt', 'http://evil.example')), / 403 /);
  assert.match(await exchange(port, upgradeRequest('/mqtt', 'null')), / 403 /);
  assert.match(await exchange(port, upgradeRequest('/other')), / 404 [^]*"status":404/);
  const plain = await fetch(`http://127.0.0.1:${port}/mqtt?x=1`);
  assert.deepEqual([plain.status, plain.headers.get('upgrade')], [426, 'websocket']);
  assert.match(((await plain.json()) as { detail: string }).detail, /WebSocket/);
});

test('a burst of requests is no crowd of silent ones: as many as there is room for are answered', async () => {
  let turnedAway = 0;
  const { port } = await serve({ connectionsMax: 8, onTurnedAway: () => (turnedAway += 1) });
  const request = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const sockets = Array.from({ length: 8 }, () => connect(port, '127.0.0.1'));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const answers = await Promise.all(
    sockets.map(async (socket) => {
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.write(request);
      await once(socket, 'close');
      return answer.slice(0, 12);
    }),
  );
  assert.deepEqual(
    answers,
    sockets.map(() => 'HTTP/1.1 200'),
  );
  assert.equal(turnedAway, 0);
});

test('who waits for an answer when it closes is told to come again, at once', async () => {
  let asked = 0;
  const server = await serve({
    fetch: () => {
      asked += 1;
      return new Promise(() => undefined);
    },
  });
  const waiting = fetch(`http://127.0.0.1:${server.port}/`);
  await waitFor(() => asked === 1);
  await server.close();
  const answer = await waiting;
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '5']);
  assert.match(await answer.text(), /is stopping/);
});

test('what comes too late is let go, and what fails too late is nobody\u2019s fault', async () => {
  let cancelled = 0;
  const answers: ((answer: Response) => void)[] = [];
  const failures: ((error: Error) => void)[] = [];
  const server = await serve({
    fetch: () =>
      new Promise((resolve, reject) => {
        answers.push(resolve);
        failures.push(reject);
      }),
  });
  const url = `http://127.0.0.1:${server.port}/`;
  const waiting = [fetch(url), fetch(url)];
  await waitFor(() => answers.length === 2);
  await server.close();
  answers[0]?.(new Response(new ReadableStream({ cancel: () => void (cancelled += 1) })));
  failures[1]?.(new Error('the store is closed'));
  await waitFor(() => cancelled === 1);
  for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 503);
});

test('closing ends open streams and frees the port', async () => {
  const server = await serve({ fetch: () => new Response(new ReadableStream({})) });
  const ended = exchange(server.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const other = await fetch(`http://127.0.0.1:${server.port}/`);
  assert.equal(other.status, 200);
  await server.close();
  await ended;
  await assert.rejects(other.text());
  await serve({ port: server.port });
});
