/** A wish is a JSON object of a person; anything else is refused before anybody reads it. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { answerWish } from '../../../../src/status/http/wish.ts';

async function asked(body: string, role?: 'device' | 'technician'): Promise<unknown> {
  const request = new Request('http://hub/api/v1/undo', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
  });
  const principal = role && { name: 'ana', role, clientId: '' };
  let granted: unknown;
  const answer = await answerWish(request, principal, (wish) => {
    granted = wish;
    return new Response();
  });
  return granted ?? answer.status;
}

test.each(['[]', '[{"op": 1}]', 'null', '7', '"op"', '{', ''])('%j says nothing', async (body) => {
  assert.equal(await asked(body), 400);
});

test('whoever asks has the role that it has; where nobody is asked who it is, all', async () => {
  const body = { op: 1 };
  const ana = { body, role: 'technician', name: 'ana' };
  assert.deepEqual(await asked('{"op": 1}', 'technician'), ana);
  assert.deepEqual(await asked('{"op": 1}'), { body, role: 'operator', name: undefined });
  assert.equal(await asked('{"op": 1}', 'device'), 403);
});
