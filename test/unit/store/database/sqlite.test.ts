import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';

import { test } from 'vitest';

import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { SqliteFile } from '../../../../src/store/database/sqlite.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const MIB = 1 << 20;

test('where every commit counts, the log beside the database stays small', () => {
  const path = join(tempDir(), 'state.db');
  const db = SqliteFile.open({ path, files: machineFiles, durability: 'each-commit' });
  db.exec('CREATE TABLE photos (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT');
  let highest = 0;
  for (let commit = 0; commit < 30; commit++) {
    db.begin();
    for (let row = 0; row < 10; row++) {
      db.run('INSERT INTO photos (body) VALUES (?)', [new Uint8Array(64 << 10)]);
    }
    db.commit();
    highest = Math.max(highest, statSync(`${path}-wal`).size);
  }
  db.close();
  assert.ok(highest < 6 * MIB, `${highest} bytes`);
});
