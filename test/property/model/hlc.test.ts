/** Laws of the hybrid logical clock, whatever the wall clock does. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { compareBytes } from '../../../src/base/bytes.ts';
import {
  compareHlc,
  decodeHlc,
  DRIFT_MS_MAX,
  effectiveHlc,
  encodeHlc,
  HlcClock,
} from '../../../src/model/hlc.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { anyHlc } from '../../support/made/arbitrary.ts';

const NOW_MS = Date.UTC(2026, 2, 1);
const anyWallMs = fc.integer({ min: 0, max: 2 * NOW_MS });
const nearMs = fc.integer({ min: NOW_MS - 1_000_000, max: NOW_MS + 1_000_000 });
const nearHlc = fc.tuple(anyHlc, nearMs).map(([hlc, ms]) => ({ ...hlc, ms }));

test('moments survive their 8 bytes, whose order is the order of time', () => {
  fc.assert(
    fc.property(anyHlc, anyHlc, (a, b) => {
      assert.deepEqual(decodeHlc(encodeHlc(a)), a);
      const order = Math.sign(compareHlc(a, b));
      assert.equal(order, Math.sign(compareBytes(encodeHlc(a), encodeHlc(b))));
    }),
  );
});

test('every moment is later than all that were issued or believed before, though the clock jump', () => {
  const step = fc.oneof(
    fc.record({ jump: anyWallMs }),
    fc.record({ seen: fc.oneof(nearHlc, anyHlc) }),
    fc.constant('next' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new SimClock(NOW_MS);
      const hlc = new HlcClock(clock);
      let latest = hlc.next();
      for (const taken of steps) {
        if (taken === 'next') {
          const moment = hlc.next();
          assert.ok(compareHlc(moment, latest) > 0);
          latest = moment;
        } else if ('jump' in taken) clock.jumpWall(taken.jump, 'ntp');
        else {
          const isBelieved = taken.seen.ms <= clock.wallMs() + DRIFT_MS_MAX;
          hlc.observe(taken.seen);
          if (isBelieved && compareHlc(taken.seen, latest) > 0) latest = taken.seen;
        }
        assert.deepEqual(hlc.last, latest);
      }
    }),
  );
});

test('a moment beyond the drift limit leaves the clock where it was', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (aheadMs) => {
      const hlc = new HlcClock(new SimClock(NOW_MS));
      const before = hlc.last;
      hlc.observe({ ms: NOW_MS + DRIFT_MS_MAX + aheadMs, counter: 0 });
      assert.deepEqual(hlc.last, before);
      hlc.observe({ ms: NOW_MS + DRIFT_MS_MAX, counter: 9 });
      assert.deepEqual(hlc.last, { ms: NOW_MS + DRIFT_MS_MAX, counter: 9 });
    }),
  );
});

test('the time that counts is never beyond the drift limit after the stamp', () => {
  fc.assert(
    fc.property(anyHlc, anyHlc, (own, stamp) => {
      const counted = effectiveHlc(own, stamp);
      assert.ok(counted.ms <= stamp.ms + DRIFT_MS_MAX);
      assert.ok(counted === own || counted === stamp);
      if (own.ms <= stamp.ms + DRIFT_MS_MAX) assert.equal(counted, own);
    }),
  );
});
