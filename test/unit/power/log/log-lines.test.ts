/** Figures of the sync log: no more digits than mean something, and no session that is told to cost nothing. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { pastSessions, rounded } from '../../../../src/power/log/log-lines.ts';

test('two digits behind the point, and small figures do not become nothing', () => {
  const facts = { batteryV: 13.4567, sessionWh: 0.001, recordWh: -0.0456, spillWh: 0, why: 'sun' };
  const told = { batteryV: 13.46, sessionWh: 0.001, recordWh: -0.046, spillWh: 0, why: 'sun' };
  assert.deepEqual(rounded(facts), told);
});

test('a day has the sessions of that day alone, also at a hub that wakes up in 1970', () => {
  const at = ['2026-11-26T23:59:59Z', '2026-11-27T00:00:00Z', '2026-11-27T23:59:59Z'];
  const lines = at.map((it, index) => {
    return { at: it, clock: 'ntp', event: 'session.close', bytes: index } as const;
  });
  const bytesOf = (wallMs: number): number[] =>
    pastSessions(lines, wallMs).map(({ linkBytes }) => linkBytes);
  assert.deepEqual(bytesOf(Date.UTC(2026, 10, 27, 12)), [1, 2]);
  assert.deepEqual(bytesOf(Date.UTC(2026, 10, 28)), []);
  assert.deepEqual(bytesOf(60_000), []);
});
