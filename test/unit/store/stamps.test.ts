import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { type OpStamp, encodeStampsEntry, stampsIn } from '../../../src/merge/op-stamps.ts';
import { decodeEntry } from '../../../src/model/entry.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import { laneOf, type Origin } from '../../../src/model/origin.ts';
import type { Store } from '../../../src/store/store.ts';
import { DEVICE_A, DEVICE_B, patchOp } from '../../support/made/ops.ts';
import { entriesOf, openStore } from '../../support/memory/stores.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const HUB_1 = '1111111111111111' as Origin;
const HUB_2 = '2222222222222222' as Origin;
const DAY_MS = 86_400_000;
const LANE = laneOf(DEVICE_A, 2);

/** An op of a device whose clock is two days ahead, as a hub took it, and another one that comes in between. */
const wild = (hub: Origin, stampMs: number, authority: number): StampedOp =>
  patchOp(
    { state: 'wild' },
    { origin: DEVICE_A, seq: 1, atMs: 2 * DAY_MS, stampMs, hub, authority },
  );
const between = patchOp(
  { state: 'sane' },
  { origin: DEVICE_B, seq: 1, atMs: 5_000, stampMs: 5_000 },
);

function storeOf(...ops: readonly StampedOp[]): Store {
  const store = openStore(tempDir());
  store.apply(entriesOf(ops), ops.length);
  return store;
}

const stampOf = ({ op, stamp }: StampedOp): OpStamp => {
  const { origin, class: opClass, seq } = op;
  const { hub, hlc, authority } = stamp;
  return { op: { origin, class: opClass, seq }, authority, hub, hlc };
};

describe('stamps that another hub gave', () => {
  it('count where they are smaller, as if the op had come with them', () => {
    const [early, late] = [wild(HUB_1, 1_000, 1), wild(HUB_2, 9_000, 1)];
    const first = storeOf(early, between);
    const second = storeOf(late, between);
    assert.notEqual(first.digest().digest, second.digest().digest);
    const digestOf = (store: Store): Uint8Array => store.records.stampsDigest(LANE, 1, 1);
    assert.notDeepEqual(digestOf(first), digestOf(second));

    const entry = encodeStampsEntry([stampOf(early)]);
    assert.equal(second.stageEntry(3, entry), undefined);
    second.commit();
    assert.equal(second.digest().digest, first.digest().digest);
    assert.deepEqual(digestOf(first), digestOf(second));
    assert.deepEqual(second.records.stamps(LANE, 1, 9), [stampOf(early)]);

    assert.equal(first.stageEntry(3, encodeStampsEntry([stampOf(late)])), undefined);
    assert.deepEqual(first.records.stamps(LANE, 1, 9), [stampOf(early)], 'the larger one does not');
    for (const store of [first, second]) store.close();
  });

  it('bring the authority that goes with them', () => {
    const [low, high] = [wild(HUB_1, 1_000, 1), wild(HUB_2, 2_000, 4)];
    const store = storeOf(high, between);
    assert.equal(store.records.history('pump').at(0)?.order.authority, 4);
    store.stageEntry(3, encodeStampsEntry([stampOf(low)]));
    assert.equal(store.digest().digest, storeOf(low, between).digest().digest);
  });

  it('are nothing where the op is not here', () => {
    const store = storeOf(between);
    const { digest } = store.digest();
    store.stageEntry(2, encodeStampsEntry([stampOf(wild(HUB_1, 1_000, 1))]));
    assert.equal(store.digest().digest, digest);
    store.close();
  });
});

describe('entries of stamps', () => {
  it('are read as they were written, and others have none', () => {
    const stamps = [stampOf(wild(HUB_1, 1_000, 3))];
    const entry = decodeEntry(encodeStampsEntry(stamps));
    assert.deepEqual(entry.type === 'local' ? stampsIn(entry.body) : [], stamps);
    assert.deepEqual(stampsIn(Uint8Array.of(0x81, 0x01)), []);
    assert.deepEqual(stampsIn(new Uint8Array(0)), []);
  });
});
