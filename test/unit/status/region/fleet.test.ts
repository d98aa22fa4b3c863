/** What the fleet page tells of a hub, from the lines of its log. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { fleetWordOf } from '../../../../src/status/region/fleet.ts';

test('the newest line tells the figures, the newest decision the sentence', () => {
  const hub = fleetWordOf([
    { at: '2026-03-01T10:00:00.000Z', event: 'decision', state: 'saver', why: 'photos wait' },
    {
      at: '2026-03-01T11:00:00.000Z',
      clock: 'ntp',
      event: 'batch.sent',
      state: 'normal',
      socPct: 61,
      backlog: {
        bulk: { ops: 2, bytes: 500, oldestS: 60 },
        record: { ops: 1, bytes: 20, oldestS: 90 },
        log: { ops: 9, bytes: 900, oldestS: 9_000 },
      },
    },
  ]);
  assert.deepEqual(hub, {
    saidAt: '2026-03-01T11:00:00.000Z',
    clock: 'ntp',
    state: 'normal',
    socPct: 61,
    backlog: { ops: 3, bytes: 520, oldestS: 90 },
    why: 'photos wait',
    faults: [],
  });
});

test('faults of the last day, newest first, each once', () => {
  const fault = (at: string, why: string) => ({ at, event: 'fault', why });
  const { faults } = fleetWordOf([
    fault('2026-02-27T10:00:00Z', 'long gone'),
    fault('2026-03-01T09:00:00Z', 'no link'),
    fault('2026-03-01T10:00:00Z', 'card slow'),
    fault('2026-03-01T10:30:00Z', 'no link'),
    { at: '2026-03-01T11:00:00Z', event: 'decision' },
  ]);
  assert.deepEqual(faults, ['no link', 'card slow']);
});

test('a hub that has said nothing, or nonsense, is shown as unknown', () => {
  for (const lines of [
    [],
    [{ at: 7, event: [], backlog: 'x', socPct: '9' }],
    [{ backlog: { bulk: 1 } }],
  ]) {
    const hub = fleetWordOf(lines);
    assert.equal(hub.state, null);
    assert.equal(hub.socPct, null);
    assert.deepEqual(hub.backlog, { ops: 0, bytes: 0, oldestS: 0 });
  }
});
