import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { test } from 'vitest';

import { hexOf } from '../../../../src/base/bytes.ts';
import { EXIT } from '../../../../src/cli/io.ts';
import { Identity } from '../../../../src/keys/identity.ts';
import { CliWorld } from '../../../support/simulated/cli.ts';

const GOLDEN = join(import.meta.dirname, '../../../golden/snapshot-2.cbor');
const keyOf = (seed: number): string =>
  hexOf(Identity.fromSeed(new Uint8Array(32).fill(seed)).publicKey);

test('snapshot verify tells whose it is, and fails on any other key and any damage', async () => {
  const world = new CliWorld();
  const bytes = new Uint8Array(readFileSync(GOLDEN));
  world.files.bytesByPath.set('/s', bytes);
  const own = await world.run(`snapshot verify /s --key ${keyOf(7)}`);
  assert.equal(own.code, EXIT.done);
  assert.match(own.stdout, /signed by hub fe812c12f3ab4ce6/);
  const { stdout } = await world.run('snapshot verify /s --json');
  assert.deepEqual(JSON.parse(stdout).lsn, 5);
  const other = await world.run(`snapshot verify /s --key ${keyOf(8)}`);
  assert.equal(other.code, EXIT.failed);
  assert.match(other.stderr, /not signed by this hub/);
  assert.equal((await world.run('snapshot verify /s --key 12')).code, EXIT.usage);
  world.files.bytesByPath.set('/s', bytes.with(30, 0x55));
  assert.equal((await world.run('snapshot verify /s')).code, EXIT.failed);
  assert.equal((await world.run('snapshot verify /none')).code, EXIT.failed);
});
