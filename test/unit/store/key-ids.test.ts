import assert from 'node:assert/strict';
import { join } from 'node:path';

import { test } from 'vitest';

import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { KeyIds } from '../../../src/store/database/key-ids.ts';
import { SqliteFile } from '../../../src/store/database/sqlite.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

test('a key keeps its number, until the table is emptied', () => {
  const path = join(tempDir(), 'keys.db');
  const db = SqliteFile.open({ path, files: machineFiles, durability: 'replayable' });
  db.exec('CREATE TABLE keys (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE) STRICT');
  const keys = new KeyIds(db);
  assert.equal(keys.find('a'), undefined);
  const id = keys.idOf('a');
  assert.equal(keys.idOf('a'), id);
  assert.notEqual(keys.idOf('b'), id);
  db.exec('DELETE FROM keys');
  keys.forget();
  for (const key of ['b', 'a']) assert.equal(keys.find(key), undefined);
  db.close();
});
