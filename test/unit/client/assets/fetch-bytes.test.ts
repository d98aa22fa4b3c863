/** Contents by HTTP: who asks for them. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { fetcherOf } from '../../../../src/client/assets/fetch-bytes.ts';

test('what somebody mistypes with letters of any alphabet is sent as it is, for the hub to refuse', async () => {
  const told: string[] = [];
  const get = (_: URL, { headers }: { headers: Record<string, string> }): Promise<Response> => {
    told.push(headers['authorization'] ?? '');
    return Promise.resolve(new Response('content'));
  };
  const login = { username: 'lena', password: 'k7qfd–2m9xa✓' };
  assert.equal((await fetcherOf(get, 'http://hub:8080', login)('/api/v1/assets/1')).length, 7);
  const [, encoded = ''] = told[0]?.split(' ') ?? [];
  assert.equal(Buffer.from(encoded, 'base64').toString(), 'lena:k7qfd–2m9xa✓');
});
