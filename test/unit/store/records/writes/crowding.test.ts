/** Which records are told to be too long, with some slack, and how short they shall be. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { finish } from '../../../../../src/base/steps.ts';
import { CONTROL } from '../../../../../src/model/op.ts';
import type { Store } from '../../../../../src/store/store.ts';
import { HUB, type OpParts, patchOp } from '../../../../support/made/ops.ts';
import { tempDir } from '../../../../support/machine/temp-dir.ts';
import { openStore } from '../../../../support/memory/stores.ts';

class Rig {
  readonly store: Store = openStore(tempDir());
  #seq = 0;

  edit(key: string, times: number): void {
    this.#take(Array.from({ length: times }, () => ({ key })));
  }

  draw(key: string, keep: number): void {
    const body = finish(this.store.records.drawHorizon(key, keep));
    assert.ok(body !== undefined);
    this.#take([{ key, kind: CONTROL, body, origin: HUB, seq: 1 }]);
  }

  #take(ops: readonly OpParts[]): void {
    const entries = ops.map((parts) => {
      const seq = (this.#seq += 1);
      return { lsn: seq, stamped: patchOp({ n: seq }, { seq, atMs: 1_000 + seq, ...parts }) };
    });
    this.store.apply(entries, this.#seq);
  }

  /** Keys, with how many ops shall stay. */
  crowded(opsMax: number, editsMax: number): (readonly [key: string, keep: number])[] {
    return [...finish(this.store.records.crowded({ opsMax, editsMax }))];
  }
}

test('records with too many ops are told once a quarter more than may stay has come, and again when more comes', () => {
  const it = new Rig();
  it.edit('pump', 25);
  assert.deepEqual(it.crowded(20, 1_000), []);
  it.edit('pump', 1);
  it.edit('valve', 3);
  assert.deepEqual(it.crowded(20, 1_000), [['pump', 20]]);
  assert.deepEqual(it.crowded(20, 1_000), [], 'nothing has come since');
  it.edit('pump', 1);
  assert.deepEqual(it.crowded(20, 1_000), [['pump', 20]]);
  it.store.close();
});

test('records with too many ops are told sixteen at a time, the others with the next look', () => {
  const it = new Rig();
  for (let n = 0; n < 20; n++) it.edit(`pump-${n}`, 4);
  const first = it.crowded(2, 1_000);
  const second = it.crowded(2, 1_000);
  assert.equal(first.length, 16);
  assert.equal(new Set([...first, ...second].map(([key]) => key)).size, 20);
  it.store.close();
});

test('records with too many ops are halved, the longest first, where all together have too many; short ones are let be', () => {
  const it = new Rig();
  it.edit('long', 30);
  it.edit('middle', 12);
  for (let n = 0; n < 8; n++) it.edit(`short-${n}`, 7);
  assert.deepEqual(it.crowded(1_000, 79), [], '98 are within a quarter more');
  it.edit('middle', 1);
  assert.deepEqual(it.crowded(1_000, 79), [
    ['long', 15],
    ['middle', 6],
  ]);
  it.store.close();
});

test('records with too many ops are counted without those that have gone', () => {
  const it = new Rig();
  it.edit('long', 40);
  assert.deepEqual(it.crowded(1_000, 30), [['long', 20]], 'counted: 40');
  it.draw('long', 20);
  assert.equal(it.store.records.history('long').length, 21, 'the horizon is one of them');
  it.edit('long', 16);
  assert.deepEqual(it.crowded(1_000, 30), [], '37 are within a quarter more');
  it.store.close();
});

test('however many ops there are, all are counted', () => {
  const it = new Rig();
  it.edit('long', 5_100);
  assert.deepEqual(it.crowded(10_000, 4_000), [['long', 2_550]]);
  it.store.clear();
  it.edit('long', 1_000);
  assert.deepEqual(it.crowded(10_000, 4_000), [], 'the state is another one');
  it.store.close();
});
