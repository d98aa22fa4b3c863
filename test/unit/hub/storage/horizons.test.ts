import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { SILENT_LOG } from '../../../../src/base/log.ts';
import { HoleBook } from '../../../../src/ingest/door/hole-book.ts';
import { Horizons } from '../../../../src/hub/storage/horizons.ts';
import type { OwnEvent } from '../../../../src/ingest/door/door.ts';
import type { CborValue } from '../../../../src/codec/value.ts';
import { encodeUndo, VALUE_DEPTH_MAX } from '../../../../src/merge/patch.ts';
import { RECORD } from '../../../../src/model/class.ts';
import { CONTROL, type StampedOp, UNDO } from '../../../../src/model/op.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import type { Store } from '../../../../src/store/store.ts';
import { DEVICE_A, HUB, patchOp, stampedOp } from '../../../support/made/ops.ts';
import { openStore } from '../../../support/memory/stores.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const KEEP = 16;

interface Site {
  readonly store: Store;
  readonly horizons: Horizons;
  readonly take: (op: StampedOp) => void;
}

/** A hub whose journal is folded at once. */
function openSite(editsMax = 1000): Site {
  const store = openStore(tempDir());
  let lsn = 0;
  let seq = 0;
  const take = (stamped: StampedOp): void => {
    lsn += 1;
    store.apply([{ lsn, stamped }], lsn);
  };
  const door = {
    holes: new HoleBook(),
    journalOp: ({ class: opClass, key, body, kind = CONTROL }: OwnEvent) => {
      seq += 1;
      take(stampedOp({ origin: HUB, class: opClass, seq, key, kind, body, atMs: 100_000 + seq }));
      return { lsn, seq };
    },
  };
  const limits = { opsMax: KEEP, editsMax };
  const timers = new SimClock(0);
  const hub = { state: store, fault: undefined };
  const horizons = new Horizons({
    store: hub,
    door,
    limits,
    clock: timers,
    timers,
    log: SILENT_LOG,
  });
  return { store, horizons, take };
}

const edit = (seq: number, key = 'pump'): StampedOp =>
  patchOp({ [`f${seq % 3}`]: seq }, { key, seq, origin: DEVICE_A, atMs: 1000 + seq });

describe('horizons of a hub', () => {
  it('keep the newest ops of a record that grew too long, and its state as it is', () => {
    const { store, horizons, take } = openSite();
    for (let seq = 1; seq <= KEEP; seq++) take(edit(seq));
    horizons.look();
    assert.equal(store.records.history('pump').length, KEEP, 'within the limit nothing is drawn');
    for (let seq = KEEP + 1; seq <= 2 * KEEP; seq++) take(edit(seq));
    const { digest } = store.digest();
    horizons.look();
    const history = store.records.history('pump');
    assert.equal(history.length, KEEP + 1);
    assert.equal(history.filter(({ kind }) => kind === CONTROL).length, 1);
    assert.equal(store.digest().digest, digest);
    horizons.look();
    assert.equal(store.records.history('pump').length, KEEP + 1, 'nothing more to do');
    store.close();
  });

  it('are read again, however deep the values lie that they keep', () => {
    const { store, horizons, take } = openSite();
    let deep: CborValue = 1;
    for (let depth = 0; depth < VALUE_DEPTH_MAX; depth++) deep = [deep];
    take(patchOp({ deep }, { key: 'pump', seq: 1, origin: DEVICE_A, atMs: 1001 }));
    for (let seq = 2; seq <= 2 * KEEP; seq++) take(edit(seq));
    horizons.look();
    assert.equal(store.records.history('pump').length, KEEP + 1);
    assert.ok(store.records.get('pump').fields.has('deep'));
    store.close();
  });

  it('are drawn through a full record, too, once they spare more than they cost', () => {
    const { store, horizons, take } = openSite(5_000);
    const half = 'x'.repeat(80_000);
    take(patchOp({ a: half }, { key: 'pump', seq: 1, origin: DEVICE_A, atMs: 1001 }));
    take(patchOp({ b: half }, { key: 'pump', seq: 2, origin: DEVICE_A, atMs: 1002 }));
    for (let seq = 3; seq <= 2 * KEEP; seq++) take(edit(seq));
    horizons.look();
    assert.equal(store.records.history('pump').length, 2 * KEEP, 'so few are kept one by one');
    for (let seq = 2 * KEEP + 1; seq <= 800; seq++) take(edit(seq));
    const { digest } = store.digest();
    horizons.look();
    assert.equal(store.records.history('pump').length, KEEP + 1);
    assert.equal(store.digest().digest, digest);
    store.close();
  });

  it('are not drawn past an undo that comes while they are', () => {
    const { store, horizons, take } = openSite();
    for (let seq = 1; seq <= 2 * KEEP; seq++) take(edit(seq));
    const steps = store.records.drawHorizon('pump', KEEP);
    assert.equal(steps.next().done, false);
    take(
      stampedOp({
        origin: DEVICE_A,
        class: RECORD,
        seq: 2 * KEEP + 1,
        key: 'pump',
        kind: UNDO,
        body: encodeUndo([edit(1).op]),
        atMs: 50_000,
      }),
    );
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    assert.equal(step.value, undefined);
    const { digest } = store.digest();
    horizons.look();
    assert.equal(store.digest().digest, digest);
    assert.ok(store.records.history('pump').some(({ kind }) => kind === CONTROL));
    store.close();
  });

  it('refuse the undo of what lies below, with the reason, and allow it above', () => {
    const { store, horizons, take } = openSite();
    for (let seq = 1; seq <= 2 * KEEP; seq++) take(edit(seq));
    horizons.look();
    const planOf = (seq: number) =>
      store.records.planUndo({ target: edit(seq).op, authority: 4, cascade: false }).plan;
    const below = planOf(KEEP - 1);
    assert.match(below.kind === 'refused' ? below.reason : '', /before the horizon/);
    assert.equal(planOf(2 * KEEP).kind, 'ready');
    store.close();
  });

  it('halve the longest histories where all together are too many', () => {
    const { store, horizons, take } = openSite(32);
    for (let seq = 1; seq <= 45; seq++) take(edit(seq, `order/${seq % 3}`));
    horizons.look();
    for (const key of ['order/0', 'order/1', 'order/2']) {
      assert.ok(store.records.history(key).length <= 9, key);
      assert.ok(store.records.get(key).fields.size > 0);
    }
    store.close();
  });
});
