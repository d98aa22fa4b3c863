/** What is missing in the midst of lanes, as a search through the journal finds it. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { SILENT_LOG } from '../../../../src/base/log.ts';
import { takeHeld } from '../../../../src/ingest/door/held-state.ts';
import { recoverProgress } from '../../../../src/ingest/progress.ts';
import {
  DEVICE_HOLES_MAX,
  findHoles,
  HoleBook,
  HOLES_MAX,
  opsIn,
  type ToldHole,
} from '../../../../src/ingest/door/hole-book.ts';
import { RECORD, TELEMETRY } from '../../../../src/model/class.ts';
import { encodeCopyEntry, encodeOpEntry } from '../../../../src/model/entry.ts';
import { encodeHeldEntry } from '../../../../src/model/held.ts';
import { laneOf, type Origin } from '../../../../src/model/origin.ts';
import type { StampedOp } from '../../../../src/model/op.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { DoorJournal } from '../../../support/memory/door-journal.ts';
import { HUB_ID, START_MS, stampedOp } from '../../../support/made/batches.ts';

const LANE = laneOf(HUB_ID, TELEMETRY);
const RECORDS = laneOf(HUB_ID, RECORD);
const DEVICE = 'aaaaaaaaaaaaaaaa' as Origin;

/** A journal of these ops by LSN; what stands at no LSN is damaged. */
function journalOf(ops: ReadonlyMap<number, StampedOp>, firstLsn = 1, copies = new Set<number>()) {
  const lsns = [...ops.keys()].toSorted((a, b) => a - b);
  return {
    firstLsn,
    cursor: (fromLsn: number) => {
      let at = lsns.findIndex((lsn) => lsn >= fromLsn);
      return {
        next: () => {
          const lsn = lsns[at++];
          const op = lsn === undefined ? undefined : ops.get(lsn);
          if (lsn === undefined || op === undefined) return undefined;
          const encode = copies.has(lsn) ? encodeCopyEntry : encodeOpEntry;
          return { lsn, entry: encode(op.bytes, op.stamp) };
        },
      };
    },
  };
}

async function search(
  journal: ReturnType<typeof journalOf>,
  vector: ReadonlyMap<typeof LANE, number>,
  book = new HoleBook(),
): Promise<HoleBook> {
  await findHoles(journal, vector, book, new SimClock(START_MS));
  return book;
}

const at = (...seqs: number[]): Map<number, StampedOp> =>
  new Map(seqs.map((seq) => [seq, stampedOp(seq)]));

describe('a search', () => {
  test('finds what is damaged between entries, and where', async () => {
    const book = await search(journalOf(at(1, 2, 5, 6)), new Map([[LANE, 6]]));
    assert.deepEqual(book.list(), [{ lane: LANE, from: 3, to: 4, between: [2, 5] }]);
  });

  test('finds what is damaged at the end', async () => {
    const book = await search(journalOf(at(1, 2)), new Map([[LANE, 4]]));
    assert.deepEqual(book.list(), [{ lane: LANE, from: 3, to: 4, between: [2, 3] }]);
  });

  test('takes what came back, as a copy or as an op, for mended', async () => {
    const ops = at(1, 2, 5);
    ops.set(6, stampedOp(3)).set(7, stampedOp(4));
    const book = await search(journalOf(ops, 1, new Set([6])), new Map([[LANE, 5]]));
    assert.deepEqual(book.list(), []);
  });

  test('finds nothing missing in what the journal let go of', async () => {
    const book = await search(
      journalOf(at(101, 102), 101),
      new Map([
        [LANE, 102],
        [RECORDS, 9],
      ]),
    );
    assert.deepEqual(book.list(), []);
  });

  test('takes as many ops of a lane for lost as there were entries before it, where the rest was let go of', async () => {
    const book = await search(
      journalOf(at(104, 105), 101),
      new Map([
        [LANE, 105],
        [RECORDS, 9],
      ]),
    );
    assert.deepEqual(book.list(), [
      { lane: LANE, from: 101, to: 103, between: [0, 104] },
      { lane: RECORDS, from: 7, to: 9, between: [0, 106] },
    ]);
  });

  test('counts what comes while it is under way', async () => {
    const book = new HoleBook();
    const searching = search(journalOf(at(1, 5)), new Map([[LANE, 5]]), book);
    book.fill(LANE, 3);
    await searching;
    const found = book.list().map(({ from, to }) => [from, to]);
    assert.deepEqual(found.length === 0 ? [] : found, [
      [2, 2],
      [4, 4],
    ]);
  });

  test('notes no more than the book takes, and says so', async () => {
    const seqs = Array.from({ length: HOLES_MAX + 5 }, (_, index) => 2 * index + 2);
    const book = await search(journalOf(at(...seqs)), new Map([[LANE, 2]]));
    assert.equal(book.list().length, HOLES_MAX);
    assert.ok(book.hasMore);
  });
});

describe('a state that was taken over', () => {
  const held = { lane: LANE, upTo: 4, beyond: [{ from: 7, to: 8 }] };

  test('fills what is in it, while a search is under way, too', () => {
    const book = new HoleBook();
    book.tell(LANE, 2, 3, 0);
    book.searching();
    book.hold(held);
    assert.deepEqual(book.list(), []);
    book.found([{ lane: LANE, from: 2, to: 7 }]);
    assert.deepEqual(book.list(), [{ lane: LANE, from: 5, to: 6 }]);
  });

  test('is no hole in the journal, but for what it lacks itself', async () => {
    const entries = [
      encodeOpEntry(stampedOp(1).bytes, stampedOp(1).stamp),
      encodeHeldEntry({ manifest: new Uint8Array(), lanes: [held] }),
      encodeOpEntry(stampedOp(9).bytes, stampedOp(9).stamp),
    ];
    const journal = new DoorJournal();
    for (const entry of entries) journal.append(entry, 0);
    journal.sync();
    const book = new HoleBook();
    await findHoles(journal, new Map([[LANE, 9]]), book, new SimClock(START_MS));
    assert.deepEqual(book.list(), [{ lane: LANE, from: 5, to: 6, between: [1, 2] }]);
  });

  test('counts in the door, own numbers included, and is known again after a start', () => {
    const journal = new DoorJournal();
    const [own, theirs] = [
      { lane: laneOf(HUB_ID, TELEMETRY), upTo: 3, beyond: [] },
      { lane: laneOf(DEVICE, RECORD), upTo: 2, beyond: [{ from: 4, to: 5 }] },
    ];
    const vector = new Map([[theirs.lane, 1]]);
    const ownSeqs = [0, 0, 0, 1, 0, 0, 0];
    const holes = new HoleBook();
    const append = (entry: Uint8Array): number => journal.append(entry, 0);
    const taken = { manifest: new Uint8Array(), lanes: [own, theirs] };
    const door = { hub: HUB_ID, vector, ownSeqs, holes, append, nowMs: START_MS };
    assert.equal(takeHeld(taken, { ...door, lanesMax: 0 }), undefined);
    assert.equal(takeHeld(taken, { ...door, lanesMax: 5 }), 1);
    assert.deepEqual(ownSeqs, [0, 0, 0, 3, 0, 0, 0]);
    assert.deepEqual([...vector], [[theirs.lane, 5]]);
    assert.deepEqual(
      holes.list().map(({ lane, from, to }) => [lane, from, to]),
      [[theirs.lane, 3, 3]],
    );
    journal.sync();
    const store = { checkpointLsn: 0, highest: () => new Map(), lastStamp: () => undefined };
    const found = recoverProgress({ hub: HUB_ID, journal, store, log: SILENT_LOG });
    assert.deepEqual(
      [...found.vector],
      [
        [own.lane, 3],
        [theirs.lane, 5],
      ],
    );
  });
});

describe('what was told', () => {
  const told = { lane: LANE, from: 2, to: 5, device: 'tablet', sinceMs: 7, isClosed: false };

  test('outlives a start as far as the lanes have come, and loses what the journal has', async () => {
    const book = new HoleBook();
    const keeps: number[] = [];
    const beyond = { ...told, from: 8, to: 12 };
    book.restore([told, beyond], new Map([[LANE, 9]]), (now) => keeps.push(now.length));
    assert.deepEqual(book.told, [told]);
    await search(journalOf(at(1, 6, 7, 3, 9)), new Map([[LANE, 9]]), book);
    assert.deepEqual(
      book.list().map(({ from, to, between }) => [from, to, between === undefined]),
      [
        [8, 8, false],
        [2, 2, true],
        [4, 5, true],
      ],
    );
    assert.deepEqual(keeps, [2]);
  });

  test('is kept at once where a receipt hangs on it', () => {
    const book = new HoleBook();
    const kept: boolean[] = [];
    book.restore([], new Map(), (_, atOnce) => kept.push(atOnce));
    book.tell(LANE, 1, 4, 0, 'tablet');
    book.tell(LANE, 8, 9, 0);
    book.fill(LANE, 2);
    assert.deepEqual(kept, [true, false, false]);
  });

  test('is not written down again where nothing of it has changed', () => {
    const book = new HoleBook();
    book.tell(LANE, 1, 4, 0, 'tablet');
    let keeps = 0;
    book.restore(book.told, new Map([[LANE, 9]]), () => (keeps += 1));
    book.untell(LANE, 8);
    book.fill(LANE, 7);
    assert.equal(
      book.close(() => false, 0),
      0,
    );
    assert.equal(keeps, 0);
    book.untell(LANE, 1);
    assert.equal(keeps, 1);
  });

  test('is asked for no more when it is closed, and still taken', () => {
    const book = new HoleBook();
    book.tell(LANE, 1, 4, 0, 'tablet');
    book.tell(LANE, 8, 9, 0);
    assert.equal(
      book.close((hole) => hole.from === 1, 0),
      4,
    );
    assert.equal(
      book.close((hole) => hole.from === 1, 0),
      0,
    );
    assert.deepEqual(
      book.open().map(({ from }) => from),
      [8],
    );
    assert.deepEqual(
      book.list().map(({ from }) => from),
      [8, 1],
      'peers hear of all, first of what is open',
    );
    assert.ok(book.has(LANE, 3));
    book.fill(LANE, 3);
    assert.ok(book.told.every(({ isClosed, from }) => isClosed === from < 8));
  });

  test('of a device has a limit, open or closed', () => {
    const book = new HoleBook();
    for (let i = 0; i < DEVICE_HOLES_MAX; i++) {
      assert.ok(book.tell(LANE, 10 * i + 1, 10 * i + 2, 0, 'tablet'));
    }
    book.close(() => true, 0);
    assert.equal(book.tell(LANE, 1_001, 1_002, 0, 'tablet'), false);
    assert.equal(book.tell(LANE, 1_001, 1_002, 0, 'phone'), true);
  });

  test('that a search has found is closed for good, also at the end of its lane', async () => {
    const book = new HoleBook();
    const kept: (readonly ToldHole[])[] = [];
    const vector = new Map([[LANE, 9]]);
    book.restore([], vector, (now) => kept.push(now));
    await search(journalOf(at(1, 6, 7)), vector, book);
    const lacked = book.damaged;
    assert.ok(lacked.length > 0);
    assert.equal(
      book.close(() => true, 77),
      opsIn(lacked),
    );
    assert.deepEqual([book.open().length, book.damaged.length], [0, 0]);
    const again = new HoleBook();
    again.restore(kept.at(-1) ?? [], vector, () => undefined);
    await search(journalOf(at(1, 6, 7)), vector, again);
    assert.deepEqual([again.open(), again.damaged], [[], []]);
    assert.ok(again.has(LANE, 9), 'it is taken where it comes all the same');
  });
});
