/** Figures of the sync log: no more digits than mean something, and no session that is told to cost nothing. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { rounded } from '../../../../src/power/log/log-lines.ts';

test('two digits behind the point, and small figures do not become nothing', () => {
  const facts = { batteryV: 13.4567, sessionWh: 0.001, recordWh: -0.0456, spillWh: 0, why: 'sun' };
  const told = { batteryV: 13.46, sessionWh: 0.001, recordWh: -0.046, spillWh: 0, why: 'sun' };
  assert.deepEqual(rounded(facts), told);
});
