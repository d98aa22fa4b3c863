import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { Identity } from '../../../../src/keys/identity.ts';
import { encodeRoster, looksLikeRoster } from '../../../../src/security/enrolment/roster.ts';

test('a roster is told from other files without the key of its authority', () => {
  const authority = Identity.fromSeed(new Uint8Array(32).fill(9));
  const { publicKey } = authority;
  const signer = { publicKey, sign: (message: Uint8Array) => authority.sign(message) };
  const roster = { site: 'kisumu', epoch: 3, authority: publicKey, ca: utf8('der') };
  const bytes = encodeRoster({ ...roster, memberByName: new Map() }, signer);
  assert.equal(looksLikeRoster(bytes), true);
  assert.equal(looksLikeRoster(bytes.slice(0, -1)), false);
  assert.equal(looksLikeRoster(utf8('-----BEGIN CERTIFICATE-----')), false);
  assert.equal(looksLikeRoster(new Uint8Array(0)), false);
});
