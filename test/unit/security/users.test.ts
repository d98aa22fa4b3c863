import assert from 'node:assert/strict';
import { test } from 'vitest';

import { must } from '../../../src/base/assert.ts';
import { textOf, utf8 } from '../../../src/base/bytes.ts';
import { HubError } from '../../../src/base/errors.ts';
import { createLog } from '../../../src/base/log.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { isPassword, isPayable, makePassword } from '../../../src/security/passwords.ts';
import {
  addUser,
  isUserName,
  readUsers,
  removeUser,
  UserDirectory,
} from '../../../src/security/users.ts';
import { MemoryFiles } from '../../support/memory/memory-files.ts';

const PATH = 'data/users.json';

function rejectsWith(code: string) {
  return (error: unknown): boolean => error instanceof HubError && error.code === code;
}

function filesWith(text: string): MemoryFiles {
  const files = new MemoryFiles();
  files.replace(PATH, utf8(text));
  return files;
}

function simulated(seed: number) {
  const random = new SeededRandom(seed);
  return { files: new SimFiles({ random }), random, timers: new SimClock(0) };
}

test('a user is added with a password that only its printing knows', async () => {
  const machine = simulated(1);
  const { files } = machine;
  const meter: { name: string; role: 'device' } = { name: 'meter7', role: 'device' };
  const password = await addUser(machine, 'data', meter);
  assert.match(password, /^([a-z0-9]{5}-){4}[a-z0-9]{5}$/);
  const user = must(readUsers(files, 'data').get('meter7'), 'it was added');
  assert.equal(user.role, 'device');
  assert.equal(await isPassword(password, user), true);
  assert.equal(await isPassword(`${password}x`, user), false);
  assert.doesNotMatch(textOf(must(files.read(PATH), 'written')) ?? '', new RegExp(password));
});

test('two users never share a salt, and passwords do not repeat', async () => {
  const machine = simulated(2);
  const a = await addUser(machine, 'data', { name: 'a', role: 'device' });
  const b = await addUser(machine, 'data', { name: 'b', role: 'operator' });
  const users = readUsers(machine.files, 'data');
  assert.notEqual(a, b);
  assert.notEqual(users.get('a')?.salt, users.get('b')?.salt);
});

test('adding twice and removing a stranger are refused by name', async () => {
  const machine = simulated(3);
  await addUser(machine, 'data', { name: 'a', role: 'device' });
  const again = addUser(machine, 'data', { name: 'a', role: 'operator' });
  await assert.rejects(again, rejectsWith('user.exists'));
  await assert.rejects(removeUser(machine, 'data', 'b'), rejectsWith('user.unknown'));
  await removeUser(machine, 'data', 'a');
  assert.equal(readUsers(machine.files, 'data').size, 0);
});

test.each(['', 'a/b', 'a+', '#', '%u', '-a', 'a b', 'ä', 'x'.repeat(65)])(
  'user name %j is refused',
  (name) => {
    assert.equal(isUserName(name), false);
  },
);

test.each([
  ['nothing in it', ''],
  ['not JSON', '{'],
  ['another shape', '{"version":1}'],
  ['a name with a wildcard', '{"version":1,"users":[{"name":"#","role":"device"}]}'],
  ['an unknown role', userRow({ role: 'king' })],
  ['a hash that is no hex', userRow({ hash: 'zz' })],
  ['a cost beyond the memory of a small hub', userRow({ cost: { n: 2 ** 24, r: 8, p: 1 } })],
])('a file with %s is refused as unreadable', (_, text) => {
  assert.throws(() => readUsers(filesWith(text), 'data'), rejectsWith('data.unreadable'));
});

test('a file of a newer version says so', () => {
  const files = filesWith('{"version":2,"users":[]}');
  assert.throws(() => readUsers(files, 'data'), rejectsWith('data.newer'));
});

function userRow(change: object): string {
  const salt = '00'.repeat(16);
  const row = { name: 'a', role: 'device', cost: { n: 4096, r: 8, p: 1 }, salt, hash: salt };
  return JSON.stringify({ version: 1, users: [{ ...row, ...change }] });
}

test('scrypt costs that do not exist are refused', () => {
  assert.equal(isPayable({ n: 4096, r: 8, p: 1 }), true);
  for (const cost of [
    { n: 4095, r: 8, p: 1 },
    { n: 1, r: 8, p: 1 },
    { n: 4096, r: 0, p: 1 },
    { n: 4096, r: 8, p: 1.5 },
  ]) {
    assert.equal(isPayable(cost), false);
  }
});

test('the running hub follows the file, and keeps its users where the file turns into nonsense', async () => {
  const random = new SeededRandom(4);
  const files = new SimFiles({ random });
  const clock = new SimClock(0);
  const lines: string[] = [];
  const log = createLog(clock, 'info', (line) => lines.push(line));
  const directory = UserDirectory.open({ files, dataDir: 'data', timers: clock, log });
  assert.equal(directory.size, 0);

  await addUser({ files, random, timers: clock }, 'data', { name: 'a', role: 'device' });
  const before = directory.revision;
  await clock.advance(2500);
  assert.equal(directory.get('a')?.role, 'device');
  assert.ok(directory.revision > before);

  files.replace(PATH, utf8('{"version":1,'));
  await clock.advance(10_000);
  assert.equal(directory.get('a')?.role, 'device');
  assert.equal(lines.filter((line) => line.includes('users-unreadable')).length, 1);

  directory.close();
  files.replace(PATH, utf8('{"version":1,"users":[]}'));
  await clock.advance(10_000);
  assert.equal(directory.size, 1);
});

test('a hub does not start on a damaged file of users', () => {
  const clock = new SimClock(0);
  const log = createLog(clock, 'info', () => undefined);
  assert.throws(
    () => UserDirectory.open({ files: filesWith('x'), dataDir: 'data', timers: clock, log }),
    rejectsWith('data.unreadable'),
  );
});

test('passwords use all 32 signs about equally', () => {
  const random = new SeededRandom(5);
  const counts = new Map<string, number>();
  for (let i = 0; i < 400; i++) {
    for (const sign of makePassword(random).replaceAll('-', '')) {
      counts.set(sign, (counts.get(sign) ?? 0) + 1);
    }
  }
  assert.equal(counts.size, 32);
  assert.ok(Math.min(...counts.values()) > 200 && Math.max(...counts.values()) < 450);
});
