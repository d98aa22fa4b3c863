/** The room that a full disk gives up once, so that the state opens. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { systemError } from '../../../../src/base/errors.ts';
import { giveSpareRoom, keepSpareRoom } from '../../../../src/hub/storage/spare-room.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';

function openFiles(): SimFiles {
  return new SimFiles({ random: new SeededRandom(1) });
}

test('it is laid down once, given once, and laid down again', () => {
  const files = openFiles();
  assert.equal(giveSpareRoom(files, 'spare'), false, 'there is none yet');
  keepSpareRoom(files, 'spare');
  const { writes } = files;
  keepSpareRoom(files, 'spare');
  assert.equal(files.writes, writes, 'what is there is not written again');
  assert.equal(files.read('spare')?.length, 1 << 20);
  assert.equal(giveSpareRoom(files, 'spare'), true);
  assert.equal(files.exists('spare'), false);
});

test('what a full disk took a part of is made whole once there is room', () => {
  const files = openFiles();
  files.replace('spare', new Uint8Array(8192));
  keepSpareRoom(files, 'spare');
  assert.equal(files.read('spare')?.length, 1 << 20);
});

test('a disk without any room stops nobody, a mistake of ours does', () => {
  const refusing = (error: unknown): Parameters<typeof keepSpareRoom>[0] => ({
    exists: () => false,
    open: () => {
      throw error;
    },
  });
  keepSpareRoom(refusing(systemError('ENOSPC', 'open spare')), 'spare');
  assert.throws(() => keepSpareRoom(refusing(new TypeError('ours')), 'spare'), TypeError);
});
