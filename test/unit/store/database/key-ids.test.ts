import assert from 'node:assert/strict';
import { join } from 'node:path';

import { test } from 'vitest';

import { textOf } from '../../../../src/base/bytes.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { KeyIds } from '../../../../src/store/database/key-ids.ts';
import { SqliteFile } from '../../../../src/store/database/sqlite.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

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

test('what lies at hand is bounded by its length too', () => {
  let asked = 0;
  const numbers = new Map<string, number>();
  const table = {
    insert: (_: string, [name]: [Uint8Array]) => {
      numbers.set(textOf(name) as string, numbers.size);
      return numbers.size - 1;
    },
    row: (_: string, [name]: [Uint8Array]) => {
      const id = numbers.get(textOf(name) as string);
      if (id !== undefined) asked += 1;
      return id === undefined ? undefined : { id };
    },
  };
  for (const [length, isAtHand] of [
    [20, true],
    [1024, false],
  ] as const) {
    asked = 0;
    numbers.clear();
    const keys = new KeyIds(table as unknown as SqliteFile);
    const names = Array.from({ length: 5_000 }, (_, i) => `${i}`.padStart(length, '0'));
    for (const name of names) keys.idOf(name);
    assert.equal(keys.find(names[0] as string), 0);
    assert.equal(asked === 0, isAtHand, `${length} bytes each`);
  }
});
