/** What has a name like a file and is none is refused at once, not waited for. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'vitest';

import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

test('a pipe that nobody writes into, and a device without an end', () => {
  const pipe = join(tempDir(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, '/dev/zero']) {
    assert.throws(() => machineFiles.read(path), { code: 'EINVAL', message: /a pipe or a device/ });
  }
});

test('files that the kernel makes as they are read are files', () => {
  assert.ok((machineFiles.read('/proc/self/status')?.length ?? 0) > 0);
});
