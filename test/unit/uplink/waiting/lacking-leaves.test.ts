import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SKIPPED_LEAVES_MAX } from '../../../../src/batch/limits.ts';
import { BULK, TELEMETRY } from '../../../../src/model/class.ts';
import type { HistoryLog } from '../../../../src/uplink/ports.ts';
import { LackingLeaves } from '../../../../src/uplink/waiting/lacking-leaves.ts';

/** Tells stretches instead of hashes. */
function lackingOf(witnessedSize: number): {
  readonly lacking: LackingLeaves;
  readonly asked: (readonly [number, number])[];
} {
  const asked: (readonly [number, number])[] = [];
  const history = {
    witnessedSize: () => witnessedSize,
    leaves: (_class: number, first: number, until: number) => {
      asked.push([first, until]);
      return new Uint8Array(32 * (until - first));
    },
  };
  return { lacking: new LackingLeaves(history as unknown as HistoryLog), asked };
}

test('leaves are told behind a receipt without a witness: from its last word, then from the start, then no more', () => {
  const { lacking, asked } = lackingOf(40);
  assert.equal(lacking.next(BULK, 60), undefined, 'nothing is known to be lacking');
  for (const until of [60, 70, 80]) {
    lacking.placed(BULK, false);
    lacking.next(BULK, until);
    assert.equal(lacking.next(BULK, until), undefined, 'once for each receipt');
  }
  lacking.placed(BULK, true);
  lacking.lost(BULK);
  lacking.next(BULK, 90);
  assert.equal(lacking.next(TELEMETRY, 90), undefined);
  assert.deepEqual(asked, [
    [40, 60],
    [0, 70],
    [40, 90],
  ]);
});

test('no more than a manifest holds, and not none', () => {
  const { lacking, asked } = lackingOf(40);
  for (const until of [40, 41 + SKIPPED_LEAVES_MAX]) {
    lacking.placed(BULK, false);
    assert.equal(lacking.next(BULK, until), undefined);
  }
  lacking.placed(BULK, true);
  lacking.lost(BULK);
  assert.equal(lacking.next(BULK, 40 + SKIPPED_LEAVES_MAX)?.length, 32 * SKIPPED_LEAVES_MAX);
  assert.deepEqual(asked, [[40, 40 + SKIPPED_LEAVES_MAX]]);
});

test('without a ledger there is nothing to tell', () => {
  const lacking = new LackingLeaves(undefined);
  lacking.lost(BULK);
  assert.equal(lacking.next(BULK, 10), undefined);
});
