import assert from 'node:assert/strict';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { ALARM, type OpClass, perClass, TELEMETRY } from '../../../../src/model/class.ts';
import { UnsealedCount } from '../../../../src/uplink/waiting/unsealed-count.ts';
import { stampedOp, stampedOps } from '../../../support/made/batches.ts';
import { MemoryJournal } from '../../../support/memory/memory-journal.ts';

const nothing = (): number => 0;

/** Of a journal, all of it: counted by one who reads for himself. */
function countOf(journal: MemoryJournal): unknown {
  const count = new UnsealedCount(journal, perClass(nothing));
  while (count.scan());
  return told(count);
}

function told(count: UnsealedCount): unknown {
  return [count.scannedLsn, count.of(TELEMETRY), count.of(ALARM)];
}

/** One who reads the journal anyway. */
class Reader {
  readonly #cursor;
  readonly #count: UnsealedCount;

  constructor(journal: MemoryJournal, count: UnsealedCount) {
    this.#cursor = journal.cursor(1);
    this.#count = count;
  }

  offers(entries: number): void {
    for (let i = 0; i < entries; i++) {
      const next = this.#cursor.next();
      if (next === undefined) return;
      this.#count.offer(next.lsn, next.entry);
    }
  }
}

function followed(): { journal: MemoryJournal; count: UnsealedCount; reader: Reader } {
  const journal = new MemoryJournal();
  const count = new UnsealedCount(journal, perClass(nothing));
  return { journal, count, reader: new Reader(journal, count) };
}

test('what others read and offer is counted, and read by nobody else', () => {
  const { journal, count, reader } = followed();
  journal.append(...stampedOps(1, 20), stampedOp(1, { class: ALARM }));
  reader.offers(5);
  assert.equal(count.scan(), false);
  assert.equal(count.of(TELEMETRY).ops, 5);
  assert.equal(count.awaitsOffers, true);
  reader.offers(16);
  assert.equal(count.scan(), false);
  assert.equal(count.awaitsOffers, false);
  assert.equal(journal.reads, 21, 'those of the one who offers');
  assert.deepEqual(told(count), countOf(journal));
});

test('what others passed while a batch was sealed is read, and then they are waited for again', () => {
  const { journal, count, reader } = followed();
  journal.append(...stampedOps(1, 100));
  reader.offers(10);
  count.hold();
  reader.offers(30);
  assert.equal(count.scan(), false);
  assert.equal(count.scannedLsn, 10);
  count.goOn();
  reader.offers(1);
  while (count.scan());
  assert.equal(count.scannedLsn, 41);
  assert.equal(count.awaitsOffers, true);
  reader.offers(59);
  assert.deepEqual(told(count), countOf(journal));
});

test('where whoever offered has ended, all is read', () => {
  const journal = new MemoryJournal();
  const count = new UnsealedCount(journal, perClass(nothing));
  journal.append(...stampedOps(1, 100));
  new Reader(journal, count).offers(10);
  let looks = 0;
  do while (count.scan());
  while (count.awaitsOffers && ++looks < 1_000);
  expect(looks).toBeGreaterThan(10);
  assert.deepEqual(told(count), countOf(journal));
});

const STEPS = fc.array(
  fc.oneof(
    fc.record({ append: fc.integer({ min: 1, max: 400 }), isAlarm: fc.boolean() }),
    fc.record({ offer: fc.integer({ min: 1, max: 300 }) }),
    fc.record({ scans: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ hold: fc.boolean() }),
    fc.constant({ restart: true as const }),
  ),
  { maxLength: 40 },
);

test('whoever reads what, each entry is counted once', () => {
  fc.assert(
    fc.property(STEPS, (steps) => {
      const journal = new MemoryJournal();
      let [seq, holds] = [0, 0];
      const count = new UnsealedCount(journal, perClass(nothing));
      const reader = new Reader(journal, count);
      for (const step of steps) {
        if ('append' in step) {
          const parts: { readonly class?: OpClass } = step.isAlarm ? { class: ALARM } : {};
          journal.append(...stampedOps(seq + 1, (seq += step.append), parts));
        } else if ('offer' in step) reader.offers(step.offer);
        else if ('scans' in step) for (let i = 0; i < step.scans; i++) count.scan();
        else if ('hold' in step && step.hold) {
          count.hold();
          holds += 1;
        } else if ('hold' in step) for (; holds > 0; holds--) count.goOn();
        else count.restart(perClass(nothing));
      }
      for (; holds > 0; holds--) count.goOn();
      for (let looks = 0; count.scannedLsn < journal.durableLsn && looks < 1_000; looks++)
        count.scan();
      assert.deepEqual(told(count), countOf(journal));
    }),
    { numRuns: 60 },
  );
});

test('who cannot wait for offers has all counted, and nothing twice', () => {
  const { journal, count, reader } = followed();
  journal.append(...stampedOps(1, 600), stampedOp(1, { class: ALARM }));
  reader.offers(5);
  while (count.scan(true));
  assert.deepEqual(told(count), countOf(journal));
  journal.append(...stampedOps(601, 620));
  reader.offers(616);
  assert.equal(count.scan(), false);
  assert.deepEqual(told(count), countOf(journal));
});

test('a question of people makes nobody read the rest of what others read anyway', () => {
  const { journal, count, reader } = followed();
  journal.append(...stampedOps(1, 2_000));
  reader.offers(5);
  assert.equal(count.scan(true), true);
  const counted = count.scannedLsn;
  assert.equal(count.scan(), false);
  assert.equal(count.scannedLsn, counted);
  assert.equal(count.awaitsOffers, true);
});
