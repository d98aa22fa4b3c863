/** Files of drivers, real (a shell reads them) and simulated, behave alike; a named pipe stands for a driver that hangs. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, onTestFinished, test } from 'vitest';

import {
  type DriverFiles,
  type DriverReader,
  type DriverTexts,
  machineDriverFiles,
} from '../../src/platform/files/driver-files.ts';
import { SimDriverFiles } from '../../src/platform/sim/driver-files.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const TEXTS: Readonly<Record<string, string>> = {
  status: 'Discharging\n',
  uevent: 'POWER_SUPPLY_NAME=BAT 0\nPOWER_SUPPLY_TEMP=253\n',
  'in1:odd name': ' 13100 \n',
  'bytes\u00e9': 'a\u00b5V\n',
};

interface Place {
  readonly drivers: DriverFiles;
  readonly dir: string;
  /** One more file, which keeps who reads it waiting. */
  readonly hang: (name: string) => void;
}

function real(): Place {
  const dir = tempDir();
  for (const [name, text] of Object.entries(TEXTS)) writeFileSync(`${dir}/${name}`, text);
  mkdirSync(`${dir}/folder`);
  const hang = (name: string): void => void execFileSync('mkfifo', [`${dir}/${name}`]);
  return { drivers: machineDriverFiles, dir, hang };
}

function simulated(): Place {
  const dir = '/sys/class/hwmon/hwmon0';
  const drivers = new SimDriverFiles((path) => TEXTS[path.slice(dir.length + 1)]);
  return { drivers, dir, hang: (name) => drivers.hang(`${dir}/${name}`) };
}

function opened(drivers: DriverFiles): DriverReader {
  const reader = drivers.open();
  onTestFinished(() => reader.close());
  return reader;
}

function asked(reader: DriverReader, paths: readonly string[]): Promise<DriverTexts> {
  return new Promise((resolve) => reader.read(paths, resolve));
}

function suite(open: () => Place): void {
  test('what each file says, again and again; what says nothing is absent', async () => {
    const { drivers, dir } = open();
    const reader = opened(drivers);
    for (let times = 0; times < 3; times++) {
      const names = [...Object.keys(TEXTS), 'missing', 'folder'];
      const paths = names.map((name) => `${dir}/${name}`);
      const told = Object.entries(TEXTS).map(([name, text]) => [`${dir}/${name}`, text.trim()]);
      assert.deepEqual(Object.fromEntries(await asked(reader, paths)), Object.fromEntries(told));
    }
    assert.equal((await asked(reader, [])).size, 0);
    assert.equal((await asked(reader, [`${dir}/missing`])).size, 0);
  });

  test('one that hangs keeps nobody else waiting, and is left by its reader', async () => {
    const { drivers, dir, hang } = open();
    hang('stuck');
    const reader = opened(drivers);
    reader.read([`${dir}/status`, `${dir}/stuck`], () => assert.fail('it hangs'));
    const texts = await asked(opened(drivers), [`${dir}/status`]);
    assert.equal(texts.get(`${dir}/status`), 'Discharging');
    reader.close();
  });
}

describe('real', () => {
  suite(real);

  test('nobody is left at a driver that hangs', async () => {
    const { drivers, dir, hang } = real();
    hang('stuck');
    const reader = opened(drivers);
    reader.read([`${dir}/stuck`], () => assert.fail('it hangs'));
    await untilReading(`${dir}/stuck`, true);
    reader.close();
    await untilReading(`${dir}/stuck`, false);
  });

  test('a shell that dies costs one answer', async () => {
    const { drivers, dir } = real();
    const reader = opened(drivers);
    const flood = { length: 300_000 };
    writeFileSync(`${dir}/endless`, Array.from(flood, () => 'x').join('\n'));
    assert.equal((await asked(reader, [`${dir}/endless`])).size, 0, 'ended: it says too much');
    assert.equal((await asked(reader, [`${dir}/status`])).size, 1);
  });
});

describe('simulated', () => suite(simulated));

async function untilReading(path: string, isRead: boolean): Promise<void> {
  while (isNamedBySomebody(path) !== isRead) await new Promise(setImmediate);
}

/** Whether a process runs that was told this path. */
function isNamedBySomebody(path: string): boolean {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return processes.some((name) => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(path);
    } catch {
      return false; // It has just ended.
    }
  });
}
