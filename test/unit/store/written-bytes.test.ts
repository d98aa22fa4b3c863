/** What the store says that it gave to the file system, against what lies there. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'vitest';

import { stampedOp } from '../../support/made/ops.ts';
import { entriesOf, openStore } from '../../support/memory/stores.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

/** https://sqlite.org/fileformat2.html#the_write_ahead_log */
const WAL_HEADER_BYTES = 32;

test('every frame of the WAL counts once, and every page that is copied out of it', async () => {
  const dir = tempDir();
  const store = openStore(dir);
  const ops = Array.from({ length: 500 }, (_, index) =>
    stampedOp({ seq: index + 1, key: `m/${index}` }),
  );
  for (let from = 0; from < 500; from += 100) {
    store.apply(entriesOf(ops.slice(from, from + 100), from + 1), from + 100);
  }
  const walBytes = statSync(`${dir}/state.db-wal`).size - WAL_HEADER_BYTES;
  assert.ok(walBytes > 0);
  assert.equal(store.writtenBytes, walBytes);
  await store.persist();
  const copied = store.writtenBytes - walBytes;
  assert.ok(copied > 0 && copied <= walBytes, `${copied} of ${walBytes}`);
  store.close();
});
