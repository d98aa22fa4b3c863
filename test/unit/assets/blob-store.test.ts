import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

import { describe, it } from 'vitest';

import { evictionFor } from '../../../src/assets/eviction.ts';
import { turn } from '../../../src/base/clock.ts';
import { GRID_BYTES } from '../../../src/model/asset-bytes.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { bytesIn, contentOf, openBlobStore, piecesOf, putAll } from '../../support/made/assets.ts';
import { DEVICE_A, DEVICE_B } from '../../support/made/ops.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const PHOTO = contentOf(700_000);

describe('a content', () => {
  it('is whole when all its pieces have come, in any order and doubled, and has its name then', async () => {
    const dir = tempDir();
    const store = openBlobStore(machineFiles, dir);
    const [first, second, third] = piecesOf(PHOTO);
    assert.equal(store.stateOf(PHOTO.id).state, 'missing');
    putAll(
      store,
      [third, first, third].flatMap((piece) => piece ?? []),
    );
    await store.settle();
    assert.equal(store.stateOf(PHOTO.id).state, 'partial');
    assert.equal(await bytesIn(store, PHOTO.id), undefined);
    putAll(store, second === undefined ? [] : [second]);
    await store.settle();
    assert.deepEqual(await bytesIn(store, PHOTO.id), PHOTO.bytes);
    const path = `${dir}/blobs/${PHOTO.id.slice(0, 2)}/${PHOTO.id}.700000`;
    assert.deepEqual(new Uint8Array(readFileSync(path)), PHOTO.bytes);
    assert.deepEqual(readdirSync(`${dir}/parts`), []);
    store.close();
  });

  it('goes on after a restart with what had come', async () => {
    const dir = tempDir();
    const pieces = piecesOf(PHOTO, GRID_BYTES);
    const before = openBlobStore(machineFiles, dir);
    putAll(before, pieces.slice(0, 4));
    await before.settle();
    before.close();
    const after = openBlobStore(machineFiles, dir);
    assert.deepEqual(after.stateOf(PHOTO.id), { state: 'partial', bytes: 4 * GRID_BYTES });
    putAll(after, pieces.slice(4));
    await after.settle();
    assert.deepEqual(await bytesIn(after, PHOTO.id), PHOTO.bytes);
    after.close();
  });

  it('is not spoiled by another origin that sends wrong bytes under its hash', async () => {
    const store = openBlobStore(machineFiles, tempDir());
    const forged = piecesOf({ ...contentOf(700_000, 2), sha256: PHOTO.sha256 });
    putAll(store, forged, 1, DEVICE_B);
    putAll(store, piecesOf(PHOTO), 1, DEVICE_A);
    await store.settle();
    assert.deepEqual(await bytesIn(store, PHOTO.id), PHOTO.bytes);
    assert.equal(store.stat().partial, 0);
    store.close();
  });

  it('that is wrong is dropped, and can come again', async () => {
    const store = openBlobStore(machineFiles, tempDir());
    putAll(store, piecesOf({ ...contentOf(700_000, 2), sha256: PHOTO.sha256 }));
    await store.settle();
    assert.equal(store.stateOf(PHOTO.id).state, 'missing');
    putAll(store, piecesOf(PHOTO));
    await store.settle();
    assert.equal(store.stateOf(PHOTO.id).state, 'whole');
    store.close();
  });

  it('that rots on the card is put aside when it is read, and counts as missing', async () => {
    const dir = tempDir();
    const before = openBlobStore(machineFiles, dir);
    putAll(before, piecesOf(PHOTO));
    await before.settle();
    before.close();
    const path = `${dir}/blobs/${PHOTO.id.slice(0, 2)}/${PHOTO.id}.700000`;
    const bytes = readFileSync(path);
    bytes[333_333] = (bytes[333_333] as number) ^ 1;
    writeFileSync(path, bytes);
    const store = openBlobStore(machineFiles, dir);
    assert.equal(store.stateOf(PHOTO.id).state, 'whole');
    const reads = await Promise.all([store.read(PHOTO.id), store.read(PHOTO.id)]);
    assert.deepEqual(reads, [undefined, undefined]);
    assert.equal(store.stateOf(PHOTO.id).state, 'missing');
    assert.equal(store.stat().quarantined, 1);
    assert.deepEqual(readdirSync(`${dir}/quarantine`), [`${PHOTO.id}.700000`]);
    putAll(store, piecesOf(PHOTO));
    await store.settle();
    assert.deepEqual(await bytesIn(store, PHOTO.id), PHOTO.bytes);
    store.close();
  });
});

describe('room', () => {
  const limits = {
    bytesMax: 1_500_000,
    countMax: 100,
    contentBytesMax: 1_000_000,
    freeBytesMin: 0,
  };

  it('is made by what has its receipt, never by what has none', async () => {
    let receiptedLsn: number | undefined;
    const dir = tempDir();
    const options = { limits, receiptedLsn: () => receiptedLsn };
    const store = openBlobStore(machineFiles, dir, options);
    const [one, two, three] = [contentOf(700_000, 3), contentOf(700_000, 4), contentOf(700_000, 5)];
    putAll(store, piecesOf(one), 10);
    putAll(store, piecesOf(two), 20);
    await store.settle();
    assert.equal(store.refusal(three.id, 700_000)?.code, 'assets.full');
    assert.equal(store.refusal(three.id, 2_000_000)?.code, 'asset.too-large');
    receiptedLsn = 9;
    assert.equal(store.refusal(three.id, 700_000)?.code, 'assets.full');
    receiptedLsn = 20;
    assert.ok(await store.read(one.id).then((content) => content?.close() ?? true));
    assert.equal(store.refusal(three.id, 700_000), undefined);
    // The one that was read later stays.
    assert.deepEqual(
      [one, two].map(({ id }) => store.stateOf(id).state),
      ['whole', 'missing'],
    );
    const { evicted, evictedBytes, refused } = store.stat();
    assert.deepEqual([evicted, evictedBytes, refused], [1, 700_000, 2]);
    store.close();
    // After a restart nobody knows what has its receipt up to `doubtLsn`.
    const later = openBlobStore(machineFiles, dir, { ...options, doubtLsn: 30 });
    assert.equal(later.refusal(contentOf(1, 9).id, 900_000)?.code, 'assets.full');
    receiptedLsn = 30;
    assert.equal(later.refusal(contentOf(1, 9).id, 900_000), undefined);
    later.close();
  });

  it('is counted in contents too', () => {
    const held = [1, 2, 3].map((usedAt) => ({ bytes: 10, throughLsn: usedAt, usedAt }));
    const room = { bytesMax: 1000, countMax: 3, spareBytes: 1000 };
    assert.equal(evictionFor(held, 10, { ...room, receiptedLsn: undefined }), undefined);
    assert.deepEqual(evictionFor(held, 10, { ...room, receiptedLsn: 3 }), held.slice(0, 1));
    assert.deepEqual(evictionFor(held, 10, { ...room, countMax: 4, receiptedLsn: 0 }), []);
  });

  it('of the disk is left to others: newcomers wait, and what has its receipt goes when they run short', async () => {
    const files = new SimFiles({ random: new SeededRandom(1), capacityBytes: 2_000_000 });
    files.makeDir('assets');
    let receiptedLsn: number | undefined;
    const store = openBlobStore(files, 'assets', {
      limits: { ...limits, bytesMax: Infinity, freeBytesMin: 500_000 },
      receiptedLsn: () => receiptedLsn,
    });
    const [one, two] = [contentOf(700_000, 3), contentOf(700_000, 4)];
    assert.equal(store.refusal(one.id, 700_000), undefined);
    putAll(store, piecesOf(one), 10);
    await store.settle();
    // Of a content that has only begun to come, the rest counts already.
    putAll(store, piecesOf(two).slice(0, 1), 20);
    assert.equal(store.refusal(contentOf(1, 9).id, 200_000)?.code, 'assets.full');
    putAll(store, piecesOf(two), 20);
    await store.settle();
    const journal = files.open('journal', 'create');
    journal.writeAt(new Uint8Array(400_000), 0);
    store.yieldRoom();
    assert.equal(store.stat().contents, 2, 'nothing has a receipt');
    receiptedLsn = 20;
    store.yieldRoom();
    assert.deepEqual(
      [one, two].map(({ id }) => store.stateOf(id).state),
      ['missing', 'whole'],
    );
    assert.equal(store.refusal(contentOf(1, 9).id, 300_000), undefined);
    assert.equal(store.refusal(contentOf(1, 9).id, 600_000), undefined);
    assert.equal(store.stat().contents, 0);
    journal.close();
    store.close();
  });
});

/** A sync that a crash cuts off never calls back. */
async function crashes(files: SimFiles, life: Promise<void>): Promise<void> {
  const ended = life.catch((error: unknown) => assert.equal((error as Error).name, 'SimCrash'));
  const crash = async (): Promise<void> => {
    while (!files.crashed) await turn(machineTimers);
  };
  await Promise.race([ended, crash()]);
}

describe('a power cut', () => {
  it('after any operation leaves what the map says, and pieces that come again make it whole', async () => {
    const content = contentOf(3 * GRID_BYTES + 10, 6);
    const pieces = piecesOf(content, GRID_BYTES);
    const life = async (files: SimFiles): Promise<void> => {
      const store = openBlobStore(files, 'assets');
      putAll(store, pieces.slice(0, 2));
      await store.settle();
      putAll(store, pieces.slice(2));
      await store.settle();
      store.close();
    };
    const whole = new SimFiles({ random: new SeededRandom(1) });
    await life(whole);
    for (let at = 1; at < whole.operations; at++) {
      const files = new SimFiles({ random: new SeededRandom(at) });
      files.faults.crashAfter = at;
      await crashes(files, life(files));
      files.powerCut();
      files.faults.crashAfter = undefined;
      const store = openBlobStore(files, 'assets');
      // The follower's cursor lags: all comes again.
      putAll(store, pieces);
      await store.settle();
      if (store.stateOf(content.id).state !== 'whole') {
        // A part whose end was torn is dropped when its hash is wrong; nothing wrong is ever served.
        putAll(store, pieces);
        await store.settle();
      }
      assert.deepEqual(await bytesIn(store, content.id), content.bytes, `after operation ${at}`);
      store.close();
    }
  });
});
