/** The room that a full disk gives up once, so that the state opens. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

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
  assert.equal(files.read('spare')?.length, 64 << 10);
  assert.equal(giveSpareRoom(files, 'spare'), true);
  assert.equal(files.exists('spare'), false);
});

test('a disk without room for it stops nobody, a mistake of ours does', () => {
  const full = openFiles();
  full.faults.failWrites = new Map([[full.writes + 1, 'ENOSPC']]);
  keepSpareRoom(full, 'spare');
  assert.equal(full.exists('spare'), false);
  const files = {
    exists: () => false,
    replace: () => {
      throw new TypeError('ours');
    },
  };
  assert.throws(() => keepSpareRoom(files, 'spare'), TypeError);
});
