/** Bits flip, sectors cannot be read, files go missing: what is lost is named, and nothing else is. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { must } from '../../src/base/assert.ts';
import { bytesEqual } from '../../src/base/bytes.ts';
import {
  statJournal,
  verifyJournal,
  type VerifyReport,
} from '../../src/journal/recovery/inspect.ts';
import { DIR, Rig, type Sealing, SEALINGS } from './journal-rig.ts';

/** Headers and 4 KiB of blocks. */
const SEGMENT_BYTES = 12 * 1024;

/** Two full segments and a short one, closed; the same for every call. */
async function threeSegments(sealing: Sealing = 'plain', commits = 5): Promise<Rig> {
  const rig = new Rig(7, { segmentBytes: SEGMENT_BYTES }, sealing);
  await rig.open();
  for (let i = 0; i < commits; i++) await rig.commit(8, 400);
  await rig.settle(100);
  await rig.commit(2, 100);
  await rig.close();
  return rig;
}

function segmentPaths(rig: Rig): string[] {
  return rig.files
    .list(DIR)
    .filter((name) => name.endsWith('.segment'))
    .map((name) => `${DIR}/${name}`);
}

/** LSNs that the journal gives out, each checked byte by byte. */
function readable(rig: Rig): Set<number> {
  const lsns = new Set<number>();
  const cursor = rig.journal.cursor(1);
  for (let read = cursor.next(); read !== undefined; read = cursor.next()) {
    const appended = rig.appended.get(read.lsn);
    assert.ok(appended !== undefined && bytesEqual(appended, read.entry), `entry ${read.lsn}`);
    lsns.add(read.lsn);
  }
  return lsns;
}

/** Every acknowledged LSN is read, or named as lost; returns how many are lost. */
function checkAccounted(rig: Rig): number {
  const lsns = readable(rig);
  const { quarantined, lastLsn } = rig.journal.stat();
  assert.ok(lastLsn >= rig.acknowledged, 'LSNs do not go back');
  let lost = 0;
  for (let lsn = 1; lsn <= rig.acknowledged; lsn++) {
    const isNamed = quarantined.some(({ fromLsn, toLsn }) => fromLsn <= lsn && lsn <= toLsn);
    assert.ok(lsns.has(lsn) || isNamed, `LSN ${lsn} is missing in silence`);
    if (!lsns.has(lsn)) lost += 1;
  }
  return lost;
}

/** Segments that hold entries, oldest first. */
function filledSegments(rig: Rig): readonly { file: string; firstLsn: number; lastLsn: number }[] {
  return statJournal(rig.files, DIR).segments;
}

function lostBy(report: VerifyReport): number {
  const named = report.damages.filter(({ fromLsn }) => fromLsn > 0);
  return named.reduce((sum, { fromLsn, toLsn }) => sum + toLsn - fromLsn + 1, 0);
}

test.each(SEALINGS)(
  '%s: a bit flips in any byte of a segment: at most its block is lost, and it is named',
  async (sealing) => {
    const clean = await threeSegments(sealing);
    const sealer = clean.sealer();
    let hits = 0;
    // One in the middle, and the last, whose end is evidence only because the journal was closed.
    const segments = filledSegments(clean);
    for (const each of [segments[1], segments.at(-1)]) {
      const { file } = must(each, 'three segments');
      for (let offset = 0; offset < SEGMENT_BYTES; offset++) {
        // Padding of the headers in steps: each byte of it is under the same checksum.
        if (offset > 100 && offset < 8192 && offset % 64 > 0) continue;
        // What the checksum covers does not depend on the seal.
        if (sealing === 'sealed' && offset % 3 > 0) continue;
        clean.files.flipBit(file, offset, offset % 8);
        const lost = lostBy(verifyJournal(clean.files, DIR, sealer));
        assert.ok(lost <= 8, `${lost} entries lost at ${offset}`);
        if (lost > 0) hits += 1;
        if (offset % 13 === 0) {
          const rig = clean.fork();
          await rig.open();
          assert.equal(checkAccounted(rig), lost);
          rig.end('kill');
        }
        clean.files.flipBit(file, offset, offset % 8);
      }
    }
    assert.ok(hits > SEGMENT_BYTES / (sealing === 'sealed' ? 9 : 3), `${hits} flips hit entries`);
  },
);

test('a damaged range stays named after restarts, and the journal goes on', async () => {
  const rig = (await threeSegments()).fork();
  rig.files.flipBit(segmentPaths(rig)[0] as string, 9000, 3);
  for (let life = 0; life < 3; life++) {
    await rig.open();
    assert.ok(checkAccounted(rig) > 0);
    assert.equal(rig.journal.stat().quarantined.length, 1);
    await rig.commit(2);
    rig.end('power-cut');
  }
});

test('damage in a segment that nobody reads is found by the scrub', async () => {
  const rig = (await threeSegments()).fork();
  rig.files.flipBit(segmentPaths(rig)[0] as string, 9000, 3);
  await rig.open();
  const named: number[] = [];
  rig.journal.onQuarantine(({ fromLsn }) => named.push(fromLsn));
  assert.deepEqual(rig.journal.stat().quarantined, []);
  await rig.settle(10_000);
  assert.equal(rig.journal.stat().quarantined.length, 1);
  assert.equal(named.length, 1);
  const { file } = rig.journal.stat().quarantined[0] as { file: string };
  assert.ok((rig.files.read(file) as Uint8Array).length > 30, 'the bytes are kept');
});

/** More of them than are kept open for reading, and the path of an old one. */
async function manySegments(): Promise<{ rig: Rig; path: string }> {
  const rig = (await threeSegments('plain', 60)).fork();
  return { rig, path: segmentPaths(rig)[3] as string };
}

test.each(['the scrub', 'a cursor'])(
  'a segment that opens no more while the journal is open is damage to %s',
  async (reader) => {
    const { rig, path } = await manySegments();
    await rig.open();
    rig.files.faults.unopenable = { path, code: 'EIO' };
    if (reader === 'the scrub') await rig.settle(10_000);
    assert.ok(checkAccounted(rig) > 0);
    await rig.commit(2);
    rig.end('power-cut');
    delete rig.files.faults.unopenable;
    await rig.open();
    checkAccounted(rig);
  },
);

test('for want of file descriptors the scrub looks again later', async () => {
  const { rig, path } = await manySegments();
  rig.files.flipBit(path, 9000, 3);
  await rig.open();
  rig.files.faults.unopenable = { path, code: 'EMFILE' };
  await rig.settle(10_000);
  assert.deepEqual(rig.journal.stat().quarantined, []);
  delete rig.files.faults.unopenable;
  await rig.settle(10_000);
  assert.equal(rig.journal.stat().quarantined.length, 1);
});

test('a sector that cannot be read is damage like any other', async () => {
  const paths = filledSegments(await threeSegments()).map(({ file }) => file);
  for (const path of paths) {
    for (const offset of [10, 5000, 8200, 10_000, 12_200]) {
      // With every block of the last segment unreadable, nothing tells that it held any (README.md).
      if (path === paths.at(-1) && offset > 8192) continue;
      const rig = (await threeSegments()).fork();
      rig.files.faults.unreadable = { path, offset };
      await rig.open();
      assert.equal(checkAccounted(rig) > 0, offset > 8192);
      await rig.commit(3);
    }
  }
});

test('a segment that does not open is damage of what it held; the newest one keeps the hub from starting', async () => {
  const paths = filledSegments(await threeSegments()).map(({ file }) => file);
  for (const [index, path] of paths.entries()) {
    for (const code of ['EIO', 'EUCLEAN', 'EACCES', 'EISDIR']) {
      const rig = (await threeSegments()).fork();
      rig.files.faults.unopenable = { path, code };
      if (index === paths.length - 1) {
        const before = rig.files.list(DIR);
        const isByHand = code === 'EACCES' || code === 'EISDIR';
        await assert.rejects(rig.open(), { code: isByHand ? 'data.unreadable' : 'journal.cut' });
        assert.deepEqual(rig.files.list(DIR), before, 'nothing is written over it');
        continue;
      }
      await rig.open();
      assert.ok(checkAccounted(rig) > 0, `${path} ${code}`);
      const [name = ''] = rig.files.list(`${DIR}/quarantine`);
      assert.match(name, /\.segment$/, 'it is there for who can read it');
      await rig.commit(3);
      rig.end('power-cut');
      await rig.open();
      assert.ok(checkAccounted(rig) > 0);
      await rig.close();
      delete rig.files.faults.unopenable;
      // What somebody could mend after all is put back by hand.
      rig.files.rename(`${DIR}/quarantine/${name}`, path);
      rig.files.syncDir(DIR);
      await rig.open();
      assert.equal(checkAccounted(rig), 0);
      assert.deepEqual(rig.journal.stat().quarantined, []);
    }
  }
});

test('want of file descriptors is no damage: the open is refused, and everything stays where it is', async () => {
  const rig = (await threeSegments()).fork();
  const before = rig.files.list(DIR);
  rig.files.faults.unopenable = { path: segmentPaths(rig)[0] as string, code: 'EMFILE' };
  await assert.rejects(rig.open(), { code: 'data.unreadable' });
  assert.deepEqual(rig.files.list(DIR), before);
});

test('an oldest segment of which nothing can be read is named as far as is known: up to where the next one begins', async () => {
  const rig = (await threeSegments()).fork();
  const [oldest, next] = filledSegments(rig);
  const path = must(oldest, 'three segments').file;
  rig.files.open(path, 'update').truncate(0);
  const toLsn = must(next, 'three segments').firstLsn - 1;
  for (let life = 0; life < 2; life++) {
    await rig.open();
    const ranges = rig.journal.stat().quarantined;
    assert.deepEqual(
      ranges.map((range) => [range.fromLsn, range.toLsn]),
      [[0, toLsn]],
    );
    assert.equal(checkAccounted(rig), toLsn);
    rig.end('kill');
  }
});

test('a newest segment of which nothing can be read may hold the end: it is set aside for a hub with numbers of its own alone', async () => {
  for (const sight of ['nothing', 'header']) {
    const rig = (await threeSegments()).fork();
    const newest = must(filledSegments(rig).at(-1), 'three segments');
    if (sight === 'nothing') rig.files.open(newest.file, 'update').truncate(0);
    else rig.files.open(newest.file, 'update').truncate(8192);
    const before = rig.files.list(DIR);
    for (let life = 0; life < 2; life++) {
      await assert.rejects(rig.open(), { code: 'journal.cut' });
      assert.ok(statJournal(rig.files, DIR).endFault !== undefined);
    }
    assert.deepEqual(rig.files.list(DIR), before);
    await rig.open({ endsAnywhere: true });
    assert.ok(rig.files.list(`${DIR}/quarantine`).some((name) => name.endsWith('.segment')));
    assert.ok(rig.journal.lastLsn >= newest.firstLsn - 1);
    const { lastLsn } = rig.journal;
    rig.append(3);
    await rig.settle();
    assert.equal(rig.journal.durableLsn, lastLsn + 3);
    rig.end('power-cut');
    await rig.open();
    assert.equal(rig.journal.lastLsn, lastLsn + 3);
    await rig.close();
  }
});

test('a missing segment is named; the oldest cannot be told from a released one', async () => {
  const paths = filledSegments(await threeSegments()).map(({ file }) => file);
  for (const path of paths.slice(1, -1)) {
    const rig = (await threeSegments()).fork();
    rig.files.remove(path);
    rig.files.syncDir(DIR);
    const { damages } = verifyJournal(rig.files, DIR, rig.sealer());
    assert.ok(damages.some(({ what }) => what === 'segment-missing'));
    await rig.open();
    assert.ok(checkAccounted(rig) > 0);
    await rig.commit(3);
    rig.end('power-cut');
    await rig.open();
    checkAccounted(rig);
  }
});

test('both copies of a header damaged: the segment is set aside, whichever it is, and LSNs go on', async () => {
  for (const { file: path } of filledSegments(await threeSegments())) {
    const rig = (await threeSegments()).fork();
    rig.files.flipBit(path, 30, 1);
    rig.files.flipBit(path, 4096 + 30, 2);
    assert.ok(
      verifyJournal(rig.files, DIR, rig.sealer()).damages.some(
        ({ what }) => what === 'segment-unreadable',
      ),
    );
    await rig.open();
    checkAccounted(rig);
    assert.ok(rig.files.list(`${DIR}/quarantine`).some((name) => name.endsWith('.segment')));
    await rig.commit(3);
    rig.end('power-cut');
    await rig.open();
    checkAccounted(rig);
  }
});

test('files of a newer hub are refused and left as they are', async () => {
  const rig = (await threeSegments()).fork();
  const path = segmentPaths(rig)[1] as string;
  for (const copy of [0, 4096]) rig.files.flipBit(path, copy + 24, 2);
  const before = rig.files.list(DIR);
  await assert.rejects(rig.open(), { code: 'data.newer' });
  assert.deepEqual(rig.files.list(DIR), before);
});

test('stray files: leftovers go, strangers stay', async () => {
  const rig = (await threeSegments()).fork();
  for (const name of ['fresh.tmp', 'notes.txt']) {
    rig.files.open(`${DIR}/${name}`, 'create').writeAt(new Uint8Array(100), 0);
  }
  const copied = must(rig.files.read(segmentPaths(rig)[0] as string), 'a segment');
  rig.files.open(`${DIR}/000000000099.segment`, 'create').writeAt(copied, 0);
  await rig.open();
  assert.equal(checkAccounted(rig), 0);
  const names = rig.files.list(DIR);
  assert.ok(names.includes('notes.txt'));
  assert.ok(!names.includes('000000000099.segment'));
});
