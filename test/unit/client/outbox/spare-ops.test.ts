/** Spare ops lie in the order of their numbers, each once. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SpareOps } from '../../../../src/client/outbox/spare-ops.ts';
import { RECORD } from '../../../../src/model/class.ts';
import { laneOf } from '../../../../src/model/origin.ts';
import { DEVICE_A, patchOp } from '../../../support/made/ops.ts';

test('what comes twice or out of its order is kept once, in order', () => {
  const spares = new SpareOps();
  const gone = [3, 1, 3, 2].map((seq) => spares.add(patchOp({}, { seq })));
  assert.deepEqual(gone, [0, 0, 1, 0]);
  const seqs = spares.after(laneOf(DEVICE_A, RECORD), 0).map(({ op }) => op.seq);
  assert.deepEqual(seqs, [1, 2, 3]);
});
