import assert from 'node:assert/strict';
import { test } from 'vitest';

import { takenIn } from '../../../../src/status/http/taken.ts';

test('what a client names, without what it never takes [RFC 9110 §12.4.2]', () => {
  const header = 'text/csv;q=0, Text/HTML; level=1; q=0.5,application/json;q=0.000,*/*;Q=0.01';
  assert.deepEqual(takenIn(header), ['text/html', '*/*']);
  assert.deepEqual(takenIn('gzip;q=0'), []);
  assert.deepEqual(takenIn(''), ['']);
});
