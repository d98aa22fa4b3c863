import assert from 'node:assert/strict';
import { test } from 'vitest';

import { assert as check, AssertionError, must, unreachable } from '../../../src/base/assert.ts';
import { FAULTS, HubError, messageOf, systemCode } from '../../../src/base/errors.ts';

test('a fault carries its code, the hint for the person on site, and its cause', () => {
  const cause = new Error('low-level');
  const fault = new HubError('data.locked', 'held by 42', cause);
  assert.equal(fault.code, 'data.locked');
  assert.equal(fault.hint, FAULTS['data.locked']);
  assert.equal(fault.cause, cause);
  assert.ok(!('cause' in new HubError('data.locked', 'held by 42')));
});

test('every code is dotted lower case and every hint is a sentence or two', () => {
  for (const [code, hint] of Object.entries(FAULTS)) {
    assert.match(code, /^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/);
    assert.match(hint, /^[A-Z`].*[.?)]$/, code);
  }
});

test('system codes are read only where there are some', () => {
  assert.equal(systemCode(Object.assign(new Error('x'), { code: 'ENOSPC' })), 'ENOSPC');
  assert.equal(systemCode(Object.assign(new Error('x'), { code: 28 })), undefined);
  assert.equal(systemCode(new Error('x')), undefined);
  const quota = { errno: -122, code: 'Unknown system error -122' };
  assert.equal(systemCode(Object.assign(new Error('x'), quota)), 'ENOSPC');
  assert.equal(systemCode({ code: 'ENOSPC' }), undefined);
});

test('a message comes out of whatever was thrown', () => {
  assert.equal(messageOf(new Error('no room')), 'no room');
  assert.equal(messageOf('no room'), 'no room');
});

test('assertions name what was wrong', () => {
  check(true, 'fine');
  assert.equal(must(0, 'a number'), 0);
  assert.throws(() => check(false, 'an LSN went back'), new AssertionError('an LSN went back'));
  assert.throws(() => must(undefined, 'no session'), AssertionError);
  assert.throws(() => must(null, 'no session'), AssertionError);
  assert.throws(() => unreachable('x' as never), AssertionError);
});
