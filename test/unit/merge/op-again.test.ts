import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { hearAgain } from '../../../src/merge/op-again.ts';
import { eventOrder } from '../../../src/merge/order.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { stampedOp } from '../../support/made/ops.ts';

const HUB = 'aaaaaaaaaaaaaaaa' as Origin;
const AT_MS = 1_700_000_000_000;
const WILD_MS = 9e12;

/** An event of one name; its maker's clock and the hub's stamp say when. */
function event(hlcMs: number, stampMs: number, body = 'a'): StampedOp {
  const { op, stamp } = stampedOp({});
  const made = stampedOp({ ...op, hlc: { ms: hlcMs, counter: 0 }, body: utf8(body) });
  return { ...made, stamp: { ...stamp, hlc: { ms: stampMs, counter: 0 } } };
}

test('of a wild event the greater stamp is told to the hub that has a smaller one, and then it is at rest', () => {
  const [early, late] = [event(WILD_MS, AT_MS), event(WILD_MS, AT_MS + 1_000)];
  assert.deepEqual(hearAgain(late, eventOrder(early), HUB), { isGreater: true });
  const { isGreater, greaterHere } = hearAgain(early, eventOrder(late), HUB);
  assert.ok(!isGreater && greaterHere !== undefined);
  assert.deepEqual(eventOrder(greaterHere), eventOrder(late));
  assert.deepEqual(hearAgain(greaterHere, eventOrder(early), HUB), { isGreater: true });
  assert.deepEqual(hearAgain(greaterHere, eventOrder(late), HUB), { isGreater: false });
});

test('two ops that a liar told by one name are not told from hub to hub for ever', () => {
  const [older, newer] = [event(AT_MS, AT_MS, 'a'), event(AT_MS + 500, AT_MS, 'b')];
  assert.deepEqual(hearAgain(older, eventOrder(newer), HUB), { isGreater: false });
  assert.deepEqual(hearAgain(newer, eventOrder(older), HUB), { isGreater: true });
});
