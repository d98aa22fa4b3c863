/** Authority, roster, certificates, and who comes in by them. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { verifyEd25519 } from '../../../../src/keys/identity.ts';
import type { Role } from '../../../../src/model/op.ts';
import { Authority } from '../../../../src/security/enrolment/authority.ts';
import {
  fingerprintOf,
  holderOf,
  makeKey,
  makeSiteCertificate,
} from '../../../../src/security/enrolment/certificate.ts';
import type { MemberPrincipal } from '../../../../src/security/enrolment/enrolled-gatekeeper.ts';
import { decodeRoster } from '../../../../src/security/enrolment/roster.ts';
import { installRoster } from '../../../../src/security/enrolment/site-folder.ts';
import { hashPassword } from '../../../../src/security/passwords.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { testSite } from '../../../support/memory/site.ts';

type Site = ReturnType<typeof testSite>;

function rejectsWith(code: string) {
  return (error: unknown): boolean => error instanceof HubError && error.code === code;
}

async function enrol(site: Site, name: string, role: Role = 'device', replaces = false) {
  const key = makeKey(site.random);
  const wanted = { name, kind: 'device', role, key: fingerprintOf(key) } as const;
  const member = await site.authority.add(wanted, { replaces });
  site.members.refresh();
  const pem = site.authority.certify(member, key);
  return { member, pem, certificate: new Uint8Array(new X509Certificate(pem).raw) };
}

function login(site: Site, certificate: Uint8Array, username?: string) {
  return site.gatekeeper.authenticate({
    clientId: 'c',
    remote: '192.0.2.7:1',
    certificate,
    username,
  }) as Promise<MemberPrincipal | undefined>;
}

describe('a certificate', () => {
  test('names its holder to whoever knows the site, and is of no other site', async () => {
    const site = testSite();
    const { certificate, member, pem } = await enrol(site, 'meter-1', 'technician');
    const ca = new X509Certificate(site.authority.roster().ca);
    const { fingerprint, ...holder } = holderOf(certificate, ca) ?? { fingerprint: undefined };
    assert.deepEqual(holder, { name: 'meter-1', kind: 'device', role: 'technician', since: 2 });
    assert.deepEqual(fingerprint, member.key);
    const other = makeSiteCertificate('kisumu', makeKey(site.random), site.random);
    assert.equal(holderOf(certificate, new X509Certificate(other)), undefined);
    assert.equal(holderOf(certificate.subarray(1), ca), undefined);
    assert.equal(new Date(new X509Certificate(pem).validFrom).getTime(), 0, 'a clock at 1970');
    assert.equal(new Date(new X509Certificate(pem).validTo).getUTCFullYear(), 9999);
  });

  test('answers to names and addresses', async () => {
    const site = testSite();
    const key = makeKey(site.random);
    const hub = { name: 'hub-2', kind: 'hub', role: 'device', key: fingerprintOf(key) } as const;
    const member = await site.authority.add(hub, { replaces: false });
    const names = ['hub-2.local', '192.168.1.7', '::1', '2001:db8::7:1'];
    const read = new X509Certificate(site.authority.certify(member, key, names));
    assert.equal(read.checkHost('hub-2.local'), 'hub-2.local');
    for (const address of names.slice(1)) assert.equal(read.checkIP(address), address);
    assert.equal(read.checkIP('192.168.1.8'), undefined);
  });
});

describe('the roster', () => {
  test('is read as it was written, and only with the signature of its authority', async () => {
    const site = testSite();
    await enrol(site, 'meter-1');
    const password = await hashPassword('secret', site.random);
    await site.authority.add(
      { name: 'ana', kind: 'device', role: 'operator', password },
      { replaces: false },
    );
    const bytes = site.files.read(site.paths.roster) as Uint8Array;
    const { authority } = site.authority.roster();
    const roster = decodeRoster(bytes, authority, verifyEd25519);
    assert.deepEqual([...roster.memberByName.keys()], ['ana', 'meter-1']);
    assert.deepEqual(roster.memberByName.get('ana')?.password, password);
    assert.equal(roster.epoch, 3);
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      assert.throws(() => decodeRoster(changed, authority, verifyEd25519), HubError);
    }
    const foreign = testSite(2).authority.roster().authority;
    assert.throws(
      () => decodeRoster(bytes, foreign, verifyEd25519),
      rejectsWith('enrol.untrusted'),
    );
  });

  test('an older one never takes the place of a newer one', async () => {
    const site = testSite();
    await enrol(site, 'meter-1');
    const older = site.files.read(site.paths.roster) as Uint8Array;
    await site.authority.revoke('meter-1');
    site.members.refresh();
    const { files, paths } = site;
    assert.equal(installRoster(files, paths, older, verifyEd25519), 'known');
    files.replace(paths.roster, older);
    site.members.refresh();
    assert.equal(site.members.get('meter-1'), undefined, 'not even put there by hand');
  });

  test('a node of a site is no second authority', async () => {
    const site = testSite();
    site.files.remove(site.paths.caKey);
    await assert.rejects(
      Authority.openOrMake(site.parts, 'other'),
      rejectsWith('enrol.no-authority'),
    );
  });

  test('a name is given once, and a stranger cannot be revoked', async () => {
    const site = testSite();
    await enrol(site, 'meter-1');
    await assert.rejects(enrol(site, 'meter-1'), rejectsWith('enrol.exists'));
    await assert.rejects(site.authority.revoke('meter-9'), rejectsWith('enrol.unknown'));
  });

  test('who writes at the same time waits; nobody is lost', async () => {
    const site = testSite();
    const lock = site.files.lockDir(site.paths.dir);
    const adding = Promise.all([enrol(site, 'a'), enrol(site, 'b')]);
    await site.clock.advance(100);
    lock.release();
    await site.clock.advance(100);
    await adding;
    assert.deepEqual([...site.authority.roster().memberByName.keys()].toSorted(), ['a', 'b']);
  });
});

describe('the gatekeeper', () => {
  test('lets members in by certificate, with the role of the roster, as their own device', async () => {
    const site = testSite();
    const { certificate } = await enrol(site, 'meter-1', 'technician');
    const who = await login(site, certificate);
    assert.ok(who);
    assert.equal(who.name, 'meter-1');
    assert.equal(who.role, 'technician');
    assert.equal(site.gatekeeper.mayPublish(who, 'sync/meter-1/ops'), true);
    assert.equal(site.gatekeeper.mayPublish(who, 'sync/meter-2/ops'), false);
    assert.equal(await login(site, certificate, 'meter-2'), undefined, 'no other name beside it');
  });

  test('a revoked member is out at once, connected or not; its name may come back', async () => {
    const site = testSite();
    const { certificate } = await enrol(site, 'meter-1');
    const who = (await login(site, certificate)) as MemberPrincipal;
    await site.authority.revoke('meter-1');
    site.members.refresh();
    assert.equal(site.gatekeeper.isAdmitted(who), false);
    assert.equal(site.gatekeeper.mayPublish(who, 'devices/meter-1/x'), false);
    assert.equal(await login(site, certificate), undefined);
    const again = await enrol(site, 'meter-1');
    assert.equal(site.gatekeeper.isAdmitted(who), false, 'somebody else under the old name');
    assert.equal(await login(site, certificate), undefined);
    assert.ok(await login(site, again.certificate));
  });

  test('a certificate of a later epoch counts until the roster of that epoch comes', async () => {
    const site = testSite();
    const before = site.files.read(site.paths.roster) as Uint8Array;
    const { certificate } = await enrol(site, 'meter-1');
    const other = testSite(); // Same seed: the same authority, on a hub that has not heard of it.
    assert.deepEqual(other.authority.roster().authority, site.authority.roster().authority);
    other.files.replace(other.paths.roster, before);
    other.members.refresh();
    const who = (await login(other, certificate)) as MemberPrincipal;
    assert.equal(other.gatekeeper.isAdmitted(who), true);
    await site.authority.revoke('meter-1');
    const after = site.files.read(site.paths.roster) as Uint8Array;
    installRoster(other.files, other.paths, after, verifyEd25519);
    other.members.refresh();
    assert.equal(other.gatekeeper.isAdmitted(who), false);
    assert.equal(await login(other, certificate), undefined);
  });

  test('a member with a password, and one who has neither', async () => {
    const site = testSite();
    const password = await hashPassword('right', site.random);
    const member = { name: 'esp-1', kind: 'device', role: 'device', password } as const;
    await site.authority.add(member, { replaces: false });
    site.members.refresh();
    const ask = (word: string) =>
      site.gatekeeper.authenticate({
        clientId: 'c',
        remote: '192.0.2.7:1',
        username: 'esp-1',
        password: utf8(word),
      });
    assert.equal((await ask('right'))?.name, 'esp-1');
    assert.equal(await ask('wrong'), undefined);
    assert.equal(await site.gatekeeper.authenticate({ clientId: 'c', remote: 'r' }), undefined);
  });
});
