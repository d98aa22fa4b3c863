/** Which version of the layout a data directory has. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Closers } from '../../../../src/closers.ts';
import { layoutFault, takeDataDirectory } from '../../../../src/hub/data/data.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';

test('a damaged layout file is told, and stays as it is', async () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('data');
  for (const damaged of [Uint8Array.of(0x31, 0xff, 0x0a), new Uint8Array(2)]) {
    files.replace('data/layout', damaged);
    const closers = new Closers();
    assert.throws(() => takeDataDirectory('data', files, closers), { code: 'data.unreadable' });
    await closers.close();
    assert.equal(layoutFault('data', files)?.code, 'data.unreadable');
    assert.deepEqual(files.read('data/layout'), damaged);
  }
});

test('an empty layout file, as a restore leaves it, is written anew', async () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('data');
  files.replace('data/layout', new Uint8Array());
  const closers = new Closers();
  takeDataDirectory('data', files, closers);
  await closers.close();
  assert.equal(layoutFault('data', files), undefined);
});
