import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SessionQueue } from '../../../../src/broker/sessions/session-queue.ts';
import { type Message, messageBytes } from '../../../../src/broker/topics/message.ts';

const topic = { name: 't', encoded: Buffer.from([0, 1, 0x74]) };
const message = (payload: string): Message => ({ topic, payload, qos: 1, retain: false, lsn: 0 });
const COST = messageBytes(message('x'));

function queueOf(limits: { messages?: number; bytes?: number; total?: number }): {
  queue: SessionQueue;
  budget: { bytes: number; bytesMax: number };
} {
  const { messages = 1000, bytes = 1e9, total = 1e9 } = limits;
  const budget = { bytes: 0, bytesMax: total };
  const own = { queueMessagesMax: messages, queueBytesMax: bytes };
  return { queue: new SessionQueue(own, budget), budget };
}

test('first in, first out, with the QoS it came with', () => {
  const { queue, budget } = queueOf({});
  assert.equal(queue.push(message('a'), 1), 0);
  assert.equal(queue.push(message('b'), 2), 0);
  assert.deepEqual([queue.size, queue.bytes, budget.bytes], [2, 2 * COST, 2 * COST]);
  assert.deepEqual([queue.shift()?.message.payload, queue.shift()?.qos], ['a', 2]);
  assert.equal(queue.shift(), undefined);
  assert.equal(budget.bytes, 0);
});

for (const [what, limits] of [
  ['messages', { messages: 3 }],
  ['bytes', { bytes: 3 * COST }],
  ['bytes of all sessions', { total: 3 * COST }],
] as const) {
  test(`beyond its limit in ${what} the oldest are cut`, () => {
    const { queue } = queueOf(limits);
    const cuts = ['a', 'b', 'c', 'd', 'e'].map((payload) => queue.push(message(payload), 1));
    assert.deepEqual(cuts, [0, 0, 0, 1, 1]);
    assert.equal(queue.shift()?.message.payload, 'c');
  });
}

test('a message that cannot fit at all is cut itself, and others keep what they have', () => {
  const { queue, budget } = queueOf({ total: 10 * COST });
  budget.bytes = 10 * COST; // What other sessions hold.
  assert.equal(queue.push(message('x'), 1), 1);
  assert.deepEqual([queue.size, budget.bytes], [0, 10 * COST]);
});

test('forgetting everything gives the budget back, also after many came and went', () => {
  const { queue, budget } = queueOf({ messages: 1e6 });
  for (let i = 0; i < 10_000; i++) {
    queue.push(message(`${i}`), 1);
    if (i % 3 > 0) queue.shift();
  }
  queue.clear();
  assert.deepEqual([queue.size, queue.bytes, budget.bytes], [0, 0, 0]);
});
