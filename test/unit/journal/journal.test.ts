import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { Journal } from '../../../src/journal/journal.ts';
import { PLAIN_SEALER } from '../../../src/journal/sealer.ts';
import { MachineClock, machineTimers } from '../../../src/platform/clock.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { machineRandom } from '../../../src/platform/random.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { DIR, Rig, SEGMENT_BYTES } from '../../fault/journal-rig.ts';

const entry = (value: number): Uint8Array => Uint8Array.of(0x19, value >> 8, value & 0xff);

/** LSNs that a cursor gives out now. */
function lsnsFrom(journal: Journal, fromLsn: number): number[] {
  const cursor = journal.cursor(fromLsn);
  const lsns: number[] = [];
  for (let read = cursor.next(); read !== undefined; read = cursor.next()) lsns.push(read.lsn);
  return lsns;
}

describe('limits', () => {
  test('a stalled card: saturated first, then busy, and nothing that was taken is lost', async () => {
    const rig = new Rig(1);
    const files = new SimFiles({
      random: new SeededRandom(1),
      sync: { timers: rig.clock, delayMs: () => 2_000 },
    });
    const journal = await Journal.open({ ...rig.options, files, pendingBytesMax: 4_000 });
    await rig.clock.advance(20_000);
    journal.append(new Uint8Array(100), 0);
    await rig.clock.advance(10);
    let taken = 0;
    assert.throws(
      () => {
        for (;;) {
          journal.append(new Uint8Array(100), 0);
          taken += 1;
          if (taken < 15) assert.equal(journal.saturated, false);
          if (taken > 25) assert.equal(journal.saturated, true);
        }
      },
      { code: 'journal.busy' },
    );
    await rig.clock.advance(5_000);
    assert.equal(journal.saturated, false);
    assert.equal(journal.durableLsn, 1 + taken);
  });

  test('an entry that fits no block is refused as too large; the largest one goes through', async () => {
    const rig = new Rig(1);
    const journal = await rig.open();
    const largest = SEGMENT_BYTES - 8192 - 30 - 5;
    assert.throws(() => journal.append(new Uint8Array(largest + 1), 0), { code: 'op.too-large' });
    journal.append(new Uint8Array(largest), 0);
    await rig.settle();
    assert.equal(journal.cursor(1).next()?.entry.length, largest);
  });
});

describe('cursor', () => {
  test('follows over rotations what becomes durable, and stops there', async () => {
    const rig = new Rig(1);
    const journal = await rig.open();
    const cursor = journal.cursor(1);
    assert.equal(cursor.next(), undefined);
    let seen = 0;
    for (let i = 0; i < 12; i++) {
      rig.append(20);
      if (i % 3 === 0) assert.equal(cursor.next(), undefined, 'not before it is durable');
      await rig.settle();
      for (let read = cursor.next(); read !== undefined; read = cursor.next()) {
        seen += 1;
        assert.equal(read.lsn, seen);
        assert.deepEqual(read.entry, rig.appended.get(read.lsn));
      }
      assert.equal(seen, journal.durableLsn);
    }
    assert.ok(journal.stat().segments > 3);
  });

  test('begins anywhere, in the middle of a block and behind the end', async () => {
    const rig = new Rig(1);
    const journal = await rig.open();
    for (let i = 0; i < 12; i++) await rig.commit(10);
    for (const from of [1, 2, 10, 11, 57, 119, 120]) {
      assert.equal(lsnsFrom(journal, from)[0], from);
      assert.equal(lsnsFrom(journal, from).length, 121 - from);
    }
    const ahead = journal.cursor(122);
    assert.equal(ahead.next(), undefined);
    await rig.commit(3);
    assert.equal(ahead.next()?.lsn, 122);
  });

  test('steps from entry to entry and says where each lies', async () => {
    const rig = new Rig(1);
    const journal = await rig.open();
    for (let i = 0; i < 12; i++) await rig.commit(10);
    const [reading, stepping] = [journal.cursor(7), journal.cursor(7)];
    for (let read = reading.next(); read !== undefined; read = reading.next()) {
      assert.ok(stepping.step());
      const { lsn, bytes, start, end } = stepping;
      assert.deepEqual({ lsn, entry: bytes.subarray(start, end) }, read);
    }
    assert.equal(stepping.step(), false);
  });

  test('goes on at the first LSN where its place was released', async () => {
    const rig = new Rig(1);
    const journal = await rig.open();
    for (let i = 0; i < 12; i++) await rig.commit(10);
    const cursor = journal.cursor(1);
    assert.equal(cursor.next()?.lsn, 1);
    const firstLsn = journal.release(100);
    assert.ok(firstLsn > 40 && firstLsn <= 101);
    await rig.settle(100);
    const held: number[] = [];
    for (let read = cursor.next(); read !== undefined; read = cursor.next()) held.push(read.lsn);
    assert.equal(held.at(-1), 120);
    assert.ok(held.includes(firstLsn));
    assert.equal(lsnsFrom(journal, 1)[0], firstLsn);
  });

  test('one entry is found while it waits, while it is synced and when it is durable', async () => {
    const { clock, options } = new Rig(1);
    const random = new SeededRandom(1);
    const files = new SimFiles({ random, sync: { timers: clock, delayMs: () => 10 } });
    const journal = await Journal.open({ ...options, files, timers: clock });
    await clock.advance(1_000);
    const find = (): unknown[] => [1, 2, 3].map((lsn) => journal.entryAt(lsn));
    journal.append(entry(1), 0);
    await clock.advance(1);
    journal.append(entry(2), 0);
    journal.append(entry(3), 0);
    assert.equal(journal.durableLsn, 0, 'the first is on its way, the others wait');
    assert.deepEqual(find(), [entry(1), entry(2), entry(3)]);
    await clock.advance(100);
    assert.equal(journal.durableLsn, 3);
    assert.deepEqual(find(), [entry(1), entry(2), entry(3)]);
    assert.equal(journal.entryAt(4), undefined);
  });

  test('one entry is found in its file, until that is released', async () => {
    const rig = new Rig(1);
    const journal = await rig.open();
    for (let i = 0; i < 12; i++) await rig.commit(10);
    for (const lsn of [1, 57, 120]) assert.deepEqual(journal.entryAt(lsn), rig.appended.get(lsn));
    const firstLsn = journal.release(100);
    assert.equal(journal.entryAt(1), undefined);
    assert.equal(journal.entryAt(firstLsn - 1), undefined);
    assert.deepEqual(journal.entryAt(firstLsn), rig.appended.get(firstLsn));
  });

  test('entries stay as they are while the cursor goes on', async () => {
    const rig = new Rig(1);
    const journal = await rig.open();
    for (let i = 0; i < 12; i++) await rig.commit(10);
    const cursor = journal.cursor(1);
    const held = [];
    for (let read = cursor.next(); read !== undefined; read = cursor.next()) held.push(read);
    for (const read of held) assert.deepEqual(read.entry, rig.appended.get(read.lsn));
  });
});

describe('release', () => {
  test('whole segments only, never the one that tells the next LSN; files are used again', async () => {
    const rig = new Rig(1);
    const journal = await rig.open();
    for (let i = 0; i < 8; i++) await rig.commit(10);
    const { bytes } = journal.stat();
    assert.equal(journal.release(0), 1);
    const firstLsn = journal.release(80);
    assert.ok(firstLsn > 1 && firstLsn <= 80);
    assert.equal(journal.firstLsn, firstLsn);
    await rig.settle(100);
    for (let i = 0; i < 4; i++) {
      await rig.commit(10);
      rig.release(journal.durableLsn);
      await rig.settle(100);
    }
    assert.ok(journal.stat().bytes <= bytes, 'no file was added');
    await rig.close();
    rig.released = journal.lastLsn;
    const again = await rig.open();
    assert.equal(again.lastLsn, 120);
    assert.equal(again.append(entry(1), 0), 121);
  });

  test('LSNs go on where everything was released and nothing appended since', async () => {
    const rig = new Rig(1);
    await rig.open();
    for (let i = 0; i < 8; i++) await rig.commit(10);
    for (let life = 0; life < 5; life++) {
      await rig.close();
      const journal = await rig.open();
      journal.release(80);
      await rig.settle(100);
      assert.equal(journal.lastLsn, 80);
      assert.equal(journal.durableLsn, 80);
    }
    assert.equal(rig.journal.firstLsn, 81);
    assert.deepEqual(lsnsFrom(rig.journal, 1), []);
    await rig.commit(1);
    assert.deepEqual(lsnsFrom(rig.journal, 1), [81]);
  });
});

test('a new file is filled ahead of small blocks, not of large ones; the next is made when it is half full', async () => {
  const segmentBytes = 1 << 20;
  const rig = new Rig(1, { segmentBytes, totalBytesMax: 8 * segmentBytes });
  const before = rig.files.freeBytes('/');
  await rig.open();
  const used = (): number => before - rig.files.freeBytes('/');
  const written = (): number => rig.journal.stat().bytesWritten;
  assert.ok(used() < segmentBytes / 8, 'devices wait for no zeros');
  await rig.commit(1);
  assert.ok(used() > segmentBytes / 4, 'the next small blocks find a place that is theirs');
  await rig.settle(1_000);
  assert.ok(used() < segmentBytes / 2, 'a site that writes little is spared most of the zeros');
  const before300 = written();
  await rig.commit(300);
  assert.ok(written() - before300 < 100_000, 'large blocks cost no more than themselves');
  while (rig.journal.stat().bytes === segmentBytes) await rig.commit(300);
  assert.ok(written() < 0.9 * segmentBytes, 'the next segment is there in time');
  while (rig.journal.stat().segments === 1) await rig.commit(20);
  rig.end('power-cut');
  await rig.open();
  await rig.checkUsable();
});

test('many short lives do not fill the journal', async () => {
  const rig = new Rig(1, { totalBytesMax: 6 * SEGMENT_BYTES });
  for (let life = 0; life < 40; life++) {
    await rig.open();
    await rig.commit(1, 20);
    rig.end('kill');
  }
  await rig.open();
  rig.check();
  assert.equal(rig.journal.lastLsn, 40);
  assert.ok(rig.files.list(DIR).length <= 6);
});

test('another segment size in the config is taken on', async () => {
  const rig = new Rig(1);
  await rig.open();
  for (let i = 0; i < 8; i++) await rig.commit(10);
  await rig.close();
  for (const segmentBytes of [4 * SEGMENT_BYTES, SEGMENT_BYTES / 2 + 4096]) {
    const journal = await Journal.open({ ...rig.options, segmentBytes });
    assert.equal(lsnsFrom(journal, 1).length, journal.lastLsn);
    journal.append(entry(1), 0);
    await rig.settle(50);
    assert.equal(journal.durableLsn, journal.lastLsn);
    journal.release(journal.durableLsn);
    const closed = journal.close();
    await rig.settle(50);
    await closed;
  }
});

test('on the real disk: written, closed, opened, read', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'heliograph-journal-'));
  const options = {
    files: machineFiles,
    dir: join(dir, 'journal'),
    clock: new MachineClock(),
    timers: machineTimers,
    log: SILENT_LOG,
    random: machineRandom,
    segmentBytes: 1 << 16,
    totalBytesMax: 1 << 24,
    freeBytesMin: 0,
    sealer: PLAIN_SEALER,
  };
  for (let life = 1; life <= 3; life++) {
    const journal = await Journal.open(options);
    for (let i = 0; i < 2_000; i++) {
      const lsn = journal.append(entry((life - 1) * 2_000 + i + 1), 0);
      if (i % 250 === 0) await journal.whenDurable(lsn);
    }
    await journal.whenDurable(journal.lastLsn);
    const cursor = journal.cursor(1);
    for (let lsn = 1; lsn <= life * 2_000; lsn++) {
      assert.deepEqual(cursor.next(), { lsn, entry: entry(lsn) });
    }
    await journal.close();
  }
  rmSync(dir, { recursive: true });
});
