/** Ops that come a second time while the first is on its way to the card: nobody is told that they are here before they are. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { openDoor } from '../../../support/memory/doors.ts';
import { patchOp } from '../../../support/made/ops.ts';

const FIRST = patchOp({ a: 1 });

test('a peer’s op that is known waits for what is not durable yet, and for nothing behind it', () => {
  const { door, journal } = openDoor();
  assert.deepEqual(door.acceptPeerOp(FIRST), { kind: 'taken', lsn: 1 });
  assert.deepEqual(door.acceptPeerOp(FIRST), { kind: 'known', lsn: 1 });
  journal.sync();
  assert.deepEqual(door.acceptPeerOp(FIRST), { kind: 'known', lsn: 0 });
});

test('a copy that is known waits for what is not durable yet, and for nothing behind it', () => {
  const { door, journal } = openDoor();
  assert.equal(door.acceptCopies([FIRST]).lsn, 1);
  assert.deepEqual(door.acceptCopies([FIRST]), { lsn: 1, taken: [], reasons: [], hasGap: false });
  journal.sync();
  assert.deepEqual(door.acceptCopies([FIRST]), { lsn: 0, taken: [], reasons: [], hasGap: false });
});
