/** What a region gives back of what a hub has lost, and how far back it says that it knows all. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import type { LaneRange } from '../../../../src/batch/ranges.ts';
import { openBatch } from '../../../../src/batch/open-batch.ts';
import type { SealedBatch } from '../../../../src/batch/seal-batch.ts';
import { type OpClass, RECORD, TELEMETRY } from '../../../../src/model/class.ts';
import { Healer } from '../../../../src/regional/healing/healer.ts';
import type { Shelf } from '../../../../src/regional/healing/shelf.ts';
import {
  batchOf,
  expecting,
  HUB_ID,
  noPause,
  OPENING,
  stampedOp,
  stampedOps,
} from '../../../support/made/batches.ts';

let opened = 0;

function shelfOf(...batches: readonly SealedBatch[]): Shelf {
  const find = (id: string): SealedBatch | undefined => batches.find((it) => it.id === id);
  return {
    list: async (classes) =>
      batches
        .map(({ id, manifest }) => ({ id, hub: manifest.hub, class: manifest.class }))
        .filter((batch) => classes.includes(batch.class)),
    head: async ({ id }) => find(id)?.bytes,
    open: async ({ id }) => {
      opened += 1;
      const batch = find(id) ?? assert.fail('listed');
      const outcome = await openBatch(batch.bytes, expecting(batch), OPENING);
      return outcome.kind === 'batch' ? outcome.entries : [];
    },
  };
}

const lack = (from: number, to: number, opClass: OpClass = TELEMETRY): LaneRange => ({
  origin: HUB_ID,
  class: opClass,
  from,
  to,
});

/** Three batches that follow on each other: ops 1 to 10, 11 to 20, 21 to 30 at the LSNs of the same numbers. */
async function chain(): Promise<SealedBatch[]> {
  const batches: SealedBatch[] = [];
  for (const from of [1, 11, 21]) {
    const place = { fromLsn: from, throughLsn: from + 9, previous: batches.at(-1)?.id };
    batches.push(await batchOf(stampedOps(from, from + 9), place));
  }
  return batches;
}

const query = (...lacks: LaneRange[]) => ({ hub: HUB_ID, lacks });

describe('a healer', () => {
  test('gives the very ops, stamps included, out of the batches that hold them, and opens no other', async () => {
    opened = 0;
    const healer = new Healer(shelfOf(...(await chain())), noPause);
    const wish = query(lack(9, 12), lack(18, 18));
    assert.deepEqual(await healer.answer(wish), { ops: 5, wholeFromLsn: 0 });
    const given = await healer.next(wish);
    const expected = [9, 10, 11, 12, 18].map((seq) => stampedOp(seq));
    assert.deepEqual(given?.ops, expected);
    assert.equal(opened, 2);
  });

  test('has nothing of what it does not hold', async () => {
    const healer = new Healer(shelfOf(...(await chain())), noPause);
    const wish = query(lack(31, 40), lack(1, 5, RECORD));
    assert.deepEqual(await healer.answer(wish), { ops: 0, wholeFromLsn: 0 });
    assert.equal(await healer.next(wish), undefined);
  });

  test('says from which LSN on it knows all, where older batches are gone', async () => {
    const [, second, third] = await chain();
    assert.ok(second !== undefined && third !== undefined);
    const { answer } = bound(new Healer(shelfOf(second, third), noPause));
    assert.deepEqual(await answer(query(lack(5, 12))), { ops: 2, wholeFromLsn: 11 });
    const alone = bound(new Healer(shelfOf(third), noPause));
    assert.deepEqual(await alone.answer(query(lack(5, 12))), { ops: 0, wholeFromLsn: 21 });
  });

  test('counts and gives once what two batches hold', async () => {
    const [first] = await chain();
    const again = await batchOf(stampedOps(5, 10), { fromLsn: 5, throughLsn: 10 });
    assert.ok(first !== undefined);
    const healer = new Healer(shelfOf(first, again), noPause);
    const wish = query(lack(4, 8));
    assert.equal((await healer.answer(wish)).ops, 5);
    assert.equal((await healer.next(wish))?.ops.length, 5);
  });

  test('gives the higher class first', async () => {
    const records = await batchOf([stampedOp(1, { class: RECORD })]);
    const healer = new Healer(shelfOf(...(await chain()), records), noPause);
    const wish = query(lack(1, 1, RECORD), lack(1, 3));
    assert.equal((await healer.next(wish))?.class, RECORD);
  });
});

function bound(healer: Healer): Pick<Healer, 'answer'> {
  return { answer: (wish) => healer.answer(wish) };
}
