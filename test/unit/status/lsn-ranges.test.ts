import assert from 'node:assert/strict';
import { test } from 'vitest';

import { rangesText } from '../../../src/status/lsn-ranges.ts';

test('ranges are named as long as one can read them', () => {
  const ranges = Array.from({ length: 11 }, (_, index) => ({
    fromLsn: 10 * index + 1,
    toLsn: 10 * index + 3,
  }));
  assert.equal(rangesText(ranges.slice(0, 2)), '1 to 3, 11 to 13');
  assert.equal(rangesText([{ fromLsn: 7, toLsn: 7 }]), '7');
  assert.equal(rangesText([{ fromLsn: 0, toLsn: 7 }]), '… to 7');
  assert.match(rangesText(ranges), /, 71 to 73 and 3 more$/);
});
