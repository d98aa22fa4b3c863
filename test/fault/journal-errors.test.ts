/** The card fails a sync, a write, fills up; two hubs share a folder. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { HubError, systemError } from '../../src/base/errors.ts';
import { SILENT_LOG } from '../../src/base/log.ts';
import { Journal } from '../../src/journal/journal.ts';
import { DIR, Rig, SEALINGS, SEGMENT_BYTES } from './journal-rig.ts';
import { countOf, longLife, type Scenario, shortLives } from './journal-scenarios.ts';

/** Runs until the journal is poisoned or cannot be opened; anything else is a failure of the test. */
async function runUntilPoisoned(rig: Rig, scenario: Scenario): Promise<boolean> {
  try {
    await scenario(rig);
  } catch (error) {
    const atOpen =
      error instanceof HubError && ['data.unreadable', 'journal.poisoned'].includes(error.code);
    if (atOpen || rig.isPoisoned) return true;
    throw error;
  }
  return rig.isPoisoned;
}

describe.each(
  SEALINGS.flatMap((sealing) => [longLife, shortLives].map((scenario) => ({ sealing, scenario }))),
)('$sealing $scenario', ({ sealing, scenario }) => {
  test('every sync fails once: nothing acknowledged is lost, not even to a power cut after the restart', async () => {
    const syncs = await countOf(scenario, 'syncs', sealing);
    let poisoned = 0;
    for (let nth = 1; nth <= syncs; nth++) {
      const rig = new Rig(1, {}, sealing);
      rig.files.faults.failSyncs = new Set([nth]);
      if (await runUntilPoisoned(rig, scenario)) poisoned += 1;
      rig.files.faults.failSyncs = new Set();
      rig.end('kill'); // The page cache still shows what the card may never have got.
      await rig.open();
      rig.check();
      await rig.commit(2);
      rig.end('power-cut');
      await rig.open();
      await rig.checkUsable();
    }
    assert.ok(poisoned > syncs / 3, `${poisoned} of ${syncs} poisoned the journal`);
  });

  test('every write fails once with EIO, in its middle: the journal is poisoned or does without', async () => {
    const writes = await countOf(scenario, 'writes', sealing);
    for (let nth = 1; nth <= writes; nth++) {
      const rig = new Rig(1, {}, sealing);
      rig.files.faults.failWrites = new Map([[nth, 'EIO']]);
      await runUntilPoisoned(rig, scenario);
      rig.end(nth % 2 === 0 ? 'kill' : 'power-cut');
      await rig.open();
      await rig.checkUsable();
    }
  });

  test('every write meets a full disk once: it heals by itself, everything is acknowledged in the end', async () => {
    const writes = await countOf(scenario, 'writes', sealing);
    for (let nth = 1; nth <= writes; nth++) {
      const rig = new Rig(1, {}, sealing);
      rig.patienceMs = 5_000;
      rig.files.faults.failWrites = new Map([[nth, 'ENOSPC']]);
      await scenario(rig);
      assert.equal(rig.isPoisoned, false);
      rig.end('power-cut');
      await rig.open();
      await rig.checkUsable();
    }
  });
});

/** Appends until it is refused; returns the refusal. */
async function appendUntilRefused(rig: Rig): Promise<HubError> {
  for (let i = 0; i < 5_000; i++) {
    try {
      rig.append(1);
    } catch (error) {
      assert.ok(error instanceof HubError);
      rig.appended.delete(rig.journal.lastLsn + 1);
      return error;
    }
    if (i % 7 === 0) await rig.settle(20);
  }
  throw new Error('never refused');
}

test('a full disk: refused with a fault, nothing acknowledged lost, goes on when there is room', async () => {
  const rig = new Rig(1);
  await rig.open();
  const faults: string[] = [];
  rig.journal.onFault((fault) => faults.push(fault.code));
  rig.files.setCapacity(5 * SEGMENT_BYTES);
  assert.equal((await appendUntilRefused(rig)).code, 'journal.disk-full');
  assert.equal(rig.journal.fault?.code, 'journal.disk-full');
  assert.deepEqual(faults, ['journal.disk-full']);
  await rig.settle(10_000);
  assert.throws(() => rig.append(1), { code: 'journal.disk-full' });
  rig.files.setCapacity(20 * SEGMENT_BYTES);
  await rig.settle(5_000);
  assert.equal(rig.journal.fault, undefined);
  assert.equal(rig.acknowledged, rig.journal.lastLsn);
  await rig.commit(20);
  rig.end('power-cut');
  await rig.open();
  await rig.checkUsable();
});

test('less room than the config wants free: refused, though the segment has room; heals', async () => {
  const rig = new Rig(1, { freeBytesMin: 3 * SEGMENT_BYTES });
  await rig.open();
  await rig.commit(3);
  rig.files.setCapacity(3 * SEGMENT_BYTES);
  await rig.settle(3_000);
  assert.throws(() => rig.append(1), { code: 'journal.disk-full' });
  rig.files.setCapacity(40 * SEGMENT_BYTES);
  await rig.settle(3_000);
  await rig.commit(1);
});

test('a start on a full disk: what is there can be read, and it goes on when there is room', async () => {
  const rig = new Rig(1);
  await rig.open();
  for (let i = 0; i < 4; i++) await rig.commit(25);
  rig.end('kill');
  rig.files.setCapacity(rig.files.list(DIR).length * SEGMENT_BYTES);
  for (const name of rig.files.list(DIR)) {
    if (name.endsWith('.spare')) rig.files.remove(`${DIR}/${name}`);
  }
  rig.files.setCapacity(0);
  const acknowledged = rig.acknowledged;
  await rig.open();
  let last = 0;
  const cursor = rig.journal.cursor(1);
  for (let read = cursor.next(); read !== undefined; read = cursor.next()) last = read.lsn;
  assert.ok(last > 0 && last < acknowledged);
  // Whoever numbers ops sees the doubtful end, or it would number anew what was acknowledged.
  const waiting = Array.from(rig.journal.waiting(), (entry) => entry.slice());
  assert.deepEqual(
    waiting,
    waiting.map((_, index) => rig.appended.get(last + 1 + index)),
  );
  assert.equal(last + waiting.length, acknowledged);
  rig.files.setCapacity(1 << 22);
  await rig.settle(5_000);
  assert.equal(rig.journal.durableLsn, acknowledged);
  assert.deepEqual([...rig.journal.waiting()], []);
  await rig.checkUsable();
});

const NO_WRITES = new Map(Array.from({ length: 1_000 }, (_, nth) => [nth, 'ENOSPC'] as const));

test.each(SEALINGS)(
  'starts on a full disk, and nothing there but a segment without a block: it still tells the LSNs (%s)',
  async (sealing) => {
    const rig = new Rig(1, {}, sealing);
    await rig.open();
    for (let i = 0; i < 2; i++) await rig.commit(25);
    await rig.close();
    const last = rig.acknowledged;
    await rig.open();
    rig.release(last);
    await rig.settle(1_000);
    rig.end('kill');
    for (let starts = 1; starts <= 3; starts++) {
      rig.files.faults.failWrites = NO_WRITES;
      await rig.open();
      assert.equal(rig.journal.durableLsn, last);
      await rig.settle(1_000);
      if (starts < 3) rig.end('kill');
      const segments = rig.files.list(DIR).filter((name) => name.endsWith('.segment'));
      assert.notDeepEqual(segments, [], 'or the hub would call its journal lost');
    }
    rig.files.faults.failWrites = new Map();
    await rig.settle(5_000);
    await rig.commit(2);
    rig.end('power-cut');
    await rig.open();
    assert.equal(rig.journal.durableLsn, last + 2);
    await rig.checkUsable();
  },
);

test('the folder fails each sync: what cannot be named for good goes, and is told once', async () => {
  const told: string[] = [];
  const log = { ...SILENT_LOG, warn: (event: string) => void told.push(event) };
  const rig = new Rig(1);
  await rig.open({ log });
  await rig.commit(1);
  const before = rig.files.list(DIR);
  rig.files.syncDir = (dir) => {
    throw systemError('EIO', `fsync ${dir}`);
  };
  const untilRefused = async (): Promise<void> => {
    for (;;) await rig.commit(1);
  };
  await assert.rejects(untilRefused, { code: 'journal.poisoned' });
  rig.appended.delete(rig.journal.lastLsn + 1);
  assert.deepEqual(rig.files.list(DIR), before);
  assert.deepEqual(told, ['journal.no-segment']);
  Reflect.deleteProperty(rig.files, 'syncDir'); // That of its class again.
  rig.end('kill');
  await rig.open();
  await rig.checkUsable();
});

test('a journal at its limit refuses; released segments let it go on', async () => {
  const rig = new Rig(1, { totalBytesMax: 5 * SEGMENT_BYTES });
  await rig.open();
  assert.equal((await appendUntilRefused(rig)).code, 'journal.full');
  await rig.settle();
  assert.ok(rig.journal.fillRatio > 0.95, `${rig.journal.fillRatio}`);
  assert.equal(rig.journal.fault, undefined);
  assert.ok(rig.journal.stat().bytes <= 5 * SEGMENT_BYTES);
  const { firstLsn } = rig.journal;
  rig.release(Math.floor(rig.journal.durableLsn / 2));
  assert.ok(rig.journal.firstLsn > firstLsn);
  await rig.settle(50);
  await rig.commit(5);
  rig.end('power-cut');
  await rig.open();
  await rig.checkUsable();
});

test('a segment whose name cannot be taken keeps those behind it: no start takes the gap for damage', async () => {
  const rig = new Rig(1);
  await rig.open();
  while (rig.journal.segmentStarts.length < 5) await rig.commit(5);
  const { files } = rig;
  const rename = files.rename.bind(files);
  const second = `${DIR}/${files.list(DIR).filter((name) => name.endsWith('.segment'))[1]}`;
  files.rename = (from, to) => {
    if (from === second) throw systemError('EIO', `rename ${from}`);
    rename(from, to);
  };
  rig.release(rig.journal.durableLsn);
  await rig.settle(50);
  rig.end('kill');
  files.rename = rename;
  await rig.open();
  assert.deepEqual(rig.journal.stat().quarantined, []);
  await rig.checkUsable();
});

test('a journal that was taken away acknowledges nothing any more, though its open file would', async () => {
  const rig = new Rig(1);
  await rig.open();
  await rig.commit(3);
  for (const name of rig.files.list(DIR)) rig.files.remove(`${DIR}/${name}`);
  await rig.settle(3_000);
  assert.throws(() => rig.append(1), { code: 'journal.poisoned', message: /\.segment is gone$/ });
});

/** A journal that was opened again, and who reads it from the start; no segment is open for that yet. */
async function readAgain(): Promise<{ rig: Rig; cursor: ReturnType<Rig['journal']['cursor']> }> {
  const rig = new Rig(1);
  await rig.open();
  await rig.commit(3);
  rig.end('kill');
  await rig.open();
  const cursor = rig.journal.cursor(1);
  return { rig, cursor };
}

test('who reads a journal that was taken away is told so', async () => {
  const { rig, cursor } = await readAgain();
  for (const name of rig.files.list(DIR)) rig.files.remove(`${DIR}/${name}`);
  assert.throws(() => cursor.next(), { code: 'journal.poisoned', message: /\.segment is gone$/ });
});

test('who reads a segment that does not open is told which, and reads it later', async () => {
  const { rig, cursor } = await readAgain();
  const { files } = rig;
  const open = files.open.bind(files);
  files.open = (path) => {
    throw systemError('EMFILE', `open ${path}`);
  };
  assert.throws(() => cursor.next(), { code: 'data.unreadable', message: /segment: EMFILE/ });
  files.open = open;
  assert.equal(cursor.next()?.lsn, 1);
});

test('two hubs on one folder: the second is told', async () => {
  const rig = new Rig(1);
  await rig.open();
  await assert.rejects(Journal.open(rig.options), { code: 'data.locked' });
  rig.end('kill');
  await rig.open();
});

test.each(SEALINGS)(
  'starts at the limit have a segment all the same, one above it however many they are (%s)',
  async (sealing) => {
    const rig = new Rig(1, { totalBytesMax: 5 * SEGMENT_BYTES }, sealing);
    await rig.open();
    await appendUntilRefused(rig);
    await rig.settle();
    for (let start = 1; start <= 6; start++) {
      rig.end(start % 2 === 0 ? 'kill' : 'power-cut');
      await rig.open();
      await rig.commit(2, 40);
      assert.equal(rig.journal.fillRatio, 1, 'what is not urgent is refused');
      assert.ok(rig.journal.stat().bytes <= 6 * SEGMENT_BYTES);
    }
    rig.check();
    rig.release(rig.journal.durableLsn);
    await rig.settle(1_000);
    assert.ok(rig.journal.stat().bytes <= 5 * SEGMENT_BYTES);
    await rig.commit(30);
    await rig.checkUsable();
  },
);
