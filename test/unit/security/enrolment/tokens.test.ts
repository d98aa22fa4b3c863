/** Tokens: once, for some minutes, for few tries, whatever the clock does. */
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { describe, test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { HubError } from '../../../../src/base/errors.ts';
import { makeKey } from '../../../../src/security/enrolment/certificate.ts';
import { enrolRequestOf } from '../../../../src/security/enrolment/desk.ts';
import type { MemberPrincipal } from '../../../../src/security/enrolment/enrolled-gatekeeper.ts';
import { makeToken } from '../../../../src/security/enrolment/tokens.ts';
import { testSite } from '../../../support/memory/site.ts';

type Site = ReturnType<typeof testSite>;

const REFUSED = (error: unknown): boolean =>
  error instanceof HubError && error.code === 'enrol.refused';
const MINUTE_MS = 60_000;

function tokenOf(
  site: Site,
  name: string,
  more: { replaces?: boolean; kind?: 'hub' } = {},
): Promise<string> {
  const wanted = { name, kind: 'device', role: 'device', minutes: 30, replaces: false } as const;
  return makeToken({ ...wanted, ...more }, site.paths, { ...site, timers: site.clock });
}

describe('a token', () => {
  test('becomes a password, once; typed in capitals and without its hyphen it is the same', async () => {
    const site = testSite();
    const token = (await tokenOf(site, 'esp-1')).toUpperCase().replace('-', ' ');
    const given = await site.desk.enrol({ name: 'esp-1', token }, 'r');
    assert.equal(given.username, 'esp-1');
    const who = await site.gatekeeper.authenticate({
      clientId: 'c',
      remote: 'r',
      username: 'esp-1',
      password: utf8(given.password ?? ''),
    });
    assert.equal(who?.name, 'esp-1');
    await assert.rejects(site.desk.enrol({ name: 'esp-1', token }, 'r'), REFUSED);
    await assert.rejects(site.openDesk().enrol({ name: 'esp-1', token }, 'r'), REFUSED);
  });

  test('becomes a certificate for the key of the device', async () => {
    const site = testSite();
    const key = createPublicKey(makeKey(site.random));
    const publicKey = key.export({ type: 'spki', format: 'pem' }).toString();
    const token = await tokenOf(site, 'meter-1');
    const given = await site.desk.enrol({ name: 'meter-1', token, publicKey }, 'r');
    assert.match(given.certificate ?? '', /BEGIN CERTIFICATE/);
    assert.equal(given.password, undefined);
    assert.equal(given.roster, undefined, 'the roster is for hubs');
  });

  test('of two that come with it at the same moment, one gets in', async () => {
    const site = testSite();
    const token = await tokenOf(site, 'esp-1');
    const outcomes = await Promise.allSettled([
      site.desk.enrol({ name: 'esp-1', token }, 'r'),
      site.desk.enrol({ name: 'esp-1', token }, 'q'),
    ]);
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  test('ends with its minutes, by the wall clock or by the time that has passed', async () => {
    const leaping = testSite();
    const a = await tokenOf(leaping, 'esp-1');
    leaping.desk.isToken('esp-1', utf8(a), 'r');
    leaping.clock.jumpWall(leaping.clock.wallMs() + 31 * MINUTE_MS, 'ntp');
    await assert.rejects(leaping.desk.enrol({ name: 'esp-1', token: a }, 'r'), REFUSED);

    const stuck = testSite(1, 0);
    const b = await tokenOf(stuck, 'esp-1');
    assert.equal(
      stuck.desk.isToken('esp-1', utf8(b), 'r'),
      true,
      'a clock at 1970 is no hindrance',
    );
    await stuck.clock.advance(31 * MINUTE_MS);
    stuck.clock.jumpWall(0, 'ntp');
    await assert.rejects(stuck.desk.enrol({ name: 'esp-1', token: b }, 'r'), REFUSED);
  });

  test('is gone after five wrong tries, also for the right one', async () => {
    const site = testSite();
    const token = await tokenOf(site, 'esp-1');
    for (let i = 0; i < 5; i++) {
      assert.equal(site.desk.isToken('esp-1', utf8(`wrong-${i}`), `192.0.2.${i}:1`), false);
    }
    await assert.rejects(site.desk.enrol({ name: 'esp-1', token }, 'r'), REFUSED);
  });

  test('does not take a name from its member, unless it was made for that', async () => {
    const site = testSite();
    const first = await tokenOf(site, 'esp-1');
    await site.desk.enrol({ name: 'esp-1', token: first }, 'r');
    const token = await tokenOf(site, 'esp-1');
    await assert.rejects(site.desk.enrol({ name: 'esp-1', token }, 'r'), {
      code: 'enrol.exists',
    });
    const again = await tokenOf(site, 'esp-1', { replaces: true });
    const given = await site.desk.enrol({ name: 'esp-1', token: again }, 'r');
    assert.equal(given.epoch, 3);
  });

  test('as an MQTT login is good for asking, and for nothing else', async () => {
    const site = testSite();
    const token = await tokenOf(site, 'esp-1');
    const who = (await site.gatekeeper.authenticate({
      clientId: 'c',
      remote: 'r',
      username: 'esp-1',
      password: utf8(token),
    })) as MemberPrincipal;
    const { gatekeeper } = site;
    assert.equal(gatekeeper.mayPublish(who, 'sync/esp-1/enrol'), true);
    assert.equal(gatekeeper.mayRead(who, 'sync/esp-1/enrolled'), true);
    assert.equal(gatekeeper.mayPublish(who, 'devices/esp-1/x'), false);
    assert.equal(gatekeeper.mayRead(who, 'hub/status'), false);
    await site.clock.advance(3 * MINUTE_MS);
    assert.equal(gatekeeper.isAdmitted(who), false);
  });

  test('for a hub asks for its key and gives it the roster', async () => {
    const site = testSite();
    const token = await tokenOf(site, 'hub-2', { kind: 'hub' });
    await assert.rejects(site.desk.enrol({ name: 'hub-2', token }, 'r'), {
      code: 'enrol.malformed',
    });
    const key = createPublicKey(makeKey(site.random));
    const publicKey = key.export({ type: 'spki', format: 'pem' }).toString();
    const given = await site.desk.enrol({ name: 'hub-2', token, publicKey, names: ['h'] }, 'r');
    assert.ok(given.roster !== undefined && given.authority !== undefined);
  });
});

test('a request is checked before it is looked at', () => {
  const malformed = [undefined, [], {}, { name: 'a' }, { name: 'a', token: 7 }];
  const worse = [
    { name: 'a', token: 'b', publicKey: 1 },
    { name: 'a', token: 'b', names: ['a b'] },
    { name: 'a', token: 'b', names: Array.from({ length: 17 }, () => 'a') },
  ];
  for (const request of [...malformed, ...worse]) {
    assert.throws(() => enrolRequestOf(request), { code: 'enrol.malformed' });
  }
  assert.equal(enrolRequestOf({ token: 'b', name: 'x' }, 'a').name, 'a', 'the topic says whose');
});
