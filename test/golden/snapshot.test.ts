/** Snapshots of every format that was ever written still read. The files are never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import { SILENT_LOG } from '../../src/base/log.ts';
import type { StateItem } from '../../src/merge/state-item.ts';
import { machineTimers } from '../../src/platform/clock.ts';
import { machineFiles } from '../../src/platform/machine-files.ts';
import { SimClock } from '../../src/platform/sim/clock.ts';
import { readSnapshot, writeSnapshot } from '../../src/snapshot/snapshot-file.ts';
import { Store } from '../../src/store/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const FILE = join(import.meta.dirname, 'snapshot-1.cbor');

function readable(items: Iterable<StateItem>): unknown {
  const plain = (_key: string, value: unknown): unknown =>
    value instanceof Uint8Array ? hexOf(value) : value;
  return JSON.parse(JSON.stringify([...items], plain));
}

describe('golden snapshot, format 1', () => {
  it('reads as its dump says', () => {
    const snapshot = readSnapshot(machineFiles, FILE);
    assert.equal(snapshot?.lsn, 5);
    const dump = readFileSync(join(import.meta.dirname, 'snapshot-1.json'), 'utf8');
    assert.deepEqual(readable(snapshot.items), JSON.parse(dump));
  });

  it('is taken over by a store and written again byte for byte', async () => {
    const dir = tempDir();
    const path = `${dir}/state.snapshot`;
    const store = Store.open({
      path: `${dir}/state.db`,
      files: machineFiles,
      log: SILENT_LOG,
      readingsDays: 1,
    });
    const snapshot = readSnapshot(machineFiles, FILE);
    store.load(snapshot?.items ?? [], 5);
    assert.equal(store.digest().digest, DIGEST);
    const items = store.dump();
    const clock = new SimClock(0);
    await writeSnapshot({ files: machineFiles, path, lsn: 5, items, clock, timers: machineTimers });
    assert.deepEqual(readFileSync(path), readFileSync(FILE));
    store.close();
  });
});

const DIGEST = '4a701de43d52c96522971ac0d8bfec047078cfa1610a2157601ddbe41a9c4461';
