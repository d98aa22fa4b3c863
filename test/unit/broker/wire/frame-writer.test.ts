import assert from 'node:assert/strict';
import { beforeEach, test } from 'vitest';

import { Counters } from '../../../../src/broker/counters.ts';
import { BufferPool, FrameWriter, TurnFlush } from '../../../../src/broker/wire/frame-writer.ts';
import type { Connection } from '../../../../src/platform/network/network.ts';
import { describePacket, PacketReader } from '../../../support/made/mqtt-packets.ts';

/** A connection that takes everything at once, or nothing. */
class Sink implements Connection {
  readonly remote = 'sink';
  readonly writes: Buffer[] = [];
  bufferedBytes = 0;
  isStuck = false;

  write(bytes: Uint8Array): boolean {
    this.writes.push(Buffer.from(bytes));
    if (this.isStuck) this.bufferedBytes += bytes.length;
    return !this.isStuck;
  }

  start(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

let sink: Sink;
let writer: FrameWriter;
let counters: Counters;
let endTurn: () => void;
let flushesAsked: number;

beforeEach(() => {
  sink = new Sink();
  counters = new Counters();
  flushesAsked = 0;
  const turn = new TurnFlush((flush) => {
    endTurn = flush;
    flushesAsked += 1;
  });
  writer = new FrameWriter(sink, { pool: new BufferPool(), turn, counters });
});

function sent(): string[] {
  const reader = new PacketReader();
  return sink.writes
    .flatMap((bytes) => reader.feed(bytes))
    .map(({ first, body }) => describePacket(first, body));
}

const topic = { name: 'a', encoded: Buffer.from([0, 1, 0x61]) };

function message(payload: string | Buffer): Parameters<FrameWriter['publish']>[0] {
  return { topic, payload, qos: 1, retain: false, lsn: 0 };
}

test('frames of one turn leave in one write, and the end of the turn is asked for once', () => {
  writer.ack(0x40, 258);
  writer.publish(message('hello'), 0x32, 7);
  writer.frame(Buffer.from([1, 0xd0, 0, 2]), 1, 3);
  assert.deepEqual([sink.writes.length, flushesAsked], [0, 1]);
  endTurn();
  assert.equal(sink.writes.length, 1);
  assert.deepEqual(sent(), ['puback 258', 'publish a hello qos1 id7', 'pingresp']);
  assert.equal(counters.bytesOut, sink.writes[0]?.length);
});

test('growing beyond a buffer, and beyond the largest, keeps every byte in order', () => {
  for (let i = 1; i <= 3000; i++) writer.publish(message(`${i}`.padEnd(100, '.')), 0x32, i);
  endTurn();
  const ids = sent().map((words) => Number(words.split(' id')[1]));
  assert.deepEqual(
    ids,
    Array.from({ length: 3000 }, (_, i) => i + 1),
  );
  assert.ok(sink.writes.length < 10);
});

test('a large payload is written where it lies, in its place', () => {
  writer.ack(0x40, 1);
  writer.publish(message(Buffer.alloc(50_000, 0x78)), 0x32, 2);
  writer.ack(0x40, 3);
  writer.frame(
    Buffer.concat([Buffer.from([0x30, 0xb3, 0xea, 0x01]), Buffer.alloc(30_003)]),
    0,
    30_007,
  );
  writer.publish(message('x'.repeat(100_000)), 0x30, 0);
  endTurn();
  assert.deepEqual(sent(), [
    'puback 1',
    'publish a (50000 bytes) qos1 id2',
    'puback 3',
    'publish  (30001 bytes) qos0',
    'publish a (100000 bytes) qos0',
  ]);
});

test('a buffer is used again only when the connection has handed its bytes on', () => {
  sink.isStuck = true;
  const original = sink.write.bind(sink);
  const given: Uint8Array[] = [];
  sink.write = (bytes) => {
    given.push(bytes);
    return original(bytes);
  };
  for (let id = 1; id <= 3; id++) {
    writer.ack(0x40, id);
    writer.flush();
  }
  assert.deepEqual(
    given.map((bytes) => bytes[3]),
    [1, 2, 3],
  );
  assert.equal(writer.waitingBytes, 12);
});

test('a connection that says wait is not sent what can wait, until it drains', () => {
  assert.equal(writer.canSend, true);
  sink.isStuck = true;
  writer.ack(0x40, 1);
  writer.flush();
  assert.equal(writer.canSend, false);
  writer.onDrain();
  assert.equal(writer.canSend, true);
});

test('a closed writer sends nothing more', () => {
  writer.ack(0x40, 1);
  writer.close();
  endTurn();
  writer.publish(message(Buffer.alloc(50_000)), 0x32, 2);
  writer.flush();
  assert.equal(sink.writes.length, 0);
  assert.equal(writer.canSend, false);
});

test('small messages leave in one write, be they texts or bytes of a journal block', () => {
  const block = Buffer.from('xxabxx');
  for (let id = 1; id <= 100; id++) {
    writer.publish(message(id % 2 === 0 ? 'ab' : block.subarray(2, 4)), 0x32, id);
  }
  writer.flush();
  assert.equal(sink.writes.length, 1);
  assert.deepEqual(sent().slice(0, 2), ['publish a ab qos1 id1', 'publish a ab qos1 id2']);
  assert.equal(sink.writes[0]?.length, 100 * 9);
});

test('a drain of a thousand messages of 200 bytes takes four writes', () => {
  for (let id = 1; id <= 1000; id++) writer.publish(message(Buffer.alloc(200)), 0x32, id);
  writer.flush();
  assert.equal(sink.writes.length, 4);
});
