import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { CborWriter } from '../../../../../src/codec/writer.ts';
import { encodeAdd } from '../../../../../src/merge/patch.ts';
import { encodeStateEntry } from '../../../../../src/merge/state/state-entry.ts';
import { writeStateItem } from '../../../../../src/merge/state/state-item.ts';
import { ADD, AUTHORITY, type StampedOp } from '../../../../../src/model/op.ts';
import type { Origin } from '../../../../../src/model/origin.ts';
import type { Store } from '../../../../../src/store/store.ts';
import { patchOp, stampedOp } from '../../../../support/made/ops.ts';
import { entriesOf, openStore } from '../../../../support/memory/stores.ts';
import { tempDir } from '../../../../support/machine/temp-dir.ts';

const KEY = 'order/1';

function hours(seq: number, hub?: Origin, stampMs = 5): StampedOp {
  const body = encodeAdd({ hours: 1 });
  const parts = { kind: ADD, class: 2, key: KEY, seq, body, atMs: seq, stampMs } as const;
  return stampedOp(hub === undefined ? parts : { ...parts, hub });
}

function hoursIn(store: Store): bigint | undefined {
  return store.records.get(KEY).counters.get('hours')?.total;
}

describe('edits that are folded and not yet in their table', () => {
  it('show in every question', () => {
    const store = openStore(tempDir());
    const ops = Array.from({ length: 40 }, (_, index) =>
      patchOp({ n: index }, { seq: index + 1, atMs: index, key: `order/${index % 8}` }),
    );
    store.stage(entriesOf(ops), ops.length);
    const [first] = ops as [StampedOp];
    const undo = { target: first.op, authority: AUTHORITY.device, cascade: true } as const;
    assert.equal(store.records.planUndo(undo).key, 'order/0');
    assert.equal(store.records.history('order/0').length, 5);
    assert.equal(store.records.write('order/1', (ops[9] as StampedOp).op)?.order.seq, 10);
    assert.equal(store.records.stamps('aaaaaaaaaaaaaaaa/2', 1, 40).length, 40);
    store.commit();
    assert.equal(store.records.history('order/7').length, 5);
    store.close();
  });

  it('are written in parts, and none twice', () => {
    const store = openStore(tempDir());
    const ops = Array.from({ length: 100 }, (_, index) =>
      patchOp({ n: index }, { seq: index + 1, atMs: index, key: `order/${index % 50}` }),
    );
    store.stage(entriesOf(ops), ops.length);
    assert.equal(store.flush(16, false), false);
    assert.equal(store.records.history('order/49').length, 2);
    while (!store.flush(16, false));
    store.commit();
    assert.equal([...store.dump()].filter(({ type }) => type === 'write').length, 100);
    store.close();
  });

  it('count once where a state of another hub has brought them before, also after a restart', () => {
    const giver = openStore(tempDir());
    giver.apply(entriesOf([hours(1), hours(2)]), 2);
    const dir = tempDir();
    let store = openStore(dir);
    let lsn = 0;
    // Which ops they stand for is said behind the last item: here nobody came to that.
    for (const item of giver.dump()) {
      if (item.type !== 'write') continue;
      const writer = new CborWriter(256);
      writeStateItem(writer, item);
      store.stageEntry(++lsn, encodeStateEntry(writer.finish()));
    }
    assert.equal(lsn, 2);
    giver.close();
    store.close();
    store = openStore(dir);
    const again = hours(2, '2222222222222222' as Origin, 9_000_000);
    store.apply(entriesOf([hours(1), again, hours(3)], lsn + 1), lsn + 3);
    assert.equal(hoursIn(store), 3n);
    store.close();
  });
});
