import assert from 'node:assert/strict';

import { it } from 'vitest';

import { editOf } from '../../../../src/ingest/door/ops-message.ts';
import { encodeAssetVersion } from '../../../../src/merge/asset/asset-version.ts';
import { encodeAdd, encodePatch, encodeUndo } from '../../../../src/merge/patch.ts';
import { encodePiece } from '../../../../src/model/asset-bytes.ts';
import { BULK, RECORD } from '../../../../src/model/class.ts';
import { ADD, ASSET, EVENT, type Kind, PATCH, REMOVE, UNDO } from '../../../../src/model/op.ts';
import { DEVICE_B, stampedOp } from '../../../support/made/ops.ts';

it('edits are what may be in conflict, or takes back what others made', () => {
  const sha256 = new Uint8Array(32);
  const version = encodeAssetVersion({ sha256, size: 1, type: 'image/png' });
  const piece = encodePiece({ sha256, size: 1, offset: 0, data: Uint8Array.of(1) });
  const undo = encodeUndo([{ origin: DEVICE_B, class: RECORD, seq: 1 }]);
  const edit = (kind: Kind, body: Uint8Array): ReturnType<typeof editOf> =>
    editOf(stampedOp({ kind, body, class: kind === ASSET ? BULK : RECORD }).op);
  assert.equal(edit(PATCH, encodePatch({ a: 1 }))?.kind, PATCH);
  assert.equal(edit(ASSET, version)?.kind, ASSET);
  assert.deepEqual(edit(UNDO, undo)?.body, undo);
  for (const [kind, body] of [
    [ASSET, piece],
    [ADD, encodeAdd({ n: 1 })],
    [REMOVE, new Uint8Array(0)],
    [EVENT, undo],
  ] as const) {
    assert.equal(edit(kind, body), undefined);
  }
});
