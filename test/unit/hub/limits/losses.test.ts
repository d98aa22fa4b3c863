import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Losses } from '../../../../src/hub/limits/losses.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { NOON_MS } from '../../../support/made/status.ts';

const NOTHING = {
  dropped: 0,
  cut: 0,
  notRetained: 0,
  slowClient: '',
  sessions: 0,
  sessionsRefused: 0,
};

test('messages that gave way are a fault that names the client, until none has for two minutes', async () => {
  const clock = new SimClock(NOON_MS);
  const losses = new Losses(clock);
  const told = (stat: Partial<typeof NOTHING>): string[] =>
    losses.faults({ ...NOTHING, ...stat }).map(({ code, message }) => `${code}: ${message}`);
  assert.deepEqual(told({}), []);
  const slow = { dropped: 3, cut: 4, slowClient: 'tablet-2' };
  const said = ['broker.slow-client: 7 messages gave way so far, the last one of tablet-2'];
  assert.deepEqual(told(slow), said);
  await clock.advance(119_999);
  assert.deepEqual(told(slow), said);
  await clock.advance(1);
  assert.deepEqual(told(slow), []);
  assert.equal(told({ ...slow, cut: 5 }).length, 1);
});

test('what found no room among the retained messages is a fault as well', () => {
  const losses = new Losses(new SimClock(NOON_MS));
  const [fault] = losses.faults({ ...NOTHING, notRetained: 2 });
  assert.equal(fault?.code, 'broker.retained-full');
  assert.equal(fault.message, '2 messages were delivered and not retained so far');
});

test('devices that find no room for their session are a fault as well', () => {
  const losses = new Losses(new SimClock(NOON_MS));
  const [fault] = losses.faults({ ...NOTHING, sessions: 10, sessionsRefused: 3 });
  assert.equal(fault?.code, 'broker.sessions-full');
  assert.equal(fault.message, '10 sessions are kept, 3 attempts were turned away so far');
});
