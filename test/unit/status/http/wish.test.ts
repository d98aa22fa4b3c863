/** A wish is a JSON object of a person; anything else is refused before anybody reads it. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { wishIn } from '../../../../src/status/http/wish.ts';

const WORDS = { toDevices: 'not for devices', unclear: 'say what' };

async function asked(body: string, role?: 'device' | 'technician'): Promise<unknown> {
  const request = new Request('http://hub/api/v1/undo', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
  });
  const principal = role && { name: 'ana', role, clientId: '' };
  const wish = await wishIn(request, principal, WORDS);
  if (!(wish instanceof Response)) return wish;
  const { detail } = (await wish.json()) as { detail: string };
  return [wish.status, detail];
}

test.each(['[]', '[{"op": 1}]', 'null', '7', '"op"', '{', ''])('%j says nothing', async (body) => {
  assert.deepEqual(await asked(body), [400, 'say what']);
});

test('whoever asks has the role that it has; where nobody is asked who it is, all', async () => {
  assert.deepEqual(await asked('{"op": 1}', 'technician'), { body: { op: 1 }, role: 'technician' });
  assert.deepEqual(await asked('{"op": 1}'), { body: { op: 1 }, role: 'operator' });
  assert.deepEqual(await asked('{"op": 1}', 'device'), [403, 'not for devices']);
});
