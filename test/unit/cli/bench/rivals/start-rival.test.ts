import assert from 'node:assert/strict';
import { test } from 'vitest';

import { HubError } from '../../../../../src/base/errors.ts';
import { startRival } from '../../../../../src/cli/bench/rivals/start-rival.ts';

test('a rival that is not on this machine is refused by its name', async () => {
  const program = { name: 'no-such-broker', args: [], port: 1 };
  await assert.rejects(startRival(program), (error) => {
    assert.ok(error instanceof HubError);
    assert.equal(error.code, 'bench.rival-missing');
    assert.match(error.message, /no-such-broker is not on this machine/);
    return true;
  });
});

test('one that ends at once is not waited for', async () => {
  const program = { name: 'false', args: [], port: 1 };
  await assert.rejects(startRival(program), /nothing listens on port 1/);
});
