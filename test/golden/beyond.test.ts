/** What a device has behind gaps (sync/PROTOCOL.md §4), as it was first written. The file is never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { bytesOfHex, hexOf } from '../../src/base/bytes.ts';
import { laneOf } from '../../src/model/origin.ts';
import type { RangesByLane } from '../../src/model/seq-ranges.ts';
import { encodeBeyond, readBeyond } from '../../src/protocol/beyond.ts';
import { DEVICE_A, DEVICE_B } from '../support/made/ops.ts';

const kept = JSON.parse(
  readFileSync(join(import.meta.dirname, 'beyond-1.json'), 'utf8'),
) as Readonly<Record<'beyond', string>>;

const beyond: RangesByLane = new Map([
  [laneOf(DEVICE_A, 2), [{ from: 9, to: 20 }]],
  [
    laneOf(DEVICE_B, 3),
    [
      { from: 3, to: 3 },
      { from: 300, to: 70_000 },
    ],
  ],
]);

test('is written and read as ever', () => {
  assert.equal(hexOf(encodeBeyond(beyond) ?? new Uint8Array()), kept.beyond);
  assert.deepEqual(readBeyond(bytesOfHex(kept.beyond) as Uint8Array), beyond);
});
