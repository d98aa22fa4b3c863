/** The roster of format 1, as it was first written (ENROLMENT.md §3). Never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import { Identity, verifyEd25519 } from '../../src/keys/identity.ts';
import { decodeRoster, encodeRoster, type Member } from '../../src/security/enrolment/roster.ts';

const authority = Identity.fromSeed(new Uint8Array(32).fill(9));
const golden = (): string =>
  readFileSync(join(import.meta.dirname, 'roster-1.hex'), 'utf8').replaceAll(/\s/g, '');

const MEMBERS: readonly Member[] = [
  {
    name: 'ana',
    kind: 'device',
    role: 'operator',
    since: 2,
    password: { cost: { n: 4096, r: 8, p: 1 }, salt: '01'.repeat(16), hash: '02'.repeat(32) },
  },
  { name: 'hub-2', kind: 'hub', role: 'device', since: 3, key: new Uint8Array(32).fill(3) },
];

test('the roster reads back, and is written as it was', () => {
  const roster = {
    site: 'kisumu',
    epoch: 3,
    authority: authority.publicKey,
    ca: Uint8Array.of(0x30, 0x00),
    memberByName: new Map(MEMBERS.map((member) => [member.name, member])),
  };
  const signer = { publicKey: authority.publicKey, sign: (bytes: Uint8Array) => authority.sign(bytes) };
  const bytes = encodeRoster(roster, signer);
  assert.equal(hexOf(bytes), golden());
  assert.deepEqual(decodeRoster(bytes, authority.publicKey, verifyEd25519), roster);
});
