/** What files.ts promises, asked of the machine's files, of the simulated ones and of counted ones alike. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'vitest';

import { systemCode } from '../../src/base/errors.ts';
import { countWrites } from '../../src/platform/files/counting-files.ts';
import type { Files } from '../../src/platform/files/files.ts';
import { machineFiles } from '../../src/platform/files/machine-files.ts';
import { SimFiles } from '../../src/platform/sim/files.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';

const text = (words: string): Uint8Array => new TextEncoder().encode(words);

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => systemCode(error) === code;
}

interface Setting {
  files: Files;
  dir: string;
  end(): void;
}

const settings: Record<string, () => Setting> = {
  machine: () => {
    const dir = mkdtempSync(join(tmpdir(), 'heliograph-files-'));
    return { files: machineFiles, dir, end: () => rmSync(dir, { recursive: true }) };
  },
  simulated: () => {
    const files = new SimFiles({ random: new SeededRandom(1), capacityBytes: 1 << 24 });
    files.makeDir('/data');
    return { files, dir: '/data', end: () => undefined };
  },
  counted: () => {
    const simulated = new SimFiles({ random: new SeededRandom(1), capacityBytes: 1 << 24 });
    simulated.makeDir('/data');
    const { files } = countWrites(simulated, ['all'], () => 'all', { monotonicMs: () => 0 });
    return { files, dir: '/data', end: () => undefined };
  },
};

for (const [name, make] of Object.entries(settings)) {
  describe(`files: ${name}`, () => {
    let setting: Setting;
    let files: Files;
    let dir: string;
    beforeEach(() => {
      setting = make();
      ({ files, dir } = setting);
    });
    afterEach(() => setting.end());

    test('reads back what was written, wherever it was written', () => {
      const file = files.open(`${dir}/a`, 'create');
      file.writeAt(text('world'), 6);
      file.writeAt(text('hello '), 0);
      const into = new Uint8Array(11);
      assert.equal(file.readAt(into, 0), 11);
      assert.deepEqual(into, text('hello world'));
      assert.equal(file.size(), 11);
      file.close();
      assert.deepEqual(files.read(`${dir}/a`), text('hello world'));
    });

    test('a closed file refuses, and does not reach a file that was opened since', () => {
      const closed = files.open(`${dir}/a`, 'create');
      closed.close();
      const next = files.open(`${dir}/b`, 'create');
      next.writeAt(text('whole'), 0);
      closed.close();
      const uses: (() => void)[] = [
        () => closed.writeAt(text('other'), 0),
        () => closed.fillZeros(0, 5),
        () => closed.readAt(new Uint8Array(5), 0),
        () => closed.size(),
        () => closed.truncate(0),
        () => closed.datasync(() => undefined),
        () => closed.datasyncNow(),
      ];
      for (const use of uses) assert.throws(use, hasCode('EBADF'));
      next.close();
      assert.deepEqual(files.read(`${dir}/b`), text('whole'));
      assert.equal(files.read(`${dir}/a`)?.length, 0);
    });

    test('zeros fill any room, beyond the end and over what was there', () => {
      const file = files.open(`${dir}/a`, 'create');
      file.writeAt(text('abcdef'), 0);
      file.fillZeros(3, 10_000);
      assert.equal(file.size(), 10_003);
      file.close();
      const expected = new Uint8Array(10_003);
      expected.set(text('abc'));
      assert.deepEqual(files.read(`${dir}/a`), expected);
    });

    test('a read past the end gives what there is', () => {
      const file = files.open(`${dir}/a`, 'create');
      file.writeAt(text('abc'), 0);
      const into = new Uint8Array(8);
      assert.equal(file.readAt(into, 1), 2);
      assert.equal(file.readAt(into, 3), 0);
      assert.equal(file.readAt(into, 90), 0);
      file.close();
    });

    test('truncate cuts, and extends with zeros', () => {
      const file = files.open(`${dir}/a`, 'create');
      file.writeAt(text('abcdef'), 0);
      file.truncate(2);
      file.truncate(5);
      file.close();
      assert.deepEqual(files.read(`${dir}/a`), Uint8Array.of(0x61, 0x62, 0, 0, 0));
    });

    test('create empties what is there, read and update need it to be there', () => {
      files.open(`${dir}/a`, 'create').writeAt(text('old'), 0);
      assert.equal(files.open(`${dir}/a`, 'update').size(), 3);
      assert.equal(files.open(`${dir}/a`, 'create').size(), 0);
      assert.throws(() => files.open(`${dir}/none`, 'read'), hasCode('ENOENT'));
      assert.throws(() => files.open(`${dir}/none`, 'update'), hasCode('ENOENT'));
      assert.throws(() => files.open(`${dir}/none/a`, 'create'), hasCode('ENOENT'));
    });

    test('datasync calls back later, without an error; datasyncNow returns', async () => {
      const file = files.open(`${dir}/a`, 'create');
      file.writeAt(text('abc'), 0);
      let returned = false;
      const error = await new Promise<Error | undefined>((resolve) => {
        file.datasync((failure) => {
          assert.ok(returned, 'not before datasync has returned');
          resolve(failure);
        });
        returned = true;
      });
      assert.equal(error, undefined);
      file.datasyncNow();
      file.close();
    });

    test('replace puts the new content in place and leaves nothing beside it', () => {
      files.replace(`${dir}/a`, text('one'));
      files.replace(`${dir}/a`, text('two'));
      assert.deepEqual(files.read(`${dir}/a`), text('two'));
      assert.deepEqual(files.list(dir), ['a']);
    });

    test('createNew leaves what is there, and nothing beside it', () => {
      assert.equal(files.createNew(`${dir}/a`, text('one')), true);
      assert.equal(files.createNew(`${dir}/a`, text('two')), false);
      assert.deepEqual(files.read(`${dir}/a`), text('one'));
      assert.deepEqual(files.list(dir), ['a']);
    });

    test('names are listed sorted, files and folders; a folder that is not there is empty', () => {
      files.makeDir(`${dir}/sub/deep`);
      for (const each of ['b', 'a', 'sub/c']) files.open(`${dir}/${each}`, 'create').close();
      assert.deepEqual(files.list(dir), ['a', 'b', 'sub']);
      assert.deepEqual(files.list(`${dir}/sub`), ['c', 'deep']);
      assert.deepEqual(files.list(`${dir}/none`), []);
      files.makeDir(`${dir}/sub`); // A folder that is there is no error.
    });

    test('rename moves and replaces, an open handle follows the file', () => {
      const file = files.open(`${dir}/a`, 'create');
      files.open(`${dir}/b`, 'create').writeAt(text('gone'), 0);
      files.rename(`${dir}/a`, `${dir}/b`);
      file.writeAt(text('kept'), 0);
      file.close();
      assert.equal(files.exists(`${dir}/a`), false);
      assert.deepEqual(files.read(`${dir}/b`), text('kept'));
      assert.throws(() => files.rename(`${dir}/none`, `${dir}/c`), hasCode('ENOENT'));
      files.syncDir(dir);
    });

    test('remove takes files and whole folders, and does not mind what is not there', () => {
      files.makeDir(`${dir}/sub`);
      files.open(`${dir}/sub/a`, 'create').close();
      files.remove(`${dir}/sub`);
      files.remove(`${dir}/none`);
      assert.equal(files.exists(`${dir}/sub/a`), false);
      assert.equal(files.exists(`${dir}/sub`), false);
      assert.equal(files.read(`${dir}/sub/a`), undefined);
    });

    test('free bytes are a number that a file fits in', () => {
      assert.ok(files.freeBytes(dir) > 1 << 20);
    });

    test('a folder has one owner at a time', () => {
      const lock = files.lockDir(dir);
      assert.throws(() => files.lockDir(dir), { code: 'data.locked' });
      lock.release();
      lock.release(); // A second time changes nothing.
      files.lockDir(dir).release();
    });
  });
}

test('files and folders of the machine are for the owner alone', () => {
  const setting = (settings['machine'] as () => Setting)();
  machineFiles.makeDir(`${setting.dir}/sub`);
  machineFiles.open(`${setting.dir}/sub/a`, 'create').close();
  assert.equal(statSync(`${setting.dir}/sub`).mode & 0o777, 0o700);
  assert.equal(statSync(`${setting.dir}/sub/a`).mode & 0o777, 0o600);
  setting.end();
});

test('folders of the machine: a link to nowhere and a file in the way are named, and a parent that takes none ends the attempt', () => {
  const setting = (settings['machine'] as () => Setting)();
  const { dir } = setting;
  symlinkSync(`${dir}/unmounted`, `${dir}/link`);
  machineFiles.open(`${dir}/file`, 'create').close();
  for (const below of ['', '/data']) {
    const nowhere = { code: 'files.refused', message: /link is a link to what is not there/ };
    assert.throws(() => machineFiles.makeDir(`${dir}/link${below}`), nowhere);
    const inTheWay = { code: 'files.refused', message: /file is no folder/ };
    assert.throws(() => machineFiles.makeDir(`${dir}/file${below}`), inTheWay);
  }
  assert.throws(() => machineFiles.makeDir('/proc/heliograph/data'), hasCode('ENOENT'));
  setting.end();
});
