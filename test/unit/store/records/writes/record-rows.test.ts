import assert from 'node:assert/strict';

import { it } from 'vitest';

import { encodeOrder, writeOrder } from '../../../../../src/merge/order.ts';
import type { SqliteFile } from '../../../../../src/store/database/sqlite.ts';
import { packWrite } from '../../../../../src/store/records/writes/packed-write.ts';
import { RecordRows } from '../../../../../src/store/records/writes/record-rows.ts';
import { UndoIndex } from '../../../../../src/store/records/writes/undo-index.ts';
import { DEVICE_A, DEVICE_B, patchOp } from '../../../../support/made/ops.ts';

it('an undo that names hundreds of ops of other records costs one look at its own, not one for each of them', () => {
  const [own, other] = [patchOp({ n: 1 }, { origin: DEVICE_A }), patchOp({}, { origin: DEVICE_B })];
  const write = { order: writeOrder(own), kind: own.op.kind, body: own.op.body };
  const asked: string[] = [];
  const db: Pick<SqliteFile, 'rows'> = {
    rows: (sql) => {
      asked.push(sql);
      return sql.includes('AS rank')
        ? [{ rank: encodeOrder(write.order) }]
        : [{ op: packWrite(write) }];
    },
  };
  const ops = new RecordRows(db, 1, {
    settle: () => undefined,
    undos: new UndoIndex(),
    horizonsOf: () => [],
    listOf: () => undefined,
    // A liar gave the same names to ops on another record.
    findOp: () => ({ keyId: 2, write: { ...write, order: writeOrder(other) } }),
  });
  for (let seq = 2; seq <= 257; seq++) {
    assert.equal(ops.writeOf({ origin: DEVICE_B, class: 2, seq }), undefined);
  }
  assert.equal(asked.length, 1);
  assert.deepEqual(ops.writeOf(own.op)?.order, write.order);
});
