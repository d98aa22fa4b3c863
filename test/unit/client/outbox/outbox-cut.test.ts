/** A log that the storage has forgotten parts of: no number is given twice where anybody knows better, and no more is lost. */
import assert from 'node:assert/strict';

import { beforeEach, describe, it } from 'vitest';

import { encodeLogEntry } from '../../../../src/client/outbox/log-entry.ts';
import { Outbox } from '../../../../src/client/outbox/outbox.ts';
import { readOpsMessage } from '../../../../src/ingest/door/ops-message.ts';
import { encodePatch } from '../../../../src/merge/patch.ts';
import { encodeOp, PATCH } from '../../../../src/model/op.ts';
import { laneOf } from '../../../../src/model/origin.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { DEVICE_A, stampedOp } from '../../../support/made/ops.ts';
import { MemoryStorage } from '../../../support/memory/memory-storage.ts';

let storage: MemoryStorage;
let clock: SimClock;

beforeEach(() => {
  storage = new MemoryStorage();
  clock = new SimClock(1_800_000_000_000);
});

function open(): Promise<Outbox> {
  return Outbox.open({
    storage,
    random: new SeededRandom(1),
    clock,
    onChange: () => undefined,
    comesBack: () => true,
  });
}

function patch(value: string): Parameters<Outbox['add']>[0] {
  return { class: 2, kind: PATCH, key: 'orders/1', body: encodePatch({ a: value }) };
}

function sent(outbox: Outbox): number[] {
  const message = outbox.message();
  return message === undefined ? [] : readOpsMessage(message).ops.map(({ op }) => op.seq);
}

function floorOf(outbox: Outbox): number | undefined {
  const { floors } = readOpsMessage(outbox.message() ?? Uint8Array.of(0x80));
  return [...floors.values()][0];
}

/** An outbox of which so many ops are left, though a hub has had more. */
async function cut(left: number): Promise<Outbox> {
  const outbox = await open();
  for (let count = 0; count < left; count++) outbox.add(patch(`kept ${count}`));
  await outbox.whenWritten();
  return outbox;
}

describe('a log that has lost its end', () => {
  it('goes on behind what the state of a hub shows', async () => {
    const outbox = await cut(2);
    outbox.numbers.saw(new Map([[laneOf(outbox.origin, 2), 5]]));
    assert.equal(outbox.add(patch('new')).op.seq, 6);
    assert.equal(outbox.add({ ...patch('other'), class: 1 }).op.seq, 1, 'of its lane alone');
  });

  it('goes on behind what a receipt says, also after a restart and where the storage refuses an op', async () => {
    const outbox = await cut(2);
    const { origin } = outbox;
    outbox.take({ accepted: [{ origin, class: 2, seq: 5 }], rejected: [] }, 'd');
    await new Promise(setImmediate);
    storage.failure = new Error('no space');
    await assert.rejects(outbox.add(patch('refused')).kept);
    storage.failure = undefined;
    assert.equal((await open()).add(patch('new')).op.seq, 6);
  });

  it('gives what it had numbered like something else a number of its own, once', async () => {
    const outbox = await cut(3);
    const made = outbox.add(patch('new'));
    await outbox.whenWritten();
    const { origin } = outbox;
    const told = {
      accepted: [{ origin, class: 2 as const, seq: 7 }],
      rejected: [3, 4].map((seq) => {
        const reason = 'another op of the same number';
        return { origin, class: 2 as const, seq, reason, verdict: 'never' as const };
      }),
    };
    assert.ok(outbox.take(told, 'tablet').hasMadeAnew);
    assert.ok(!outbox.take(told, 'tablet').hasMadeAnew, 'two receipts may come of one message');
    await outbox.whenWritten();
    assert.equal(outbox.pending, 2);
    assert.deepEqual(sent(outbox), [8, 9]);
    assert.deepEqual(sent(await open()), [8, 9], 'a restart does not do it again');
    outbox.take({ accepted: [{ origin, class: 2, seq: 9 }], rejected: [] }, 'tablet');
    assert.deepEqual((await made.kept).op, { origin, class: 2, seq: 9 });
  });

  it('tells a hub that lacks what the other one had up to where that was', async () => {
    const outbox = await cut(2);
    const { origin } = outbox;
    outbox.numbers.saw(new Map([[laneOf(origin, 2), 5]]));
    outbox.take({ accepted: [{ origin, class: 2, seq: 2 }], rejected: [] }, 'd');
    outbox.add(patch('new'));
    await outbox.whenWritten();
    const reason = 'gap after 2';
    const rejected = [{ origin, class: 2, seq: 6, reason, verdict: 'gap' } as const];
    const receipt = { accepted: [{ origin, class: 2, seq: 2 } as const], rejected };
    outbox.take(receipt, 'd');
    // Hubs that can reach each other get a moment.
    assert.equal(floorOf(outbox), undefined);
    await clock.advance(2_000);
    outbox.take(receipt, 'd');
    assert.equal(floorOf(outbox), 5);
  });
});

describe('a log with damage', () => {
  /** Of five ops that were made, two of which are receipted, what is left without the entries of these numbers. */
  async function without(...gone: readonly number[]): Promise<Outbox> {
    const outbox = await cut(5);
    outbox.take({ accepted: [{ origin: outbox.origin, class: 2, seq: 2 }], rejected: [] }, 'd');
    await new Promise(setImmediate);
    storage.kept = storage.kept.filter((_, at) => !gone.includes(at));
    storage.damage = 'some bytes';
    return open();
  }

  it('sends what is left, and says which number nobody shall wait for', async () => {
    const outbox = await without(4);
    const { origin } = outbox;
    assert.equal(storage.replaced, 2, 'it is written anew, so that the damage is told once');
    assert.deepEqual([sent(outbox), floorOf(outbox)], [[3, 5], undefined]);
    const reason = 'gap after 3';
    const rejected = [{ origin, class: 2, seq: 5, reason, verdict: 'gap' } as const];
    outbox.take({ accepted: [{ origin, class: 2, seq: 3 }], rejected }, 'd');
    assert.deepEqual([sent(outbox), floorOf(outbox)], [[5], undefined]);
    await clock.advance(2_000);
    assert.deepEqual([sent(outbox), floorOf(outbox)], [[5], 4]);
    // Also after a restart: what is written anew says it, too.
    storage.damage = undefined;
    const again = await open();
    again.take({ accepted: [{ origin, class: 2, seq: 3 }], rejected }, 'd');
    await clock.advance(2_000);
    assert.deepEqual([sent(again), floorOf(again)], [[5], 4]);
  });

  it('whose head is gone knows by its ops whose it is', async () => {
    const { origin } = await cut(0);
    const outbox = await without(0);
    assert.equal(outbox.origin, origin);
    assert.deepEqual(sent(outbox), [3, 4, 5]);
    assert.equal(outbox.add(patch('new')).op.seq, 6);
    assert.equal((await open()).origin, origin);
  });

  it('takes no op of others for its own, where damage lays open a copy of their log', async () => {
    const outbox = await cut(2);
    const { op } = stampedOp({ origin: DEVICE_A, class: 2, seq: 9 });
    const bytes = encodeOp(op);
    storage.kept = [...storage.kept, encodeLogEntry({ type: 'op', op, bytes })];
    const again = await open();
    assert.equal(again.origin, outbox.origin);
    assert.deepEqual(sent(again), [1, 2]);
    assert.equal(again.add(patch('new')).op.seq, 3);
  });

  it('that says nothing any more is the log of a new device', async () => {
    const { origin } = await cut(1);
    storage.kept = [];
    storage.damage = 'all of it';
    const outbox = await Outbox.open({
      storage,
      random: new SeededRandom(2),
      clock,
      onChange: () => undefined,
      comesBack: () => true,
    });
    assert.notEqual(outbox.origin, origin);
    assert.equal(outbox.add(patch('new')).op.seq, 1);
  });
});
