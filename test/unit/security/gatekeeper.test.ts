import assert from 'node:assert/strict';
import { beforeAll, test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { HubError, type FaultCode } from '../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { Acl } from '../../../src/security/acl.ts';
import { OPEN_GATEKEEPER, PasswordGatekeeper } from '../../../src/security/gatekeeper.ts';
import { checkListening, isLoopback } from '../../../src/security/listening.ts';
import { hashPassword } from '../../../src/security/passwords.ts';
import { readSecret } from '../../../src/security/secrets.ts';
import type { User } from '../../../src/security/users.ts';
import { MemoryFiles } from '../../support/memory/memory-files.ts';

const random = new SeededRandom(7);
const secret = 'k7qfd-2m9xa';
let meter: User;

beforeAll(async () => {
  meter = { name: 'meter7', role: 'device', ...(await hashPassword(secret, random)) };
});

/** Counts how often the stored hash is looked at, which is once per hashing. */
class CountedUsers {
  readonly byName = new Map<string, User>();
  revision = 0;
  hashings = 0;

  constructor(...users: User[]) {
    for (const user of users) this.set(user);
  }

  set(user: User): void {
    const counted = {
      name: user.name,
      role: user.role,
      hash: user.hash,
      salt: user.salt,
      cost: user.cost,
    };
    Object.defineProperty(counted, 'salt', {
      enumerable: true,
      get: () => {
        this.hashings += 1;
        return user.salt;
      },
    });
    this.byName.set(user.name, counted);
    this.revision += 1;
  }

  get(name: string): User | undefined {
    return this.byName.get(name);
  }
}

function gateOf(users: CountedUsers, clock = new SimClock(0)): PasswordGatekeeper {
  return new PasswordGatekeeper({ users, acl: new Acl([]), clock, random, log: SILENT_LOG });
}

function login(username: string, password: string, remote = '192.0.2.1:5000') {
  return { clientId: 'c', username, password: utf8(password), remote };
}

test('the right password opens, all else does not', async () => {
  const gate = gateOf(new CountedUsers(meter));
  const principal = await gate.authenticate(login('meter7', secret));
  assert.deepEqual(principal, { name: 'meter7', role: 'device', clientId: 'c' });
  assert.equal(await gate.authenticate(login('meter7', 'wrong')), undefined);
  assert.equal(await gate.authenticate(login('meter8', secret)), undefined);
  assert.equal(await gate.authenticate(login('meter7', 'x'.repeat(5000))), undefined);
  assert.equal(await gate.authenticate({ clientId: 'c', remote: 'r' }), undefined);
});

test('a right login is remembered for minutes; a new password of the user ends that', async () => {
  const clock = new SimClock(0);
  const users = new CountedUsers(meter);
  const gate = gateOf(users, clock);
  for (let i = 0; i < 5; i++) assert.ok(await gate.authenticate(login('meter7', secret)));
  assert.equal(users.hashings, 1);
  await clock.advance(6 * 60_000);
  assert.ok(await gate.authenticate(login('meter7', secret)));
  assert.equal(users.hashings, 2);
  users.set({ ...meter, ...(await hashPassword('another', random)) });
  assert.equal(await gate.authenticate(login('meter7', secret)), undefined);
});

test('who guesses waits, unhashed; others behind the same address and the right one do not', async () => {
  const clock = new SimClock(0);
  const neighbour: User = { ...meter, name: 'meter8' };
  const users = new CountedUsers(meter, neighbour);
  const gate = gateOf(users, clock);
  for (let i = 0; i < 5; i++) await gate.authenticate(login('meter7', 'guess', `192.0.2.1:${i}`));
  const before = users.hashings;
  assert.equal(await gate.authenticate(login('meter7', secret)), undefined);
  assert.equal(users.hashings, before, 'nothing was hashed');
  assert.ok(await gate.authenticate(login('meter8', secret)));
  assert.ok(await gate.authenticate(login('meter7', secret, '192.0.2.2:1')));
  assert.ok(await gate.authenticate(login('meter7', secret)), 'known to be right by now');
  await clock.advance(70_000);
  assert.equal(await gate.authenticate(login('meter7', 'guess')), undefined);
});

test('one address that guesses at many users waits as a whole', async () => {
  const clock = new SimClock(0);
  const gate = gateOf(new CountedUsers(meter), clock);
  for (let i = 0; i < 50; i++) await gate.authenticate(login(`user${i}`, 'guess'));
  assert.equal(await gate.authenticate(login('meter7', secret)), undefined);
  await clock.advance(70_000);
  assert.ok(await gate.authenticate(login('meter7', secret)));
});

test('a storm of logins is served, two at a time', async () => {
  const storm = Array.from({ length: 40 }, (_, i): User => ({ ...meter, name: `m${i}` }));
  const gate = gateOf(new CountedUsers(...storm));
  const all = await Promise.all(storm.map((user) => gate.authenticate(login(user.name, secret))));
  assert.ok(all.every((principal) => principal !== undefined));
});

test('rights follow the file: a removed user has none, a new role counts at once', async () => {
  const users = new CountedUsers(meter);
  const gate = gateOf(users);
  const who = await gate.authenticate(login('meter7', secret));
  assert.ok(who);
  assert.ok(gate.mayPublish(who, 'devices/meter7/x') && !gate.mayRead(who, '#'));
  const before = gate.revision;
  users.set({ ...meter, role: 'technician' });
  assert.ok(gate.mayRead(who, '#') && gate.revision > before);
  users.byName.clear();
  assert.ok(!gate.mayPublish(who, 'devices/meter7/x'));
});

test('mode open lets all in as devices, and still protects the topics of the protocol', async () => {
  const who = await OPEN_GATEKEEPER.authenticate({ clientId: 'phone', remote: 'r' });
  assert.deepEqual(who, { name: 'phone', role: 'device', clientId: 'phone' });
  assert.ok(OPEN_GATEKEEPER.mayPublish(who, 'a/b') && OPEN_GATEKEEPER.mayRead(who, '#'));
  assert.ok(OPEN_GATEKEEPER.mayPublish(who, 'sync/phone/ops'));
  for (const topic of ['sync/other/ops', '$SYS/x', 'hub/power']) {
    assert.ok(!OPEN_GATEKEEPER.mayPublish(who, topic), topic);
  }
});

test('mode open listens on loopback only, unless it is said out loud', () => {
  const places = [
    { host: '127.0.0.1', key: 'broker.host' },
    { host: '0.0.0.0', key: 'http.host' },
  ];
  const refuses = (error: unknown): boolean =>
    error instanceof HubError && /http\.host = "0\.0\.0\.0"/.test(error.message);
  assert.throws(() => checkListening({ mode: 'open', allowOpenLan: false }, places), refuses);
  checkListening({ mode: 'open', allowOpenLan: true }, places);
  checkListening({ mode: 'password', allowOpenLan: false }, places);
  checkListening({ mode: 'open', allowOpenLan: false }, places.slice(0, 1));
});

test.each([
  ['localhost', true],
  ['127.8.0.1', true],
  ['::1', true],
  ['[::1]', true],
  ['::ffff:127.0.0.1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['127.0.0.1.example.org', false],
  ['192.168.1.2', false],
])('%s is loopback: %s', (host, expected) => {
  assert.equal(isLoopback(host), expected);
});

test('a secret comes from its file, else from the credential, and a missing file is an error', () => {
  const files = new MemoryFiles();
  files.replace('/etc/pw', utf8('from file\n'));
  files.replace('/run/cred/uplink-password', utf8('from systemd'));
  const env = { CREDENTIALS_DIRECTORY: '/run/cred' };
  const base = { files, env, credential: 'uplink-password', key: 'uplink.password_file' };
  assert.equal(readSecret({ ...base, file: '/etc/pw' }), 'from file');
  assert.equal(readSecret({ ...base, file: '' }), 'from systemd');
  assert.equal(readSecret({ ...base, file: '', credential: 'other' }), undefined);
  assert.equal(readSecret({ ...base, file: '', env: {} }), undefined);
  const isInvalid = (error: unknown): boolean =>
    error instanceof HubError && error.code === ('config.invalid' satisfies FaultCode);
  assert.throws(() => readSecret({ ...base, file: '/etc/nothing' }), isInvalid);
});
