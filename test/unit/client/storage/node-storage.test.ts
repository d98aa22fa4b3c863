/** The file of a device's log: whatever end is torn off, what was promised is there. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import type { HubError } from '../../../../src/base/errors.ts';
import { connect } from '../../../../src/client/node.ts';
import { FileStorage } from '../../../../src/client/storage/file-storage.ts';
import { frameEntries } from '../../../../src/client/storage/frames.ts';
import { childOfDeafParent, statOf } from '../../../support/machine/deaf-parent.ts';
import { fillDisk, smallDisk, testWithMounts } from '../../../support/machine/small-disk.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

/** Entries are arrays. */
const entry = (text: string): Uint8Array => Uint8Array.of(0x81, ...utf8(text));

const texts = (storage: FileStorage): string[] =>
  storage.entries.map((bytes) => String.fromCharCode(...bytes.subarray(1)));

describe('the log of a device in a file', () => {
  it('is there after a restart, whole entries only, wherever its end is torn', async () => {
    const dir = tempDir();
    const path = join(dir, 'outbox.log');
    const storage = FileStorage.open(dir);
    await storage.append([entry('one'), entry('two')]);
    const promised = readFileSync(path).length;
    await storage.append([entry('three')]);
    await storage.close();
    const whole = readFileSync(path);
    for (let length = promised; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      const torn = FileStorage.open(dir);
      assert.deepEqual(texts(torn), ['one', 'two']);
      await torn.append([entry('four')]);
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

  it('comes to nothing where its end was never written, or was being written', async () => {
    const dir = tempDir();
    const storage = FileStorage.open(dir);
    await storage.append([entry('one')]);
    await storage.close();
    appendFileSync(join(dir, 'outbox.log'), new Uint8Array(4096));
    const torn = FileStorage.open(dir);
    assert.deepEqual(texts(torn), ['one']);
    assert.equal(torn.damage, undefined);
    await torn.append([entry('two')]);
    await torn.close();
    const again = FileStorage.open(dir);
    assert.deepEqual(texts(again), ['one', 'two']);
    await again.close();
  });

  it('keeps what lies around damage, and the damage aside, whatever byte it is', async () => {
    const dir = tempDir();
    const path = join(dir, 'outbox.log');
    const aside = join(dir, 'outbox.damaged');
    const storage = FileStorage.open(dir);
    await storage.append(['one', 'two', 'three'].map(entry));
    await storage.close();
    const whole = readFileSync(path);
    const [first, second] = [12, 12];
    for (let at = 0; at < first + second; at++) {
      writeFileSync(path, whole.with(at, (whole[at] as number) ^ 0x10));
      const damaged = FileStorage.open(dir);
      const left = at < first ? ['two', 'three'] : ['one', 'three'];
      assert.deepEqual(texts(damaged), left, `byte ${at}`);
      assert.match(damaged.damage ?? '', /outbox\.damaged/);
      await damaged.append([entry('four')]);
      await damaged.close();
      // It is told until the log is written anew.
      const next = FileStorage.open(dir);
      assert.deepEqual(texts(next), [...left, 'four']);
      assert.notEqual(next.damage, undefined);
      await next.replace(next.entries);
      await next.close();
      assert.equal(statSync(aside).size, at < first ? first : second);
      const mended = FileStorage.open(dir);
      assert.deepEqual(texts(mended), [...left, 'four']);
      assert.equal(mended.damage, undefined);
      await mended.close();
    }
  });

  it('tells the program of damage when it opens the device', async () => {
    const options = { url: 'mqtt://127.0.0.1:1', dir: tempDir() };
    const path = join(options.dir, 'outbox.log');
    const made = await connect(options);
    for (const title of ['one', 'two', 'three']) void made.record('orders/1').set({ title });
    await made.close();
    const log = readFileSync(path);
    const at = log.indexOf('two');
    writeFileSync(path, log.with(at, 0));
    const troubles: string[] = [];
    for (let start = 0; start < 2; start++) {
      const onTrouble = ({ code }: HubError): unknown => troubles.push(code);
      const device = await connect({ ...options, onTrouble });
      assert.equal(device.status.pending, 2);
      await device.close();
    }
    assert.deepEqual(troubles, ['client.log-damaged'], 'once');
  });

  it('gives no state that is damaged, and one as earlier versions kept it', async () => {
    const dir = tempDir();
    const path = join(dir, 'state.cbor');
    const state = Uint8Array.of(0x86, 1, 2, 3);
    const read = async (file: Uint8Array): Promise<Uint8Array | undefined> => {
      writeFileSync(path, file);
      const storage = FileStorage.open(dir);
      await storage.close();
      return storage.state;
    };
    const storage = FileStorage.open(dir);
    await storage.saveState(state);
    await storage.close();
    const whole = new Uint8Array(readFileSync(path));
    assert.deepEqual(await read(whole), state);
    for (let at = 0; at < whole.length; at++) {
      assert.equal(await read(whole.with(at, (whole[at] as number) ^ 0x10)), undefined);
      assert.equal(await read(whole.subarray(0, at)), undefined);
    }
    assert.deepEqual(await read(state), state);
  });

  it('is replaced as a whole', async () => {
    const dir = tempDir();
    const storage = FileStorage.open(dir);
    await storage.append([entry('one')]);
    await storage.replace([entry('head')]);
    await storage.append([entry('two')]);
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

  it('is not held by a process that was killed, and whose parent never asks how it ended', async () => {
    const dir = tempDir();
    const child = await childOfDeafParent();
    try {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
      writeFileSync(join(dir, 'lock'), `${child.pid} ${statOf(child.pid)[19]} ${boot}`);
      assert.throws(() => FileStorage.open(dir), /has this device open/);
      await child.kill();
      await FileStorage.open(dir).close();
    } finally {
      child.close();
    }
  });

  it('is free again where opening it has failed', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'state.cbor'));
    assert.throws(() => FileStorage.open(dir), /EISDIR/);
    rmdirSync(join(dir, 'state.cbor'));
    writeFileSync(join(dir, 'outbox.log'), frameEntries([entry('no log')]));
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
    await storage.append([entry('one')]);
    await storage.close();
    const again = FileStorage.open(disk);
    assert.deepEqual(texts(again), ['one']);
    await again.close();
  });
});
