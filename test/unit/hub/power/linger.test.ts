/** What waits for company, and how long, by class and battery. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { loadConfig } from '../../../../src/config/config.ts';
import { Lingers } from '../../../../src/hub/power/linger.ts';
import { ALARM, LOG, RECORD, TELEMETRY } from '../../../../src/model/class.ts';

function lingersFor(...sets: string[]): Lingers {
  const outcome = loadConfig({ sets });
  assert.equal(outcome.kind, 'ok');
  return new Lingers(outcome.config.journal);
}

test('on a scarce battery telemetry waits longer, alarms and records as before', () => {
  const lingers = lingersFor('journal.linger_ms.telemetry=20', 'journal.linger_ms.scarce=1500');
  assert.equal(lingers.of(TELEMETRY), 20);
  for (const state of ['saver', 'critical', 'shutdown'] as const) {
    lingers.stateIs(state);
    assert.equal(lingers.of(TELEMETRY), 1_500);
    assert.equal(lingers.of(LOG), 1_500);
    assert.equal(lingers.of(ALARM), 0);
    assert.equal(lingers.of(RECORD), 0);
  }
  for (const state of ['normal', 'surplus', 'unknown'] as const) {
    lingers.stateIs(state);
    assert.equal(lingers.of(TELEMETRY), 20);
  }
});

test('a longer linger of the config stays', () => {
  const lingers = lingersFor('journal.linger_ms.telemetry=5000');
  lingers.stateIs('saver');
  assert.equal(lingers.of(TELEMETRY), 5_000);
});
