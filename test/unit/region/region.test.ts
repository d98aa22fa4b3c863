/** The regional node as people reach it. */
import assert from 'node:assert/strict';
import { onTestFinished, test } from 'vitest';

import { openRegion } from '../../../src/region/region.ts';
import { ROSTER_BYTES_MAX } from '../../../src/security/enrolment/roster.ts';
import { configFor, machine } from '../../support/hubs/data-dir.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

test('the largest roster finds its way in', async () => {
  const config = configFor(tempDir(), 'regional.port=0', 'regional.http_port=0');
  const region = await openRegion(config, machine);
  onTestFinished(() => region.close());
  const roster = Buffer.alloc(ROSTER_BYTES_MAX).toString('base64');
  const answer = await fetch(`${region.addresses.http}api/v1/roster`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ site: 'north', roster }),
  });
  assert.match(((await answer.json()) as { detail: string }).detail, /there is no site north here/);
});
