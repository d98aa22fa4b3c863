import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Journal } from '../../../../src/journal/journal.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { Rig, SEGMENT_BYTES } from '../../../fault/journal-rig.ts';

const entry = (value: number): Uint8Array => Uint8Array.of(0x19, value >> 8, value & 0xff);

test('a lone entry is durable after one sync, without any timer', async () => {
  const rig = new Rig(1, { segmentBytes: 4 * SEGMENT_BYTES });
  const journal = await rig.open();
  await rig.settle(100);
  const { syncs } = journal.stat();
  assert.equal(journal.append(entry(1), 0), 1);
  assert.equal(journal.durableLsn, 0);
  await rig.settle(0);
  assert.equal(journal.durableLsn, 1);
  assert.equal(journal.stat().syncs, syncs + 1);
});

test('what is appended in one turn shares a sync, and listeners hear once', async () => {
  const rig = new Rig(1, { segmentBytes: 4 * SEGMENT_BYTES });
  const journal = await rig.open();
  await rig.settle(100);
  const { syncs } = journal.stat();
  const heard: number[] = [];
  journal.onDurable((lsn) => heard.push(lsn));
  for (let i = 0; i < 100; i++) journal.append(entry(i), 0);
  await rig.settle(0);
  assert.deepEqual(heard, [100]);
  assert.equal(journal.stat().syncs, syncs + 1);
});

test('while a sync runs the next group gathers, and is committed after it', async () => {
  const clock = new Rig(1).clock;
  const random = new SeededRandom(1);
  const files = new SimFiles({ random, sync: { timers: clock, delayMs: () => 10 } });
  const journal = await Journal.open({ ...new Rig(1).options, files, timers: clock });
  await clock.advance(1_000);
  const heard: number[] = [];
  journal.onDurable((lsn) => heard.push(lsn));
  journal.append(entry(1), 0);
  await clock.advance(1);
  journal.append(entry(2), 0);
  journal.append(entry(3), 0);
  await clock.advance(8);
  assert.deepEqual(heard, []);
  await clock.advance(2);
  assert.deepEqual(heard, [1]);
  await clock.advance(10);
  assert.deepEqual(heard, [1, 3]);
});

test('a quick card goes on at once with what a few devices sent meanwhile, whatever may follow it', async () => {
  const rig = new Rig(1, { segmentBytes: 4 * SEGMENT_BYTES });
  const { clock } = rig;
  const sync = { timers: clock, delayMs: () => 1 };
  const files = new SimFiles({ random: new SeededRandom(1), sync });
  const journal = await Journal.open({ ...rig.options, files });
  await clock.advance(1_000);
  const messages = (count: number): void => {
    for (let i = 0; i < count; i++)
      journal.append(Uint8Array.of(0x58, 253, ...Buffer.alloc(253)), 0);
  };
  for (let i = 0; i < 40; i++) {
    messages(1);
    await clock.advance(2);
  }
  messages(10);
  await clock.advance(0.5);
  messages(10);
  const { syncs } = journal.stat();
  const goneOn = new Promise<number>((resolve) => {
    journal.onDurable(() => clock.soon(() => resolve(journal.stat().syncs - syncs)));
  });
  await clock.advance(0.5);
  assert.equal(await goneOn, 1);
});

test('entries linger, the shortest decides, and one without linger takes along what waits', async () => {
  const rig = new Rig(1);
  const journal = await rig.open();
  await rig.settle(100);
  journal.append(entry(1), 2_000);
  await rig.settle(1_500);
  journal.append(entry(2), 1_000);
  await rig.settle(400);
  assert.equal(journal.durableLsn, 0);
  await rig.settle(150);
  assert.equal(journal.durableLsn, 2, 'the first has waited its two seconds');
  journal.append(entry(3), 2_000);
  journal.append(entry(4), 100);
  await rig.settle(150);
  assert.equal(journal.durableLsn, 4);
  journal.append(entry(5), 2_000);
  journal.append(entry(6), 0);
  await rig.settle(0);
  assert.equal(journal.durableLsn, 6);
});

test('a linger of milliseconds is for company: left out behind a group that had it, a longer one never', async () => {
  const rig = new Rig(1);
  const journal = await rig.open();
  await rig.settle(100);
  for (let i = 1; i <= 4; i++) journal.append(entry(i), 2);
  await rig.settle(1);
  assert.equal(journal.durableLsn, 0);
  await rig.settle(2);
  assert.equal(journal.durableLsn, 4);
  journal.append(entry(5), 2);
  await rig.settle(0);
  assert.equal(journal.durableLsn, 5, 'the last group was four');
  journal.append(entry(6), 2);
  await rig.settle(0);
  assert.equal(journal.durableLsn, 5, 'the last group was one');
  for (let i = 7; i <= 10; i++) journal.append(entry(i), 0);
  await rig.settle(3);
  journal.append(entry(11), 100);
  await rig.settle(50);
  assert.equal(journal.durableLsn, 10);
});

test('a large group does not linger', async () => {
  const rig = new Rig(1, { segmentBytes: 1 << 20 });
  const journal = await rig.open();
  for (let i = 0; i < 300; i++) journal.append(new Uint8Array(1_000), 60_000);
  await rig.settle(5);
  assert.ok(journal.durableLsn >= 250, `${journal.durableLsn}`);
});

test('promises for single entries', async () => {
  const rig = new Rig(1);
  const journal = await rig.open();
  const order: number[] = [];
  journal.append(entry(1), 0);
  journal.append(entry(2), 0);
  void journal.whenDurable(2).then(() => order.push(2));
  void journal.whenDurable(1).then(() => order.push(1));
  await journal.whenDurable(0);
  assert.deepEqual(order, []);
  await rig.settle();
  assert.deepEqual(new Set(order), new Set([1, 2]));
  journal.append(entry(3), 0);
  rig.files.faults.failSyncs = new Set([rig.files.syncs + 1]);
  const failed = assert.rejects(journal.whenDurable(3), { code: 'journal.poisoned' });
  await rig.settle();
  await failed;
  assert.equal(journal.durableLsn, 2);
  assert.throws(() => journal.append(entry(4), 0), { code: 'journal.poisoned' });
  const cursor = journal.cursor(1);
  assert.deepEqual(
    [cursor.next()?.lsn, cursor.next()?.lsn, cursor.next()],
    [1, 2, undefined],
    'what is durable can still be read',
  );
});
