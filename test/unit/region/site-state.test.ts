/** The state of a site on a disk that fills up, and one that turns out to be damaged. */
import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

import { test } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { SiteState } from '../../../src/region/site-state.ts';
import { SqliteFile } from '../../../src/store/database/sqlite.ts';
import { stampedOps, START_MS } from '../../support/made/batches.ts';
import { fillDisk, smallDisk, testWithMounts } from '../../support/machine/small-disk.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const KEY = 'meters/1';

function open(dir: string): SiteState {
  const durability = 'each-commit';
  const path = `${dir}/state.db`;
  return SiteState.open({
    files: machineFiles,
    log: SILENT_LOG,
    path,
    readingsDays: 30,
    durability,
  });
}

function fold({ store }: SiteState, batch: number): void {
  const ops = stampedOps(batch * 2_000 - 1_999, batch * 2_000, { key: KEY });
  store.apply(
    ops.map((stamped) => ({ lsn: batch, stamped })),
    batch,
  );
}

testWithMounts('with room again it takes what it could not', async () => {
  const dir = smallDisk(4);
  const state = open(dir);
  fold(state, 1);
  fillDisk(dir);
  assert.throws(() => fold(state, 2), { code: 'store.failed' });
  assert.throws(() => fold(state, 2), { code: 'store.failed' });
  rmSync(`${dir}/ballast`);
  fold(state, 2);
  assert.equal(state.store.checkpointLsn, 2);
  assert.equal(state.store.digest().ops, 4_000);
  state.close();
});

test('a file that is no database is put aside', () => {
  const dir = tempDir();
  writeFileSync(`${dir}/state.db`, 'x'.repeat(8_192));
  const state = open(dir);
  assert.equal(state.store.checkpointLsn, 0);
  state.close();
  assert.ok(existsSync(`${dir}/state.db.damaged`));
});

test('what turns out to be damaged while it is open is put aside when it is closed', () => {
  const dir = tempDir();
  const sound = open(dir);
  fold(sound, 1);
  sound.close();
  const path = `${dir}/state.db`;
  const file = SqliteFile.open({ files: machineFiles, path, durability: 'each-commit' });
  file.exec("UPDATE readings SET body = x'ff'");
  file.close();
  const state = open(dir);
  assert.throws(() => state.store.readings({ key: KEY, fromMs: 0, toMs: 2 * START_MS }), {
    code: 'store.damaged',
  });
  assert.throws(() => fold(state, 2), { code: 'store.damaged' });
  state.close();
  assert.ok(existsSync(`${dir}/state.db.damaged`));
  assert.equal(open(dir).store.checkpointLsn, 0);
});
