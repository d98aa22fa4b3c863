import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { AckList } from '../../../../src/broker/publishing/ack-list.ts';
import type { FrameWriter } from '../../../../src/broker/wire/frame-writer.ts';

/** Stands for the writer: acks as `first/id`. */
function recorder(): { readonly acks: string[]; readonly writer: FrameWriter } {
  const acks: string[] = [];
  const ack = (first: number, packetId: number): void => void acks.push(`${first}/${packetId}`);
  return { acks, writer: { ack } as unknown as FrameWriter };
}

test('acks leave in the order they came, each when its LSN and all before it are durable', () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 0, max: 60 }) }),
    fc.record({ durable: fc.integer({ min: 0, max: 60 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const list = new AckList();
      const { acks, writer } = recorder();
      const model: { lsn: number; ack: string }[] = [];
      const expected: string[] = [];
      let id = 0;
      for (const taken of steps) {
        if ('push' in taken) {
          id += 1;
          list.push(taken.push, 0x40, id);
          model.push({ lsn: taken.push, ack: `64/${id}` });
        } else if ('durable' in taken) {
          while (model[0] !== undefined && model[0].lsn <= taken.durable) {
            expected.push((model.shift() as { ack: string }).ack);
          }
          list.release(taken.durable, writer);
        }
        assert.equal(list.size, model.length);
      }
      assert.deepEqual(acks, expected);
    }),
  );
});

test('a list that was long gives its memory back and goes on', () => {
  const list = new AckList();
  const { acks, writer } = recorder();
  for (let id = 1; id <= 60_000; id++) list.push(id, 0x50, id);
  list.release(60_000, writer);
  list.push(60_001, 0x40, 7);
  list.release(60_001, writer);
  assert.equal(acks.length, 60_001);
  assert.deepEqual([acks[0], acks[59_999], acks[60_000]], ['80/1', '80/60000', '64/7']);
});
