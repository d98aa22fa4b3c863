import assert from 'node:assert/strict';

import { it } from 'vitest';

import { encodeOpsMessage } from '../../../../src/client/outbox/ops-message.ts';
import { DOC, type StampedOp } from '../../../../src/model/op.ts';
import { stampedOp } from '../../../support/made/ops.ts';
import { openDoor } from '../../../support/memory/doors.ts';

it('the room in a document is asked for what devices hand in, not for what another hub has taken', () => {
  const noted: number[] = [];
  let refusal: { readonly reason: string; readonly verdict: 'never' } | undefined;
  const room = { refusal: () => refusal, note: (_: unknown, lsn: number) => noted.push(lsn) };
  const { door } = openDoor({ rooms: [room] });
  const body = Uint8Array.of(0, 1, 1, 1, 0, 1);
  const docOp = (seq: number): StampedOp => stampedOp({ kind: DOC, seq, body });
  const hand = (op: StampedOp): string | undefined => {
    const message = encodeOpsMessage([op], []) ?? new Uint8Array(0);
    return door.acceptOps(message, { role: 'technician', device: 'tablet' }).rejected[0]?.reason;
  };
  assert.equal(hand(docOp(1)), undefined);
  refusal = { reason: 'full', verdict: 'never' };
  assert.equal(hand(docOp(2)), 'full');
  assert.equal(door.acceptPeerOp(docOp(2)).kind, 'taken');
  assert.equal(door.acceptCopies([docOp(3)]).taken.length, 1);
  assert.deepEqual(noted, [1]);
});
