import assert from 'node:assert/strict';

import { test } from 'vitest';

import { LOG, TELEMETRY } from '../../../../src/model/class.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { DEFAULT_UPLINK_LIMITS } from '../../../../src/uplink/options.ts';
import { Ripeness } from '../../../../src/uplink/waiting/ripeness.ts';
import { START_MS } from '../../../support/made/batches.ts';

test('the log travels along with data, and alone every two hours or when much of it waits', async () => {
  const clock = new SimClock(START_MS);
  const ripeness = new Ripeness(DEFAULT_UPLINK_LIMITS, clock);
  let waiting = 10;
  const outbox = { unsealedOps: () => waiting, sendable: () => [] };
  assert.deepEqual(ripeness.worthSealing([LOG], outbox), [LOG], 'the first since the start');
  ripeness.sealed(LOG);
  assert.deepEqual(ripeness.worthSealing([LOG], outbox), []);
  assert.deepEqual(ripeness.worthSealing([TELEMETRY, LOG], outbox), [TELEMETRY, LOG]);
  waiting = 512;
  assert.deepEqual(ripeness.worthSealing([LOG], outbox), [LOG]);
  waiting = 10;
  await clock.advance(2 * 3_600_000);
  assert.deepEqual(ripeness.worthSealing([LOG], outbox), [LOG]);
});

test('in a session that does not end the log is due once a minute, or when much of it waits', async () => {
  const clock = new SimClock(START_MS);
  const ripeness = new Ripeness(DEFAULT_UPLINK_LIMITS, clock);
  let waiting = 10;
  const outbox = { unsealedOps: () => waiting };
  ripeness.sealed(LOG);
  await clock.advance(59_000);
  assert.deepEqual(
    ripeness.of([LOG], outbox),
    [],
    'what it says of its own batches must not feed it',
  );
  waiting = 512;
  assert.deepEqual(ripeness.of([LOG], outbox), [LOG]);
  waiting = 10;
  await clock.advance(1_000);
  assert.deepEqual(ripeness.of([LOG], outbox), [LOG]);
});
