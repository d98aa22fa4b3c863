/** A sealed journal: several epochs, keys that go with their segments, keys that are missing, seals that were broken. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { dumpJournal, verifyJournal } from '../../../src/journal/recovery/inspect.ts';
import { blockCrc, scanBlockHead } from '../../../src/journal/format.ts';
import { PLAIN_SEALER } from '../../../src/journal/sealer.ts';
import { EPOCH_MS_MAX } from '../../../src/keys/journal-sealer.ts';
import { DIR, KEYS_DIR, Rig } from '../../fault/journal-rig.ts';

const MARK = new Uint8Array(24).fill(0x61);

/** Epochs that have a key file. */
function keyEpochs(rig: Rig): number[] {
  return rig.files.list(KEYS_DIR).map((name) => Number(name.slice(0, 12)));
}

/** Epochs that segments name. */
function epochs(rig: Rig): number[] {
  return [...new Set(segments(rig).map((path) => rig.files.read(path)?.at(60) ?? 0))];
}

function segments(rig: Rig): string[] {
  const names = rig.files.list(DIR).filter((name) => name.endsWith('.segment'));
  return names.map((name) => `${DIR}/${name}`);
}

/** Ends and opens a few times with enough in between that segments of several epochs stay. */
async function severalEpochs(): Promise<Rig> {
  const rig = new Rig(3, {}, 'sealed');
  for (let life = 0; life < 3; life++) {
    await rig.open();
    for (let i = 0; i < 5; i++) await rig.commit(10);
    await rig.settle(100);
    await rig.close();
  }
  await rig.open();
  return rig;
}

test('nothing of an entry can be read on the disk, and every open seals under a new epoch', async () => {
  const rig = new Rig(1, {}, 'sealed');
  for (let life = 1; life <= 2; life++) {
    await rig.open();
    const lsn = rig.journal.append(MARK, 0);
    rig.appended.set(lsn, MARK);
    await rig.settle();
    rig.check();
    for (const path of segments(rig)) {
      assert.equal(Buffer.from(rig.files.read(path) ?? []).indexOf('aaaaaa'), -1, path);
    }
    await rig.close();
  }
  assert.ok(Math.max(...epochs(rig)) >= 2);
});

test('segments of several epochs are read, by the next open and from outside', async () => {
  const rig = await severalEpochs();
  rig.check();
  assert.ok(epochs(rig).length > 2, epochs(rig).join(' '));
  await rig.close();
  const items = [...dumpJournal(rig.files, DIR, rig.sealer())];
  assert.equal(items.length, rig.acknowledged);
  const report = verifyJournal(rig.files, DIR, rig.sealer());
  assert.deepEqual(report.damages, []);
  assert.equal(report.sealsChecked, report.blocks);
});

test('without keys checksums are still checked, and entries are not shown', async () => {
  const rig = await severalEpochs();
  await rig.close();
  const report = verifyJournal(rig.files, DIR, PLAIN_SEALER);
  assert.deepEqual(report.damages, []);
  assert.deepEqual([report.sealsChecked, report.sealsUnchecked], [0, report.blocks]);
  assert.throws(() => [...dumpJournal(rig.files, DIR, PLAIN_SEALER)], {
    code: 'journal.unsealable',
  });
});

test('a key that is missing or damaged twice over: the journal is not opened, and says which', async () => {
  const rig = await severalEpochs();
  await rig.close();
  const path = `${KEYS_DIR}/${rig.files.list(KEYS_DIR)[0] ?? ''}`;
  const kept = rig.files.read(path) ?? new Uint8Array(0);
  rig.files.remove(path);
  await assert.rejects(rig.open(), /needs the key of epoch 1: .*\.key is not there/);
  const write = (bytes: Uint8Array): void => rig.files.replace(path, bytes);
  const damaged = (...offsets: number[]): Uint8Array =>
    kept.map((byte, offset) => (offsets.includes(offset) ? byte ^ 1 : byte));
  write(damaged(80, 4096 + 80));
  await assert.rejects(rig.open(), { code: 'journal.unsealable' });
  write(damaged(80));
  await rig.open();
  rig.check();
});

test('keys go when the last of their segments is gone, overwritten before they are unlinked', async () => {
  const rig = await severalEpochs();
  const before = keyEpochs(rig);
  const first = rig.files.read(`${KEYS_DIR}/${rig.files.list(KEYS_DIR)[0] ?? ''}`);
  assert.ok(first !== undefined && before.length > 2);
  rig.release(rig.journal.durableLsn);
  await rig.settle(200);
  const after = keyEpochs(rig);
  assert.ok(after.length < before.length && !after.includes(before[0] ?? 0), after.join(' '));
  const named = new Set(epochs(rig));
  assert.deepEqual(
    after.filter((epoch) => !named.has(epoch)),
    [],
  );
  await rig.commit(3);
  rig.check();
  rig.end('power-cut');
  await rig.open();
  rig.check();
});

test('restarts that leave nothing behind leave no keys either', async () => {
  const rig = new Rig(5, {}, 'sealed');
  for (let life = 0; life < 20; life++) {
    await rig.open();
    await rig.commit(1);
    await rig.settle(100);
    if (life % 2 === 0) rig.end('kill');
    else await rig.close();
  }
  await rig.open();
  await rig.settle(100);
  assert.ok(keyEpochs(rig).length <= 3, keyEpochs(rig).join(' '));
});

test('after a day the next segment begins an epoch', async () => {
  const rig = new Rig(6, {}, 'sealed');
  await rig.open();
  await rig.commit(1);
  await rig.settle(100);
  const before = Math.max(...epochs(rig));
  await rig.clock.advance(EPOCH_MS_MAX);
  for (let i = 0; i < 10; i++) await rig.commit(10);
  await rig.settle(200);
  assert.equal(Math.max(...epochs(rig)), before + 1);
  rig.check();
});

test('a block that was changed together with its checksum is told apart from one that rotted', async () => {
  const rig = await severalEpochs();
  await rig.close();
  const [path = ''] = segments(rig);
  const bytes = rig.files.read(path) ?? new Uint8Array(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const head = scanBlockHead(view, 8192, bytes.length);
  assert.ok(head !== undefined);
  const end = 8192 + 30 + head.payloadBytes;
  bytes[end - 20] = (bytes[end - 20] ?? 0) ^ 1;
  view.setUint32(8192 + 21, blockCrc(bytes, 8192, end));
  rig.files.replace(path, bytes);
  assert.deepEqual(verifyJournal(rig.files, DIR, PLAIN_SEALER).damages, []);
  const [damage] = verifyJournal(rig.files, DIR, rig.sealer()).damages;
  assert.deepEqual([damage?.what, damage?.fromLsn], ['seal', 1]);
  await rig.open();
  assert.throws(() => rig.journal.cursor(1).next(), /does not open with its key/);
});

test('a plain journal goes on sealed, and both halves are read', async () => {
  const plain = new Rig(8);
  await plain.open();
  for (let i = 0; i < 5; i++) await plain.commit(10);
  await plain.close();
  const sealed = new Rig(8, { files: plain.files }, 'sealed');
  for (const [lsn, entry] of plain.appended) sealed.appended.set(lsn, entry);
  sealed.acknowledged = plain.acknowledged;
  await sealed.open();
  sealed.check();
  await sealed.commit(5);
  sealed.check();
  await assert.rejects(async () => {
    await sealed.close();
    await new Rig(8, { files: plain.files }).open();
  }, /no keys were given/);
});

test('a run that was killed is read whole, however much more than one chunk of the file lies behind its last block', async () => {
  const rig = new Rig(5, { segmentBytes: 1 << 20, totalBytesMax: 1 << 22 }, 'sealed');
  await rig.open();
  for (let group = 0; group < 30; group++) await rig.commit(10, 2_000);
  await rig.settle(100);
  rig.end('kill');
  await rig.open();
  rig.check();
  await rig.checkUsable();
});
