import assert from 'node:assert/strict';

import { it } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { encodeOpsMessage } from '../../../../src/client/outbox/ops-message.ts';
import { BODY_BYTES_MAX } from '../../../../src/model/op.ts';
import { openDoor } from '../../../support/memory/doors.ts';
import { patchOp } from '../../../support/made/ops.ts';

it('a device is told that a key has no U+0000, and what another hub has taken passes', () => {
  const { door } = openDoor();
  const op = patchOp({ a: 1 }, { key: 'a\u0000b' });
  const message = encodeOpsMessage([op], []) ?? new Uint8Array(0);
  const { rejected } = door.acceptOps(message, { role: 'technician', device: 'tablet' });
  assert.deepEqual(
    rejected.map(({ reason, verdict }) => [reason, verdict]),
    [['a key has no U+0000', 'never']],
  );
  assert.equal(door.acceptPeerOp(op).kind, 'taken');
});

it('the hub makes no op that nobody could read', () => {
  const { door, journal } = openDoor();
  const body = new Uint8Array(BODY_BYTES_MAX + 1);
  const tooLarge = (error: unknown): boolean =>
    error instanceof HubError && error.code === 'op.too-large';
  assert.throws(() => door.journalOp({ class: 2, key: 'a', body }), tooLarge);
  assert.equal(journal.lastLsn, 0);
});
