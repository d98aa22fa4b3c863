/** What `keep_days` goes by where clocks tell the time, and where they do not. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SegmentAges } from '../../../../src/hub/storage/segment-ages.ts';
import type { Journal } from '../../../../src/journal/journal.ts';
import { encodeCopyEntry, encodeLocalEntry } from '../../../../src/model/entry.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { stampedOp } from '../../../support/made/ops.ts';

const NOW_MS = Date.UTC(2026, 10, 27);
const DAY_MS = 86_400_000;
const KEEP_MS = 30 * DAY_MS;

/** Segments of one entry each, stamped then; undefined: an entry that is no op. */
class Site {
  readonly clock = new SimClock(NOW_MS);
  readonly entries: Uint8Array[] = [];
  readonly ages: SegmentAges;
  /** How often the journal was read. */
  reads = 0;

  constructor(...stampsMs: (number | undefined)[]) {
    const { entries } = this;
    for (const ms of stampsMs) this.add(ms);
    const journal = {
      get segmentStarts() {
        return entries.map((_, i) => i + 1);
      },
      cursor: (fromLsn: number) => {
        this.reads += 1;
        let lsn = fromLsn;
        const next = () => {
          const entry = entries[lsn - 1];
          return entry && { lsn: lsn++, entry };
        };
        return { next };
      },
    };
    this.ages = new SegmentAges(journal as unknown as Journal, this.clock, KEEP_MS);
    this.ages.look();
  }

  add(stampMs: number | undefined): void {
    const local = encodeLocalEntry(Uint8Array.of(0x80));
    if (stampMs === undefined) this.entries.push(local);
    else {
      const { bytes, stamp } = stampedOp({ atMs: stampMs });
      this.entries.push(encodeCopyEntry(bytes, stamp));
    }
  }

  old(): number | undefined {
    return this.ages.newestOld();
  }
}

test('a segment is as old as its first op was stamped', () => {
  const site = new Site(NOW_MS - 40 * DAY_MS, NOW_MS - 31 * DAY_MS, NOW_MS - 29 * DAY_MS);
  assert.equal(site.old(), 2);
  assert.equal(new Site(NOW_MS - 29 * DAY_MS).old(), undefined);
  assert.equal(new Site(undefined, NOW_MS - 31 * DAY_MS, undefined).old(), 2);
});

test('what was stamped in 1970 is not 56 years old: its days begin with this run', async () => {
  const site = new Site(600_000, 700_000, NOW_MS);
  assert.equal(site.old(), undefined);
  await site.clock.advance(KEEP_MS);
  assert.equal(site.old(), undefined);
  await site.clock.advance(1);
  assert.equal(site.old(), 3);
});

test('what was stamped by a clock that had leapt ahead grows old as well', async () => {
  const site = new Site(Date.UTC(2106, 1, 7));
  await site.clock.advance(10 * DAY_MS);
  site.add(Date.UTC(2106, 1, 7) + 1);
  assert.equal(site.old(), undefined);
  await site.clock.advance(20 * DAY_MS + 1);
  assert.equal(site.old(), 1);
  await site.clock.advance(10 * DAY_MS);
  assert.equal(site.old(), 2);
});

test('where nobody sets the clock, this run counts', async () => {
  const site = new Site(NOW_MS - 31 * DAY_MS, NOW_MS - 29 * DAY_MS);
  site.clock.jumpWall(600_000, 'unknown');
  assert.equal(site.old(), undefined);
  await site.clock.advance(KEEP_MS + 1);
  assert.equal(site.old(), 2);
});

test('a clock that leaps to 2106 and back makes nothing old', async () => {
  const site = new Site(NOW_MS - 29 * DAY_MS, NOW_MS);
  site.clock.jumpWall(Date.UTC(2106, 1, 7), 'rtc');
  assert.equal(site.old(), undefined);
  site.add(Date.UTC(2106, 1, 7));
  assert.equal(site.old(), undefined);
  site.clock.jumpWall(NOW_MS, 'rtc');
  await site.clock.advance(DAY_MS + 1);
  assert.equal(site.old(), 1);
  await site.clock.advance(29 * DAY_MS);
  assert.equal(site.old(), 3, 'also what was stamped there');
});

test('a journal of many segments is read a few at a time, and each but once', () => {
  const stamps = Array.from({ length: 100 }, (_, at) => NOW_MS - (131 - at) * DAY_MS);
  const site = new Site(...stamps);
  assert.equal(site.old(), 16, 'the oldest are the first that matter');
  assert.equal(site.reads, 16);
  for (let look = 0; look < 10; look++) site.old();
  assert.equal(site.old(), 100);
  assert.equal(site.reads, 100);
});
