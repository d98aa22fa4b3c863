/** An event with a second stamp, as it was first journaled. Never edited. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { bytesOfHex, hexOf } from '../../src/base/bytes.ts';
import { againIn, encodeAgainEntry } from '../../src/merge/op-again.ts';
import { decodeEntry } from '../../src/model/entry.ts';
import { stampedOp } from '../support/made/ops.ts';

const KEPT = '82018365616761696e8848aaaaaaaaaaaaaaaa0307480000000003e800008303071903e800686d65746572732f314432312e3584481111111111111111480000000007d000000100';

test('what was written is written and read', () => {
  const event = stampedOp({ seq: 7, stampMs: 2_000 });
  assert.equal(hexOf(encodeAgainEntry(event)), KEPT);
  const entry = decodeEntry(bytesOfHex(KEPT) as Uint8Array);
  assert.deepEqual(entry.type === 'local' && againIn(entry.body), event);
});
