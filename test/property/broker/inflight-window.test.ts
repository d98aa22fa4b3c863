/** Law: the window of messages under way behaves like a plain map from identifier to message, in any order of acks. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { InflightWindow } from '../../../src/broker/sessions/inflight-window.ts';
import { type Message, messageBytes } from '../../../src/broker/topics/message.ts';

type State = 'puback' | 'pubrec' | 'pubcomp';

const step = fc.oneof(
  fc.record({ kind: fc.constantFrom('add1', 'add2') }),
  fc.record({
    kind: fc.constantFrom('puback', 'pubrec', 'pubcomp'),
    /** Which of the open identifiers; or one that was never given out. */
    pick: fc.nat(),
  }),
);

const topic = { name: 't', encoded: Buffer.from([0, 1, 0x74]) };

test('identifiers, states, order and cost are those of the model', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const window = new InflightWindow();
      const model = new Map<number, { state: State; message: Message | undefined }>();
      let made = 0;
      for (const taken of steps) {
        if (taken.kind === 'add1' || taken.kind === 'add2') {
          const qos = taken.kind === 'add1' ? 1 : 2;
          const message: Message = { topic, payload: `${made++}`, qos, retain: false, lsn: 0 };
          const packetId = window.add(message, qos, false);
          assert.ok(!model.has(packetId) && packetId >= 1 && packetId <= 65_535);
          model.set(packetId, { state: qos === 1 ? 'puback' : 'pubrec', message });
        } else if ('pick' in taken) {
          acknowledge(window, model, taken.kind, taken.pick);
        }
        compare(window, model);
      }
    }),
  );
});

function acknowledge(
  window: InflightWindow,
  model: Map<number, { state: State; message: Message | undefined }>,
  kind: State,
  pick: number,
): void {
  const ids = [...model.keys(), 60_000];
  const packetId = ids[pick % ids.length] as number;
  const entry = model.get(packetId);
  const fits = entry?.state === kind;
  if (kind === 'pubrec') {
    window.receive(packetId);
    if (fits) model.set(packetId, { state: 'pubcomp', message: undefined });
    return;
  }
  const done = kind === 'puback' ? window.acknowledge(packetId) : window.complete(packetId);
  assert.equal(done, fits);
  if (fits) model.delete(packetId);
}

function compare(
  window: InflightWindow,
  model: ReadonlyMap<number, { state: State; message: Message | undefined }>,
): void {
  const open: [number, Message | undefined][] = [];
  for (let sequence = window.head; sequence < window.tail; sequence++) {
    const entry = window.at(sequence);
    if (entry !== undefined) open.push([entry.packetId, entry.message]);
  }
  assert.deepEqual(
    open,
    [...model].map(([packetId, { message }]) => [packetId, message]),
  );
  assert.equal(window.count, model.size);
  const bytes = [...model.values()].map(({ message }) => (message ? messageBytes(message) : 0));
  assert.equal(
    window.bytes,
    bytes.reduce((sum, cost) => sum + cost, 0),
  );
}

test('identifiers go round the circle without meeting one that is open', () => {
  const window = new InflightWindow();
  const message: Message = { topic, payload: 'x', qos: 1, retain: false, lsn: 0 };
  const stuck = window.add(message, 1, false);
  for (let i = 0; i < 65_534; i++) {
    const packetId = window.add(message, 1, false);
    assert.notEqual(packetId, stuck);
    window.acknowledge(packetId);
  }
  assert.equal(window.isFull, true);
  assert.equal(window.count, 1);
  assert.equal(window.acknowledge(stuck), true);
  assert.equal(window.isFull, false);
  for (let i = 0; i < 70_000; i++) window.acknowledge(window.add(message, 1, false));
  assert.equal(window.count, 0);
});
