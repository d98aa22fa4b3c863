import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import { hexOf, utf8 } from '../../../src/base/bytes.ts';
import { HubError } from '../../../src/base/errors.ts';
import { Identity, verifyEd25519 } from '../../../src/keys/identity.ts';
import type { StateItem } from '../../../src/merge/state/state-item.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import {
  readSnapshot,
  type Snapshot,
  type Trust,
  writeSnapshot,
  type WriteSnapshotOptions,
} from '../../../src/snapshot/snapshot-file.ts';
import { Store } from '../../../src/store/store.ts';
import { filesWithSync } from '../../support/machine/files-with-sync.ts';
import { DEVICE_B, patchOp, removeOp, stampedOp } from '../../support/made/ops.ts';
import { entriesOf, openStore } from '../../support/memory/stores.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const HISTORY = [
  stampedOp({ seq: 1, atMs: 1000, body: utf8('1') }),
  patchOp({ state: 'open', note: 'x' }, { seq: 1, atMs: 1000 }),
  removeOp({ seq: 2, atMs: 3000 }),
  patchOp({ note: 'y', 'n\u0000': [1, null] }, { seq: 1, atMs: 4000, origin: DEVICE_B }),
  // Behind a gap.
  stampedOp({ seq: 5, atMs: 5000, key: 'meters/2' }),
];

const SIGNER = Identity.fromSeed(new Uint8Array(32).fill(1));
const STRANGER = Identity.fromSeed(new Uint8Array(32).fill(2));
const TRUST: Trust = { publicKey: SIGNER.publicKey, verify: verifyEd25519 };

function write(
  path: string,
  store: Store,
  options: Partial<WriteSnapshotOptions> = {},
): Promise<void> {
  const clock = new SimClock(1000);
  return writeSnapshot({
    files: machineFiles,
    path,
    lsn: store.checkpointLsn,
    items: store.dump(),
    signer: SIGNER,
    clock,
    siteClock: clock,
    timers: machineTimers,
    ...options,
  });
}

function read(path: string): Snapshot | undefined {
  return readSnapshot(machineFiles, path, TRUST);
}

function faultOf(path: string, trust = TRUST): string {
  try {
    const snapshot = readSnapshot(machineFiles, path, trust);
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
    const snapshot = read(path);
    assert.ok(snapshot !== undefined);
    const { lsn, digest, vector, horizon } = snapshot.manifest;
    assert.equal(lsn, 5);
    assert.equal(hexOf(digest), store.digest().digest);
    assert.deepEqual(vector, store.vector());
    assert.equal(horizon.size, 0);
    restored.load(snapshot.items, lsn);
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
    assert.equal(read(join(tempDir(), 'none')), undefined);
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
      assert.match(fault, /^snapshot\.(damaged|untrusted)$|^data\.newer$/, `byte ${at}: ${fault}`);
    }
    for (const cut of [0, 1, 8, 9, 100, good.length - 9, good.length - 1]) {
      writeFileSync(path, good);
      truncateSync(path, cut);
      assert.equal(faultOf(path), 'snapshot.damaged');
    }
    writeFileSync(path, good);
    appendFileSync(path, 'x');
    assert.equal(faultOf(path), 'snapshot.damaged');
  });

  it('of another hub, of nobody, or with a name that is not its own is refused', async () => {
    const dir = tempDir();
    const path = join(dir, 'state.snapshot');
    const store = openStore(dir);
    store.apply(entriesOf(HISTORY), 5);
    const publicKey = STRANGER.publicKey;
    const anybody: Trust = { verify: verifyEd25519 };
    await write(path, store, { signer: STRANGER });
    assert.equal(faultOf(path), 'snapshot.untrusted');
    assert.ok(Number(faultOf(path, { ...anybody, publicKey })) > 5);
    assert.ok(Number(faultOf(path, anybody)) > 5);
    const { id } = SIGNER;
    const claims = { id, publicKey, sign: (message: Uint8Array) => STRANGER.sign(message) };
    await write(path, store, { signer: claims });
    assert.equal(faultOf(path, anybody), 'snapshot.untrusted');
    await write(path, store, { signer: { id, publicKey: SIGNER.publicKey, sign: claims.sign } });
    assert.equal(faultOf(path), 'snapshot.untrusted');
    store.close();
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
    await assert.rejects(write(path, store, { files: failing }), { code: 'snapshot.failed' });
    assert.deepEqual(readFileSync(path), before);
    await write(path, store);
    assert.ok(!existsSync(`${path}.new`));
    assert.equal(read(path)?.manifest.lsn, 5);
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
    const dir = tempDir();
    const path = join(dir, 'state.snapshot');
    const store = openStore(dir);
    await write(path, store, { items: items(), clock: everyReadTakesOneMs, timers: ticking });
    store.close();
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
