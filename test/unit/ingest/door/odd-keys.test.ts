import assert from 'node:assert/strict';

import { it } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { encodeOpsMessage } from '../../../../src/client/outbox/ops-message.ts';
import { decodeEntry } from '../../../../src/model/entry.ts';
import { KEY_BYTES_MAX, OP_BYTES_MAX, OWN_BODY_BYTES_MAX } from '../../../../src/model/op.ts';
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
  const body = new Uint8Array(OWN_BODY_BYTES_MAX + 1);
  const tooLarge = (error: unknown): boolean =>
    error instanceof HubError && error.code === 'op.too-large';
  assert.throws(() => door.journalOp({ class: 2, key: 'a', body }), tooLarge);
  assert.equal(journal.lastLsn, 0);
});

it('an op that no packet between hubs could carry is taken of nobody, and the largest of the hub itself is none', () => {
  const { door, journal } = openDoor();
  const key = 'k'.repeat(KEY_BYTES_MAX);
  door.journalOp({ class: 2, key, body: new Uint8Array(OWN_BODY_BYTES_MAX) });
  const own = decodeEntry(journal.entries[0] ?? new Uint8Array(0));
  assert.ok(own.type === 'op' && own.stamped.bytes.length <= OP_BYTES_MAX);
  const large = patchOp({ a: new Uint8Array(OP_BYTES_MAX) });
  const message = encodeOpsMessage([large], []) ?? new Uint8Array(0);
  const { rejected } = door.acceptOps(message, { role: 'technician', device: 'tablet' });
  assert.deepEqual(
    rejected.map(({ reason, verdict }) => [reason, verdict]),
    [[`an op has at most ${OP_BYTES_MAX} bytes`, 'never']],
  );
  assert.equal(journal.lastLsn, 1);
});
