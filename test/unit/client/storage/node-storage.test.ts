/** The file of a device's log: whatever end is torn off, what was promised is there. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { connect } from '../../../../src/client/node.ts';
import { FileStorage } from '../../../../src/client/storage/file-storage.ts';
import { frameEntries } from '../../../../src/client/storage/frames.ts';
import { fillDisk, smallDisk, testWithMounts } from '../../../support/machine/small-disk.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const texts = (storage: FileStorage): string[] =>
  storage.entries.map((entry) => String.fromCharCode(...entry));

describe('the log of a device in a file', () => {
  it('is there after a restart, whole entries only, wherever its end is torn', async () => {
    const dir = tempDir();
    const path = join(dir, 'outbox.log');
    const storage = FileStorage.open(dir);
    await storage.append([utf8('one'), utf8('two')]);
    const promised = readFileSync(path).length;
    await storage.append([utf8('three')]);
    await storage.close();
    const whole = readFileSync(path);
    for (let length = promised; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      const torn = FileStorage.open(dir);
      assert.deepEqual(texts(torn), ['one', 'two']);
      await torn.append([utf8('four')]);
      await torn.close();
      const again = FileStorage.open(dir);
      assert.deepEqual(texts(again), ['one', 'two', 'four']);
      await again.close();
    }
    const flipped = Uint8Array.from(whole, (byte, at) => (at === promised + 9 ? byte ^ 1 : byte));
    writeFileSync(path, flipped);
    const mended = FileStorage.open(dir);
    assert.deepEqual(texts(mended), ['one', 'two']);
    await mended.close();
  });

  it('is replaced as a whole', async () => {
    const dir = tempDir();
    const storage = FileStorage.open(dir);
    await storage.append([utf8('one')]);
    await storage.replace([utf8('head')]);
    await storage.append([utf8('two')]);
    await storage.saveState(utf8('state'));
    await storage.close();
    const again = FileStorage.open(dir);
    assert.deepEqual(texts(again), ['head', 'two']);
    assert.deepEqual(again.state, utf8('state'));
    await again.close();
  });

  it('belongs to one process; a dead one does not block', async () => {
    const dir = tempDir();
    const storage = FileStorage.open(dir);
    assert.throws(() => FileStorage.open(dir), /has this device open/);
    await storage.close();
    writeFileSync(join(dir, 'lock'), '999999999');
    await FileStorage.open(dir).close();
    // After a power cut, the number of the dead one is that of another process: it may be ours.
    for (const birth of ['', ' 1 0f5c2c3e-0000-4000-8000-000000000000']) {
      writeFileSync(join(dir, 'lock'), `${process.pid}${birth}`);
      await FileStorage.open(dir).close();
    }
  });

  it('is free again where opening it has failed', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'state.cbor'));
    assert.throws(() => FileStorage.open(dir), /EISDIR/);
    rmdirSync(join(dir, 'state.cbor'));
    writeFileSync(join(dir, 'outbox.log'), frameEntries([utf8('no log')]));
    const options = { url: 'mqtt://127.0.0.1:1', dir };
    await assert.rejects(connect(options), { code: 'client.storage' });
    await assert.rejects(connect(options), /no log of this version/);
  });

  testWithMounts('takes nothing on a full disk, and more when there is room', async () => {
    const disk = smallDisk(1);
    const storage = FileStorage.open(disk);
    fillDisk(disk);
    const large = new Uint8Array(64 * 1024);
    await assert.rejects(storage.append([large]), { code: 'client.storage-full' });
    await assert.rejects(storage.replace([large]), { code: 'client.storage-full' });
    rmSync(join(disk, 'ballast'));
    await storage.append([utf8('one')]);
    await storage.close();
    const again = FileStorage.open(disk);
    assert.deepEqual(texts(again), ['one']);
    await again.close();
  });
});
