/** The file of a device's log: whatever end is torn off, what was promised is there. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { FileStorage } from '../../../src/client/node.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

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
  });
});
