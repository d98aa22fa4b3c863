/** How long wrong passwords keep somebody out, and what that may cost in memory. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SimClock } from '../../../src/platform/sim/clock.ts';
import { LoginLimit } from '../../../src/security/login-limit.ts';

const HERE = 'mqtt 192.0.2.7:50000';

function fail(limit: LoginLimit, user: string, times: number): void {
  for (let done = 0; done < times; done++) limit.failed(HERE, user);
}

test('after ten minutes without a try all is forgotten, after nine nothing', async () => {
  const clock = new SimClock(0);
  const limit = new LoginLimit(clock);
  for (const [minutes, isBlocked] of [
    [9, true],
    [11, false],
  ] as const) {
    fail(limit, 'ana', 4);
    await clock.advance(minutes * 60_000);
    limit.failed(HERE, 'ana');
    assert.equal(limit.isBlocked(HERE, 'ana'), isBlocked, `${minutes} min`);
    limit.succeeded(HERE, 'ana');
  }
});

test('a right password in between does not buy an address more guesses at others', () => {
  const limit = new LoginLimit(new SimClock(0));
  for (let user = 0; user < 50; user++) {
    limit.failed(HERE, `user-${user}`);
    limit.succeeded(HERE, 'own');
  }
  assert.ok(limit.isBlocked(HERE, 'another'));
  assert.ok(!limit.isBlocked('mqtt 192.0.2.8:50000', 'another'));
});

test('a flood of names and addresses is remembered up to a limit: the oldest go', () => {
  const limit = new LoginLimit(new SimClock(0));
  fail(limit, 'ana', 5);
  assert.ok(limit.isBlocked(HERE, 'ana'));
  for (let index = 0; index < 10_000; index++) limit.failed(`mqtt host-${index}:1`, 'x');
  assert.ok(!limit.isBlocked(HERE, 'ana'), 'forgotten');
});

test('who tries again and again is remembered before who tried long ago', () => {
  const limit = new LoginLimit(new SimClock(0));
  fail(limit, 'ana', 5);
  for (let index = 0; index < 9_990; index++) limit.failed(`mqtt host-${index % 4_995}:1`, 'x');
  limit.failed(HERE, 'ana');
  for (let index = 0; index < 20; index++) limit.failed(`mqtt late-${index}:1`, 'x');
  assert.ok(limit.isBlocked(HERE, 'ana'));
});

test('the wait doubles with each failure, up to a minute', async () => {
  const clock = new SimClock(0);
  const limit = new LoginLimit(clock);
  fail(limit, 'ana', 4);
  assert.ok(!limit.isBlocked(HERE, 'ana'), 'four are free');
  for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
    limit.failed(HERE, 'ana');
    await clock.advance(seconds * 1_000 - 1);
    assert.ok(limit.isBlocked(HERE, 'ana'), `${seconds} s`);
    await clock.advance(1);
    assert.ok(!limit.isBlocked(HERE, 'ana'), `${seconds} s`);
  }
  fail(limit, 'ana', 2_000);
  await clock.advance(60_000);
  assert.ok(!limit.isBlocked(HERE, 'ana'));
});
