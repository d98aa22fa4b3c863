/** What files and lock of the machine do on a disk that is full to the last byte, or read-only. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';

import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import {
  fillDisk,
  makeReadOnly,
  smallDisk,
  testWithMounts,
} from '../../support/machine/small-disk.ts';

testWithMounts('full: a folder can be taken all the same, by one process', async () => {
  const disk = smallDisk(1);
  fillDisk(disk);
  const lock = machineFiles.lockDir(disk);
  assert.throws(() => machineFiles.lockDir(disk), { code: 'data.locked' });
  lock.release();
  machineFiles.lockDir(disk).release();
  return Promise.resolve();
});

testWithMounts('full: what could not be replaced stays, and nothing beside it', async () => {
  const disk = smallDisk(1);
  const path = `${disk}/kept`;
  machineFiles.replace(path, new Uint8Array(8_192));
  fillDisk(disk);
  assert.throws(() => machineFiles.replace(path, new Uint8Array(65_536)), { code: 'ENOSPC' });
  assert.deepEqual(readdirSync(disk), ['ballast', 'kept']);
  assert.equal(machineFiles.read(path)?.length, 8_192);
  rmSync(`${disk}/ballast`);
  machineFiles.replace(path, new Uint8Array(65_536));
  return Promise.resolve();
});

testWithMounts('read-only: said so, whatever is tried', async () => {
  const disk = smallDisk(1);
  makeReadOnly(disk);
  const readOnly = { code: 'EROFS' };
  assert.throws(() => machineFiles.makeDir(`${disk}/data`), readOnly);
  assert.throws(() => machineFiles.makeDir(`${disk}/a/b/data`), readOnly);
  assert.throws(() => machineFiles.lockDir(disk), readOnly);
  assert.throws(() => machineFiles.replace(`${disk}/kept`, new Uint8Array(1)), readOnly);
  assert.equal(existsSync(`${disk}/kept`), false);
  return Promise.resolve();
});
