/** The link that brings a second hub to a site: what was written is read, and anything else is told apart. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { decodeLink, encodeLink } from '../../../../src/cli/enrol/link.ts';

const LINK = { name: 'hub-2', token: 'abcd-efgh', at: 'hub-1.local:8883', ca: 'aGFzaA' };

test('a link comes back as it was made, with an address or without', () => {
  assert.deepEqual(decodeLink(encodeLink(LINK)), LINK);
  assert.deepEqual(decodeLink(encodeLink({ ...LINK, at: '' })), { ...LINK, at: '' });
});

test.each([
  ['of another kind', encodeLink(LINK).replace('heliograph:enrol', 'heliograph:other')],
  ['without a token', encodeLink(LINK).replace('token=', 'taken=')],
  ['nothing', ''],
])('a link %s is none', (_, text) => {
  assert.throws(() => decodeLink(text), /this is no link of/);
});
