import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { topicMatches } from '../../../src/model/topic.ts';
import { Acl, covers, type Principal } from '../../../src/security/acl.ts';

const device: Principal = { name: 'meter7', role: 'device', clientId: 'c7' };
const technician: Principal = { name: 'ana', role: 'technician', clientId: 'phone' };
const operator: Principal = { name: 'root', role: 'operator', clientId: 'desk' };
const acl = new Acl([]);

test('a device has its own topics and hears the hub, and nothing else', () => {
  for (const topic of ['devices/meter7/energy', 'devices/meter7', 'sync/meter7/ops']) {
    assert.ok(acl.mayPublish(device, topic) && acl.mayRead(device, topic), topic);
  }
  assert.ok(acl.mayRead(device, 'hub/#') && acl.mayRead(device, 'devices/meter7/+'));
  for (const topic of ['devices/meter8/energy', 'sync/meter8/ops', 'alarms/x', 'hub/power']) {
    assert.ok(!acl.mayPublish(device, topic), topic);
  }
  for (const filter of ['#', '+/meter7/#', 'devices/#', 'devices/+', 'sync/+/receipt', '$SYS/#']) {
    assert.ok(!acl.mayRead(device, filter), filter);
  }
});

test('people see all but the sync topics of others, and only the hub speaks on hub/ and $SYS/', () => {
  assert.ok(acl.mayRead(technician, '#') && acl.mayRead(technician, '$SYS/#'));
  assert.ok(acl.mayPublish(technician, 'devices/meter7/set') && !acl.mayPublish(technician, 'x'));
  assert.ok(!acl.mayPublish(technician, 'alarms/x') && acl.mayPublish(operator, 'alarms/x'));
  assert.ok(acl.mayPublish(operator, 'x') && acl.mayPublish(operator, 'sync/root/ops'));
  for (const who of [technician, operator]) {
    assert.ok(!acl.mayRead(who, 'sync/meter7/receipt') && !acl.mayRead(who, 'sync/#'));
    for (const topic of ['sync/meter7/ops', 'sync', 'hub/power', 'hub', '$SYS/x']) {
      assert.ok(!acl.mayPublish(who, topic), topic);
    }
  }
});

test('grants widen a user or a role, with %u and %c filled in', () => {
  const granted = new Acl([
    { user: 'meter7', role: '', publish: ['alarms/%u/%c'], read: [] },
    { user: '', role: 'device', publish: [], read: ['weather/#'] },
  ]);
  assert.ok(granted.mayPublish(device, 'alarms/meter7/c7'));
  assert.ok(!granted.mayPublish(device, 'alarms/meter7/other'));
  assert.ok(granted.mayRead(device, 'weather/+/rain'));
  assert.ok(!granted.mayPublish({ ...device, name: 'meter8' }, 'alarms/meter8/c7'));
});

test.each(['+', '#', 'a/b', '', '%u'])('client id %j widens no pattern', (clientId) => {
  const granted = new Acl([{ user: 'meter7', role: '', publish: [], read: ['rooms/%c/x'] }]);
  const who = { ...device, clientId };
  for (const filter of ['rooms/+/x', 'rooms/#', `rooms/${clientId}/x`, 'rooms/meter7/x']) {
    assert.ok(!granted.mayRead(who, filter), filter);
  }
});

test.each(['+', '#', '%c'])('user name %j widens no pattern', (name) => {
  const granted = new Acl([{ user: '', role: 'device', publish: [], read: ['rooms/%u/x'] }]);
  for (const filter of ['rooms/+/x', 'rooms/#', `rooms/${name}/x`, 'devices/meter8/x']) {
    assert.ok(!granted.mayRead({ ...device, name }, filter), filter);
  }
});

test('a name with $-signs is filled in as it is', () => {
  const granted = new Acl([{ user: '', role: 'device', publish: [], read: ['rooms/%c'] }]);
  assert.ok(granted.mayRead({ ...device, clientId: "$&$'" }, "rooms/$&$'"));
});

const level = fc.constantFrom('a', 'b', '', '$x');
const anyTopic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const anyFilter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 3 }), fc.boolean())
  .map(([levels, open]) => [...levels, ...(open || levels.length === 0 ? ['#'] : [])].join('/'));

test('what a pattern covers, it matches: no topic of a granted filter lies outside the pattern', () => {
  fc.assert(
    fc.property(anyFilter, anyFilter, anyTopic, (pattern, filter, topic) => {
      if (!covers(pattern, filter) || !topicMatches(filter, topic)) return;
      assert.ok(topicMatches(pattern, topic), `${pattern} covers ${filter}, misses ${topic}`);
    }),
    { numRuns: 2000 },
  );
});

test('a pattern covers a topic exactly where it matches it', () => {
  fc.assert(
    fc.property(anyFilter, anyTopic, (pattern, topic) => {
      assert.equal(covers(pattern, topic), topicMatches(pattern, topic));
    }),
    { numRuns: 2000 },
  );
});
