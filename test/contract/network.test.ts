/** One contract for every carrier of bytes: TCP, TLS, WebSocket and the simulated line. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import { json } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, test } from 'vitest';
import { WebSocket } from 'ws';

import { HubError } from '../../src/base/errors.ts';
import { machineTimers } from '../../src/platform/clock.ts';
import { connectionOf, machineNetwork } from '../../src/platform/network/machine-network.ts';
import type { Connection, ListenOptions } from '../../src/platform/network/network.ts';
import { joinedEnds } from '../support/simulated/line.ts';
import { webSocketUpgrades } from '../../src/platform/network/http/websocket.ts';
import { TLS_CERT, TLS_KEY } from '../support/machine/tls-fixture.ts';

/** Two ends of one fresh connection: the one that dialled, and the one that was accepted. */
type Pair = readonly [near: Connection, far: Connection];

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const carriers: Record<string, () => Promise<Pair>> = {
  tcp: () => dialled((port) => connect(port, '127.0.0.1')),
  tls: () =>
    dialled((port) => connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }), {
      tls: { key: Buffer.from(TLS_KEY), cert: Buffer.from(TLS_CERT) },
    }),
  websocket: webSocketPair,
  simulated: () => Promise.resolve(joinedEnds(machineTimers, ['near', 'far'])),
};

async function dialled(
  dial: (port: number) => Socket,
  options: Partial<ListenOptions> = {},
): Promise<Pair> {
  let accepted: (connection: Connection) => void = () => undefined;
  const far = new Promise<Connection>((resolve) => (accepted = resolve));
  const listener = await machineNetwork.listen(
    { host: '127.0.0.1', port: 0, purpose: 'test', connectionsMax: 10, ...options },
    (connection) => accepted(connection),
  );
  const socket = dial(listener.port);
  cleanups.push(
    () => socket.destroy(),
    () => void listener.close(),
  );
  return [connectionOf(socket), await far];
}

async function webSocketPair(): Promise<Pair> {
  const { port, far } = await webSocketServer();
  const client = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt');
  cleanups.push(() => client.terminate());
  await once(client, 'open');
  return [clientOf(client), await far];
}

async function webSocketServer(): Promise<{ port: number; far: Promise<Connection> }> {
  const http = createHttpServer();
  let accepted: (connection: Connection) => void = () => undefined;
  const far = new Promise<Connection>((resolve) => (accepted = resolve));
  const options = { connectionsMax: 2, messageBytesMax: 1 << 20 };
  http.on(
    'upgrade',
    webSocketUpgrades(options, (connection) => accepted(connection)),
  );
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  cleanups.push(() => http.close());
  return { port: (http.address() as { port: number }).port, far };
}

/** The dialling end, as far as these tests use it. */
function clientOf(webSocket: WebSocket): Connection {
  return {
    remote: 'server',
    bufferedBytes: 0,
    start: (handlers) => {
      webSocket.on('message', (data: Buffer) => handlers.onData(data));
      webSocket.on('close', () => handlers.onClose());
    },
    write: (bytes) => {
      webSocket.send(bytes);
      return true;
    },
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    end: () => webSocket.close(),
    destroy: () => webSocket.terminate(),
  };
}

class Recorder {
  readonly pieces: Uint8Array[] = [];
  drains = 0;
  closes = 0;
  #changed: () => void = () => undefined;

  constructor(connection: Connection) {
    connection.start({
      onData: (bytes) => {
        this.pieces.push(new Uint8Array(bytes));
        this.#changed();
      },
      onDrain: () => {
        this.drains += 1;
        this.#changed();
      },
      onClose: () => {
        this.closes += 1;
        this.#changed();
      },
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#changed = resolve));
  }
}

const noop = (): void => undefined;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

for (const [carrier, pair] of Object.entries(carriers)) {
  describe(`a connection over ${carrier}`, () => {
    test('carries bytes both ways, whole and in order', async () => {
      const [near, far] = await pair();
      const nearHeard = new Recorder(near);
      const farHeard = new Recorder(far);
      for (let i = 0; i < 50; i++) near.write(Buffer.from(`ping ${i};`));
      far.write(Buffer.from('hello'));
      const expected = Array.from({ length: 50 }, (_, i) => `ping ${i};`).join('');
      await farHeard.until(() => farHeard.bytes.length >= expected.length);
      await nearHeard.until(() => nearHeard.bytes.length >= 5);
      assert.equal(farHeard.bytes.toString(), expected);
      assert.equal(nearHeard.bytes.toString(), 'hello');
    });

    test('makes the writer wait for a reader that pauses, and tells it when to go on', async () => {
      const [near, far] = await pair();
      const nearHeard = new Recorder(near);
      const farHeard = new Recorder(far);
      near.pause();
      const block = Buffer.alloc(64 * 1024, 7);
      let written = 0;
      do {
        written += block.length;
        assert.ok(written < 64 << 20, 'the writer is never told to wait');
      } while (far.write(block) || far.bufferedBytes === 0);
      assert.ok(far.bufferedBytes > 0);
      near.resume();
      await farHeard.until(() => farHeard.drains > 0);
      await nearHeard.until(() => nearHeard.bytes.length === written);
      assert.equal(far.bufferedBytes, 0);
    });

    test('ends after what was written has been sent, and both sides close once', async () => {
      const [near, far] = await pair();
      const nearHeard = new Recorder(near);
      const farHeard = new Recorder(far);
      far.write(Buffer.alloc(300_000, 1));
      far.end();
      far.end();
      far.write(Buffer.from('too late'));
      await nearHeard.until(() => nearHeard.closes > 0);
      await farHeard.until(() => farHeard.closes > 0);
      await turn();
      assert.equal(nearHeard.bytes.length, 300_000);
      assert.deepEqual([nearHeard.closes, farHeard.closes], [1, 1]);
    });

    test('hears nothing more after its own end', async () => {
      const [near, far] = await pair();
      const nearHeard = new Recorder(near);
      const farHeard = new Recorder(far);
      far.end();
      near.write(Buffer.from('into the void'));
      await nearHeard.until(() => nearHeard.closes > 0);
      await farHeard.until(() => farHeard.closes > 0);
      assert.equal(farHeard.pieces.length, 0);
    });

    test('lets written memory be used again once nothing is buffered', async () => {
      const [near, far] = await pair();
      const nearHeard = new Recorder(near);
      const reused = Buffer.from('first');
      far.write(reused);
      while (far.bufferedBytes > 0) await turn();
      reused.write('wrong');
      await nearHeard.until(() => nearHeard.bytes.length === 5);
      assert.equal(nearHeard.bytes.toString(), 'first');
    });

    test('destroyed, closes both sides once', async () => {
      const [near, far] = await pair();
      const nearHeard = new Recorder(near);
      const farHeard = new Recorder(far);
      far.destroy();
      far.destroy();
      await nearHeard.until(() => nearHeard.closes > 0);
      await farHeard.until(() => farHeard.closes > 0);
      await turn();
      assert.deepEqual([nearHeard.closes, farHeard.closes], [1, 1]);
    });
  });
}

test('the machine network names who asked for a port that is taken', async () => {
  const options = { host: '127.0.0.1', port: 0, purpose: 'broker.port', connectionsMax: 1 };
  const first = await machineNetwork.listen(options, noop);
  await assert.rejects(
    machineNetwork.listen({ ...options, port: first.port }, noop),
    (error) =>
      error instanceof HubError &&
      error.code === 'port.taken' &&
      error.message.includes('broker.port'),
  );
  await first.close();
  const second = await machineNetwork.listen({ ...options, port: first.port }, noop);
  assert.equal(second.port, first.port);
  await second.close();
});

test('the machine network closes connections beyond its limit, and takes new ones when others left', async () => {
  const accepted: Connection[] = [];
  let turnedAway = 0;
  const listener = await machineNetwork.listen(
    {
      host: '127.0.0.1',
      port: 0,
      purpose: 'test',
      connectionsMax: 1,
      onTurnedAway: () => (turnedAway += 1),
    },
    (connection) => accepted.push(connection),
  );
  const first = connect(listener.port, '127.0.0.1');
  await once(first, 'connect');
  const second = connect(listener.port, '127.0.0.1').on('error', () => undefined);
  await once(second, 'close');
  assert.deepEqual([accepted.length, turnedAway], [1, 1]);
  const gone = new Recorder(accepted[0] as Connection);
  first.destroy();
  await gone.until(() => gone.closes === 1);
  const third = connect(listener.port, '127.0.0.1');
  await once(third, 'connect');
  while (accepted.length < 2) await turn();
  third.destroy();
  await listener.close();
});

test('the machine network reads all its connections into the same memory', async () => {
  const memories: ArrayBufferLike[] = [];
  let changed: () => void = noop;
  const onData = (bytes: Uint8Array): void => {
    memories.push(bytes.buffer);
    changed();
  };
  const options = { host: '127.0.0.1', port: 0, purpose: 'test', connectionsMax: 2 };
  const listener = await machineNetwork.listen(options, (connection) =>
    connection.start({ onData, onDrain: noop, onClose: noop }),
  );
  const clients = [0, 1].map(() => connect(listener.port, '127.0.0.1'));
  for (const client of clients) client.write('hello');
  while (memories.length < 2) await new Promise<void>((resolve) => (changed = resolve));
  assert.equal(memories[0], memories[1]);
  for (const client of clients) client.destroy();
  await listener.close();
});

test('a simulated line lends bytes for the length of the call', async () => {
  const [near, far] = joinedEnds(machineTimers, ['a', 'b']);
  const kept: Uint8Array[] = [];
  const heard = new Promise<void>((resolve) =>
    far.start({
      onData: (bytes) => {
        assert.equal(Buffer.from(bytes).toString(), 'mine');
        kept.push(bytes);
        resolve();
      },
      onDrain: noop,
      onClose: noop,
    }),
  );
  const written = Buffer.from('mine');
  near.write(written);
  await heard;
  await turn();
  assert.notEqual(Buffer.from(kept[0] as Uint8Array).toString(), 'mine');
  assert.equal(written.toString(), 'mine');
});

test('a simulated line delays, cuts into pieces and loses what is under way when it is cut', async () => {
  const [near, far] = joinedEnds(machineTimers, ['a', 'b'], { delayMs: 5, chunkBytesMax: 2 });
  const heard = new Recorder(far);
  near.start({ onData: noop, onDrain: noop, onClose: noop });
  near.write(Buffer.from('abcde'));
  assert.equal(heard.pieces.length, 0);
  await heard.until(() => heard.bytes.length === 5);
  assert.deepEqual(
    heard.pieces.map((piece) => piece.length),
    [2, 2, 1],
  );
  near.write(Buffer.from('lost'));
  near.cut();
  await heard.until(() => heard.closes === 1);
  assert.equal(heard.bytes.toString(), 'abcde');
});

test('a text message closes the WebSocket [MQTT-6.0.0-1]', async () => {
  const { port, far } = await webSocketServer();
  const client = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, ['mqttv3.1']);
  await once(client, 'open');
  assert.equal(client.protocol, 'mqttv3.1');
  const heard = new Recorder(await far);
  client.send('text');
  const [code] = (await once(client, 'close')) as [number];
  await heard.until(() => heard.closes === 1);
  assert.equal(code, 1003);
  assert.equal(heard.pieces.length, 0);
});

test('an empty message is no data, and a client that says goodbye need not hang up', async () => {
  const { port, far } = await webSocketServer();
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume();
  cleanups.push(() => client.destroy());
  client.write(
    'GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${'A'.repeat(22)}==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n`,
  );
  const heard = new Recorder(await far);
  const frames = [Buffer.from('8280000000008281000000', 'hex'), Buffer.from('00788880', 'hex')];
  client.write(Buffer.concat([...frames, Buffer.alloc(4)]));
  const started = performance.now();
  await heard.until(() => heard.closes === 1);
  assert.ok(performance.now() - started < 10_000);
  assert.deepEqual(heard.pieces, [new Uint8Array([0x78])]);
});

test('an upgrade without the subprotocol mqtt is refused [MQTT-6.0.0-3]', async () => {
  const { port } = await webSocketServer();
  for (const offered of [[], ['chat']]) {
    const client = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, offered);
    client.on('error', () => undefined);
    const [, answer] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage];
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    const { status, detail } = (await json(answer)) as { status: number; detail: string };
    assert.equal(status, 400);
    assert.match(detail, /subprotocol mqtt/);
    client.terminate();
  }
});

/** Sockets that dial this port and have no answer of the kernel yet. */
function unansweredAt(port: number): number {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  const rows = lines.map((line) => line.trim().split(/\s+/));
  return rows.filter(([, , far, state]) => far?.endsWith(end) === true && state === '02').length;
}

test('a thousand clients may dial at once, before one of them is accepted', async () => {
  const options = { host: '127.0.0.1', port: 0, purpose: 'test', connectionsMax: 10 };
  const listener = await machineNetwork.listen(options, () => undefined);
  const dialling = Array.from({ length: 1_000 }, () => connect(listener.port, '127.0.0.1'));
  for (const socket of dialling) socket.on('error', () => undefined);
  // They dial in the next tick, before anyone is accepted.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  // A kernel that is busy answers a moment later. We do not, until it has answered all of them or will not.
  const still = new Int32Array(new SharedArrayBuffer(4));
  for (let looks = 0; looks < 500 && unansweredAt(listener.port) > 0; looks++) {
    Atomics.wait(still, 0, 0, 10);
  }
  const unanswered = unansweredAt(listener.port);
  for (const socket of dialling) socket.destroy();
  await listener.close();
  assert.equal(unanswered, 0);
});
