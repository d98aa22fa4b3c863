import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import { Replica } from '../../src/client/view/replica.ts';
import { fold } from '../../src/merge/fold.ts';
import { digestOf } from '../../src/merge/state/digest.ts';
import { MemoryState } from '../../src/merge/state/memory-state.ts';
import { LOG } from '../../src/model/class.ts';
import type { DeltaItem } from '../../src/protocol/delta-message.ts';
import { sha256Hasher } from '../../src/store/sha256-hasher.ts';
import { anyShuffledHistory } from '../support/made/histories.ts';

describe('what a device holds', () => {
  it('is the pure fold of what its pages brought, however they were cut', () => {
    fc.assert(
      fc.property(anyShuffledHistory, fc.integer({ min: 1, max: 20 }), (histories, pageItems) => {
        const memory = new MemoryState();
        for (const op of histories.history) fold(memory, op);
        const replica = new Replica();
        const items = histories.shuffled
          // A hub sends none of class log.
          .filter(({ op }) => op.class !== LOG)
          .map((stamped): DeltaItem => ({ type: 'op', stamped }));
        for (let at = 0; at < items.length; at += pageItems) {
          replica.take({ items: items.slice(at, at + pageItems), lanes: new Map() });
        }
        const [here, wanted] = [replica.state, memory].map((state) =>
          hexOf(digestOf(state, sha256Hasher()).digest),
        );
        assert.equal(here, wanted);
      }),
      { numRuns: 200 },
    );
  });
});
