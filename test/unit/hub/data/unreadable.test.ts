/** What is put aside over the card, and what of it is told. */
import assert from 'node:assert/strict';

import { expect, test } from 'vitest';

import { SILENT_LOG, type LogFields } from '../../../../src/base/log.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { putUnreadableAside } from '../../../../src/hub/data/unreadable.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';

test('of the state the first one stays, and it is not told that another took its place', async () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('data');
  files.replace('data/state.db.damaged', utf8('old readings'));
  files.replace('data/state.db', utf8('a state'));
  files.faults.unopenable = { path: 'data/state.db', code: 'EIO' };
  const said: (LogFields | undefined)[] = [];
  const log = { ...SILENT_LOG, error: (_: string, fields?: LogFields) => said.push(fields) };
  assert.equal(await putUnreadableAside('data', { files, log }), true);
  expect(said).toMatchObject([{ path: 'data/state.db', aside: null }]);
  assert.equal(files.exists('data/state.db'), false);
  assert.deepEqual(files.read('data/state.db.damaged'), utf8('old readings'));
});
