import assert from 'node:assert/strict';
import { test } from 'vitest';

import { decodeHlc, encodeHlc, HlcClock } from '../../../src/model/hlc.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { fromHex } from '../../support/made/hex.ts';

test('48 bits of milliseconds, then 16 of counter, big-endian', () => {
  assert.deepEqual(encodeHlc({ ms: 0x010203040506, counter: 0x0708 }), fromHex('0102030405060708'));
  assert.equal(decodeHlc(new Uint8Array(7)), undefined);
});

test('the counter counts within a millisecond and starts again with the next', async () => {
  const clock = new SimClock(1_000);
  const hlc = new HlcClock(clock);
  assert.deepEqual(hlc.next(), { ms: 1_000, counter: 0 });
  assert.deepEqual(hlc.next(), { ms: 1_000, counter: 1 });
  await clock.advance(1);
  assert.deepEqual(hlc.next(), { ms: 1_001, counter: 0 });
});

test('a full counter borrows the next millisecond', () => {
  const hlc = new HlcClock(new SimClock(1_000), { ms: 1_000, counter: 0xffff });
  assert.deepEqual(hlc.next(), { ms: 1_001, counter: 0 });
  assert.deepEqual(hlc.next(), { ms: 1_001, counter: 1 });
});

test('a hub that boots in 1970 goes on after what its journal holds', () => {
  const hlc = new HlcClock(new SimClock(0, 'unknown'), { ms: 1_800_000_000_000, counter: 5 });
  assert.deepEqual(hlc.next(), { ms: 1_800_000_000_000, counter: 6 });
});

test('a wall clock before 1970 counts as 1970', () => {
  assert.deepEqual(new HlcClock(new SimClock(-5)).next(), { ms: 0, counter: 1 });
});

test('a moment that is too far ahead is believed on the word of who knows the time better', () => {
  const hlc = new HlcClock(new SimClock(0, 'unknown'));
  const seen = { ms: 1_800_000_000_000, counter: 3 };
  hlc.observe(seen);
  assert.deepEqual(hlc.last, { ms: 0, counter: 0 });
  hlc.observe(seen, seen.ms);
  assert.deepEqual(hlc.next(), { ms: seen.ms, counter: 4 });
});
