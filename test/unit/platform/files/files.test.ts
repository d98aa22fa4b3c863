import assert from 'node:assert/strict';
import { test } from 'vitest';

import { folderOf } from '../../../../src/platform/files/files.ts';

test.each([
  ['stick/june.bundle', 'stick'],
  ['/mnt/stick/june.bundle', '/mnt/stick'],
  ['./june.bundle', '.'],
  ['june.bundle', '.'],
  ['/june.bundle', '/'],
])('%s lies in %s', (path, folder) => {
  assert.equal(folderOf(path), folder);
});
