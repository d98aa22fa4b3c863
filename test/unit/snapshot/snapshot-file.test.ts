import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { HubError } from '../../../src/base/errors.ts';
import type { StateItem } from '../../../src/merge/state-item.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { machineFiles } from '../../../src/platform/machine-files.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { readSnapshot, writeSnapshot } from '../../../src/snapshot/snapshot-file.ts';
import { Store } from '../../../src/store/store.ts';
import { filesWithSync } from '../../support/files-with-sync.ts';
import { DEVICE_B, patchOp, removeOp, stampedOp } from '../../support/ops.ts';
import { entriesOf, openStore } from '../../support/stores.ts';
import { tempDir } from '../../support/temp-dir.ts';

const HISTORY = [
  stampedOp({ seq: 1, atMs: 1000, body: utf8('1') }),
  patchOp({ state: 'open', note: 'x' }, { seq: 1, atMs: 1000 }),
  removeOp({ seq: 2, atMs: 3000 }),
  patchOp({ note: 'y', 'n\u0000': [1, null] }, { seq: 1, atMs: 4000, origin: DEVICE_B }),
  // Behind a gap.
  stampedOp({ seq: 5, atMs: 5000, key: 'meters/2' }),
];

function write(path: string, store: Store, files = machineFiles): Promise<void> {
  const lsn = store.checkpointLsn;
  const clock = new SimClock(0);
  return writeSnapshot({ files, path, lsn, items: store.dump(), clock, timers: machineTimers });
}

function faultOf(path: string): string {
  try {
    const snapshot = readSnapshot(machineFiles, path);
    return [...(snapshot?.items ?? [])].length.toString();
  } catch (error) {
    if (error instanceof HubError) return error.code;
    throw error;
  }
}

describe('a snapshot', () => {
  it('gives back the state, and folding goes on from it as if nothing had happened', async () => {
    const dir = tempDir();
    const path = join(dir, 'state.snapshot');
    const store = openStore(dir);
    store.apply(entriesOf(HISTORY), 5);
    await write(path, store);
    const later = [
      stampedOp({ seq: 2, atMs: 500 }),
      patchOp({ state: 'late' }, { seq: 3, atMs: 2000 }),
      ...HISTORY,
    ];
    const restored = openStore(tempDir());
    const snapshot = readSnapshot(machineFiles, path);
    assert.equal(snapshot?.lsn, 5);
    restored.load(snapshot.items, snapshot.lsn);
    assert.equal(restored.checkpointLsn, 5);
    assert.deepEqual(restored.digest(), store.digest());
    for (const each of [store, restored]) each.apply(entriesOf(later), 12);
    assert.deepEqual(restored.digest(), store.digest());
    assert.deepEqual(restored.vector(), store.vector());
    assert.deepEqual(restored.highest(), store.highest());
    store.close();
    restored.close();
  });

  it('is nothing where there is no file', () => {
    assert.equal(readSnapshot(machineFiles, join(tempDir(), 'none')), undefined);
  });

  it('is believed as a whole or not at all', async () => {
    const dir = tempDir();
    const path = join(dir, 'state.snapshot');
    const store = openStore(dir);
    store.apply(entriesOf(HISTORY), 5);
    await write(path, store);
    store.close();
    const good = readFileSync(path);
    assert.ok(Number(faultOf(path)) > 5);
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 1;
      writeFileSync(path, bad);
      const fault = faultOf(path);
      assert.ok(fault === 'snapshot.damaged' || fault === 'data.newer', `byte ${at}: ${fault}`);
    }
    for (const cut of [0, 1, 44, 45, good.length - 1]) {
      writeFileSync(path, good);
      truncateSync(path, cut);
      assert.equal(faultOf(path), 'snapshot.damaged');
    }
    writeFileSync(path, good);
    appendFileSync(path, 'x');
    assert.equal(faultOf(path), 'snapshot.damaged');
  });

  it('that cannot be written whole leaves its predecessor alone', async () => {
    const dir = tempDir();
    const path = join(dir, 'state.snapshot');
    const store = openStore(dir);
    store.apply(entriesOf(HISTORY.slice(0, 2)), 2);
    await write(path, store);
    const before = readFileSync(path);
    store.apply(entriesOf(HISTORY.slice(2)), 5);
    const failing = filesWithSync((_file, done) => {
      done(new Error('EIO'));
    });
    await assert.rejects(write(path, store, failing), { code: 'snapshot.failed' });
    assert.deepEqual(readFileSync(path), before);
    await write(path, store);
    assert.ok(!existsSync(`${path}.new`));
    assert.equal(readSnapshot(machineFiles, path)?.lsn, 5);
    store.close();
  });

  it('lets others have their turns while it is written', async () => {
    let now = 0;
    let turns = 0;
    const items = function* (): Generator<StateItem> {
      for (let i = 0; i < 100; i++) {
        yield { type: 'tombstone', key: `k${i}`, order: ORDER };
      }
    };
    const ticking = { ...machineTimers, soon: countTurn };
    function countTurn(callback: () => void): () => void {
      turns += 1;
      return machineTimers.soon(callback);
    }
    const everyReadTakesOneMs = {
      wallMs: () => 0,
      monotonicMs: () => {
        now += 1;
        return now;
      },
      quality: () => 'ntp' as const,
    };
    const path = join(tempDir(), 'state.snapshot');
    await writeSnapshot({
      files: machineFiles,
      path,
      lsn: 1,
      items: items(),
      clock: everyReadTakesOneMs,
      timers: ticking,
    });
    assert.ok(turns >= 15, `${turns} turns`);
    assert.equal(faultOf(path), '100');
  });
});

const ORDER = {
  authority: 1,
  hlc: { ms: 1, counter: 0 },
  origin: DEVICE_B,
  seq: 1,
  class: 2,
} as const;
