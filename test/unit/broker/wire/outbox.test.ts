import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Counters } from '../../../../src/broker/counters.ts';
import type { Message } from '../../../../src/broker/topics/message.ts';
import { publishFirst } from '../../../../src/broker/wire/frames.ts';
import { BufferPool, Outbox, TurnFlush } from '../../../../src/broker/wire/outbox.ts';
import type { Connection } from '../../../../src/platform/network.ts';

/** An outbox, and each write that it makes. */
function outboxOf(): { outbox: Outbox; writes: Buffer[] } {
  const writes: Buffer[] = [];
  const connection = {
    bufferedBytes: 0,
    write: (bytes: Uint8Array) => {
      writes.push(Buffer.from(bytes));
      return true;
    },
  } as unknown as Connection;
  const turn = new TurnFlush(() => undefined);
  const around = { pool: new BufferPool(), turn, counters: new Counters() };
  return { outbox: new Outbox(connection, around), writes };
}

const topic = { name: 't', encoded: Buffer.from([0, 1, 0x74]) };
const first = publishFirst(1, false, false);
const message = (payload: Message['payload']): Message => ({
  topic,
  payload,
  qos: 1,
  retain: false,
  lsn: 0,
});

test('small messages leave in one write, be they texts or bytes of a journal block', () => {
  const { outbox, writes } = outboxOf();
  const block = Buffer.from('xxabxx');
  for (let id = 1; id <= 100; id++) {
    outbox.publish(message(id % 2 === 0 ? 'ab' : block.subarray(2, 4)), first, id);
  }
  outbox.flush();
  assert.equal(writes.length, 1);
  const frame = Buffer.from([0x32, 7, 0, 1, 0x74, 0, 1, 0x61, 0x62]);
  assert.deepEqual(writes[0]?.subarray(0, frame.length), frame);
  assert.equal(writes[0]?.length, 100 * frame.length);
});

test('a drain of a thousand messages of 200 bytes takes four writes, a large one goes uncopied', () => {
  const { outbox, writes } = outboxOf();
  for (let id = 1; id <= 1000; id++) outbox.publish(message(new Uint8Array(200)), first, id);
  outbox.flush();
  assert.equal(writes.length, 4);
  outbox.publish(message(new Uint8Array(20_000)), first, 1);
  assert.deepEqual(
    writes.slice(4).map(({ length }) => length),
    [9, 20_000],
  );
});
