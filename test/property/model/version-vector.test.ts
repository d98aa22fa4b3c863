/** Version vectors are a lattice: join is its least upper bound, covers its order. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import {
  covers,
  joinVectors,
  seqIn,
  type VersionVector,
} from '../../../src/model/version-vector.ts';
import { anyVector } from '../../support/made/arbitrary.ts';

const equal = (a: VersionVector, b: VersionVector): boolean => covers(a, b) && covers(b, a);

test('join is commutative, associative and idempotent', () => {
  fc.assert(
    fc.property(anyVector, anyVector, anyVector, (a, b, c) => {
      assert.ok(equal(joinVectors(a, b), joinVectors(b, a)));
      assert.ok(equal(joinVectors(joinVectors(a, b), c), joinVectors(a, joinVectors(b, c))));
      assert.ok(equal(joinVectors(a, a), a));
      assert.ok(equal(joinVectors(a, new Map()), a));
    }),
  );
});

test('the join covers both, and whatever covers both covers the join', () => {
  fc.assert(
    fc.property(anyVector, anyVector, anyVector, (a, b, c) => {
      const joined = joinVectors(a, b);
      assert.ok(covers(joined, a) && covers(joined, b));
      if (covers(c, a) && covers(c, b)) assert.ok(covers(c, joined));
    }),
  );
});

test('covers is a partial order', () => {
  fc.assert(
    fc.property(anyVector, anyVector, anyVector, (a, b, c) => {
      assert.ok(covers(a, a));
      if (covers(a, b) && covers(b, c)) assert.ok(covers(a, c));
      if (covers(a, b) && covers(b, a)) assert.ok(equal(a, b));
    }),
  );
});

test('a lane at 0 and an absent lane are the same', () => {
  fc.assert(
    fc.property(anyVector, (vector) => {
      const without = new Map([...vector].filter(([, seq]) => seq > 0));
      assert.ok(equal(vector, without));
      for (const lane of vector.keys()) assert.equal(seqIn(without, lane), seqIn(vector, lane));
    }),
  );
});
