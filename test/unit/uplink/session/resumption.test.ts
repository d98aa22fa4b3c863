import assert from 'node:assert/strict';

import { describe, test } from 'vitest';

import type { BatchId } from '../../../../src/batch/batch-id.ts';
import { ChunkBitmap } from '../../../../src/batch/wire/chunks.ts';
import type { DownHello } from '../../../../src/batch/wire/messages.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { Resumption } from '../../../../src/uplink/session/resumption.ts';
import { HUB_ID, REGION } from '../../../support/made/batches.ts';

const BATCH = '0123456789abcdef0123456789abcdef' as BatchId;
const LAYOUT = { total: 4, batchBytes: 5_000 };
const ANSWER: DownHello = {
  hub: HUB_ID,
  publicKey: REGION.publicKey,
  nonce: new Uint8Array(8),
  software: 'test',
  formats: [1],
  compressions: [],
  encodings: [],
  resumes: true,
};

function cutWhileSending(answer: DownHello): { clock: SimClock; resumption: Resumption } {
  const clock = new SimClock(1_780_000_000_000);
  const resumption = new Resumption(clock);
  resumption.greeted(answer);
  resumption.sending(BATCH, LAYOUT);
  resumption.ended(true);
  return { clock, resumption };
}

test('after a cut it asks for what was on its way, until a greeting is due', async () => {
  const { clock, resumption } = cutWhileSending(ANSWER);
  assert.deepEqual(resumption.of([BATCH]), { batches: [BATCH], regionKey: REGION.publicKey });
  assert.equal(resumption.of([]), undefined, 'it has its receipt');
  await clock.advance(10 * 60_000);
  assert.equal(resumption.of([BATCH]), undefined);
});

test('a region of an earlier version is greeted', () => {
  const { resumes: _resumes, ...earlier } = ANSWER;
  assert.equal(cutWhileSending(earlier).resumption.of([BATCH]), undefined);
});

test('where it was used and had no answer, it greets for a day: a broker may let none of it through', async () => {
  const { clock, resumption } = cutWhileSending(ANSWER);
  assert.ok(resumption.of([BATCH]) !== undefined);
  resumption.unanswered();
  resumption.greeted(ANSWER);
  assert.equal(resumption.of([BATCH]), undefined);
  assert.ok(!resumption.isKnown);
  await clock.advance(24 * 3_600_000);
  resumption.greeted(ANSWER);
  assert.ok(resumption.isKnown);
});

test('where it was not used and had no answer, it greets once: the region may have lost what it had', () => {
  const { resumption } = cutWhileSending(ANSWER);
  resumption.unanswered();
  resumption.ended(true);
  assert.equal(resumption.of([BATCH]), undefined);
  resumption.greeted(ANSWER);
  assert.ok(resumption.of([BATCH]) !== undefined);
});

test('after an end by choice, or with something waiting there, it greets', () => {
  const { resumption } = cutWhileSending(ANSWER);
  resumption.ended(false);
  assert.equal(resumption.of([BATCH]), undefined);
});

test('heads are short where the region has a part of the batch in this layout', () => {
  const { resumption } = cutWhileSending(ANSWER);
  assert.equal(resumption.sending(BATCH, LAYOUT), 'full');
  const chunks = new ChunkBitmap(4);
  resumption.told(BATCH, chunks);
  assert.equal(resumption.sending(BATCH, LAYOUT), 'full', 'nothing is there');
  chunks.add(0);
  resumption.told(BATCH, chunks);
  assert.equal(resumption.sending(BATCH, LAYOUT), 'short');
  assert.equal(resumption.sending(BATCH, { ...LAYOUT, total: 5 }), 'full', 'cut anew');
});

describe('brief topics', () => {
  const BRIEF: DownHello = { ...ANSWER, brief: true };

  /** Something of the batch is there. */
  function cutInTheMidst(): ReturnType<typeof cutWhileSending> {
    const made = cutWhileSending(BRIEF);
    const chunks = new ChunkBitmap(LAYOUT.total);
    chunks.add(0);
    made.resumption.told(BATCH, chunks);
    return made;
  }

  /** A session that was cut with a brief chunk on its way, and what is there says the next one. */
  function cutWithBrief(resumption: Resumption, there: number): void {
    resumption.sending(BATCH, LAYOUT);
    resumption.ended(true);
    const chunks = new ChunkBitmap(LAYOUT.total);
    for (let index = 0; index < there; index++) chunks.add(index);
    resumption.told(BATCH, chunks);
  }

  test('are used where the region hears them', () => {
    const { resumption } = cutInTheMidst();
    assert.equal(resumption.shortest, 'brief');
    resumption.greeted(ANSWER);
    assert.equal(resumption.shortest, 'short');
  });

  test('that bring no answer are left for a day, and for the longer ones first', async () => {
    const { clock, resumption } = cutInTheMidst();
    assert.ok(resumption.of([BATCH]) !== undefined);
    assert.equal(resumption.sending(BATCH, LAYOUT), 'brief');
    resumption.unanswered();
    resumption.ended(true);
    resumption.greeted(BRIEF);
    assert.equal(resumption.shortest, 'short');
    await clock.advance(24 * 3_600_000);
    resumption.greeted(BRIEF);
    assert.equal(resumption.shortest, 'brief');
  });

  test('that end every session are left for a day; those that get through now and then are not', () => {
    const { resumption } = cutInTheMidst();
    for (const there of [1, 1, 2, 2, 2, 2]) cutWithBrief(resumption, there);
    assert.equal(resumption.shortest, 'brief');
    cutWithBrief(resumption, 2);
    assert.equal(resumption.shortest, 'short');
  });
});
