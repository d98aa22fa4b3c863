/** An operator's file holds the key of today and those of earlier days, so many at most. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { batchOpener, makeOperatorKey } from '../../../src/keys/batch-seal.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';

const random = new SeededRandom(1);

function fileOf(keys: number): string {
  return Array.from({ length: keys }, () => makeOperatorKey(random).privatePem).join('');
}

test('sixteen keys are held, seventeen are a damaged file', () => {
  const { keyIds } = batchOpener(fileOf(16), 'operator.pem');
  assert.equal(new Set(keyIds.map(String)).size, 16);
  assert.throws(() => batchOpener(fileOf(17), 'operator.pem'), { code: 'keys.damaged' });
});
