import assert from 'node:assert/strict';
import { test } from 'vitest';

import { type OpClass, perClass, TELEMETRY } from '../../../../src/model/class.ts';
import { gather } from '../../../../src/uplink/packing/gather.ts';
import { UnsealedCount } from '../../../../src/uplink/waiting/unsealed-count.ts';
import { stampedOps } from '../../../support/made/batches.ts';
import { MemoryJournal } from '../../../support/memory/memory-journal.ts';

/** A hub with few devices: each of its blocks, whose seal has to be opened, holds one op. */
function journalOfSmallBlocks(ops: number): MemoryJournal {
  const journal = new MemoryJournal();
  journal.append(...stampedOps(1, ops));
  return journal;
}

test('a step ends behind a few blocks, however few entries were in them', async () => {
  const journal = journalOfSmallBlocks(1_000);
  const readBetween: number[] = [];
  let readBefore = 0;
  const step = (): undefined => {
    readBetween.push(journal.reads - readBefore);
    readBefore = journal.reads;
  };
  const breather = { begin: () => undefined, step };
  const limits = { opsMax: 10_000, opBytesMax: 1 << 20 };
  const wanted = { class: TELEMETRY as OpClass, ops: 1_000, fromLsn: 1, endLsn: 1_000, limits };
  const packing = { step: { entries: 128, bytes: 64 << 10 }, add: () => undefined };
  const gathered = await gather(journal, breather, wanted, packing);
  assert.equal(gathered?.ops, 1_000);
  assert.equal(Math.max(...readBetween), 8);
});

test('so does a slice of counting', () => {
  const journal = journalOfSmallBlocks(1_000);
  const count = new UnsealedCount(
    journal,
    perClass(() => 0),
  );
  assert.equal(count.scan(), true);
  assert.equal(journal.reads, 24);
  while (count.scan());
  assert.equal(count.of(TELEMETRY).ops, 1_000);
});
