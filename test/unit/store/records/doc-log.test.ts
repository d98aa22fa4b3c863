import assert from 'node:assert/strict';

import { describe, it } from 'vitest';
import * as Y from 'yjs';

import { DOC, type StampedOp } from '../../../../src/model/op.ts';
import { DEVICE_A, stampedOp } from '../../../support/made/ops.ts';
import { entriesOf, openStore } from '../../../support/memory/stores.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const KEY = 'notes/1';

function typing(count: number): StampedOp[] {
  const doc = new Y.Doc();
  const ops: StampedOp[] = [];
  doc.on('update', (body: Uint8Array) => {
    const seq = ops.length + 1;
    const place = { origin: DEVICE_A, class: 2, seq, key: KEY, atMs: 1000 + seq } as const;
    ops.push(stampedOp({ ...place, kind: DOC, body }));
  });
  for (let i = 0; i < count; i++) doc.getText('t').insert(i, 'x');
  return ops;
}

describe('steps in a document', () => {
  it('are told with their size, each once, and outlive a restart', () => {
    const dir = tempDir();
    const ops = typing(3);
    let store = openStore(dir);
    store.apply(entriesOf([...ops, ...ops]), 6);
    store.close();
    store = openStore(dir);
    const steps = store.records.docSteps(KEY).map(({ order, bytes }) => [order.seq, bytes]);
    assert.deepEqual(
      steps,
      ops.map(({ op }) => [op.seq, op.body.length]),
    );
    assert.deepEqual(store.records.docSteps('notes/2'), []);
    store.close();
  });

  it('are at most about a thousand of a document, the newest', () => {
    const store = openStore(tempDir());
    const ops = typing(1_200);
    store.apply(entriesOf(ops), ops.length);
    const steps = store.records.docSteps(KEY);
    assert.ok(steps.length >= 1_000 && steps.length < 1_064, `${steps.length}`);
    assert.equal(steps.at(-1)?.order.seq, 1_200);
    store.close();
  });
});
