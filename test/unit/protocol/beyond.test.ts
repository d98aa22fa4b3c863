/** What a device shows of what it has behind a gap is bytes that nobody vouches for. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { RECORD } from '../../../src/model/class.ts';
import { laneOf } from '../../../src/model/origin.ts';
import type { SeqRange } from '../../../src/model/seq-ranges.ts';
import { encodeBeyond, readBeyond } from '../../../src/protocol/beyond.ts';
import { DEVICE_A } from '../../support/made/ops.ts';

const LANE = laneOf(DEVICE_A, RECORD);

function read(...ranges: readonly SeqRange[]): ReturnType<typeof readBeyond> {
  return readBeyond(encodeBeyond(new Map([[LANE, ranges]])) as Uint8Array);
}

test('ranges come back in order and joined; such as no lane has are refused', () => {
  const told = read({ from: 9, to: 9 }, { from: 4, to: 6 }, { from: 7, to: 7 });
  assert.deepEqual(told?.get(LANE), [
    { from: 4, to: 7 },
    { from: 9, to: 9 },
  ]);
  assert.equal(read({ from: 0, to: 3 }), undefined, 'lanes begin with 1');
  assert.equal(read({ from: 5, to: 4 }), undefined);
  assert.equal(readBeyond(new Uint8Array([0x80])), undefined);
});
