/** What a machine tells of itself: the real one and the simulated one alike. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, onTestFinished, test, vi } from 'vitest';

import { systemError } from '../../src/base/errors.ts';
import { type Host, MachineHost } from '../../src/platform/host.ts';
import { SimHost } from '../../src/platform/sim/host.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const KINDS: Readonly<Record<string, () => Host>> = {
  machine: () => new MachineHost(),
  simulated: () => new SimHost(),
};

describe.each(Object.entries(KINDS))('%s', (_, open) => {
  test('memory and disk are what there is, and what is free of it', () => {
    const figures = open().figures(tmpdir());
    assert.ok(figures.memoryBytes > 100e6);
    assert.ok(figures.memoryFreeBytes > 0 && figures.memoryFreeBytes <= figures.memoryBytes);
    assert.ok(figures.diskFreeBytes > 0 && figures.diskFreeBytes <= figures.diskBytes);
    assert.ok(!('cpuTempC' in figures) || (figures.cpuTempC ?? 0) > 0);
  });

  test('a process is known by its memory and its time', () => {
    const figures = open().processFigures();
    assert.ok(figures !== undefined);
    assert.ok(figures.rssBytes > 10e6 && figures.cpuS > 0);
  });

  test('files and connections have a limit that a hub can live with', () => {
    assert.ok(open().openFilesMax() >= 256);
  });

  test('of a process that is not there nothing is known', () => {
    assert.equal(open().processFigures(2 ** 30), undefined);
  });
});

test('fields of /proc are found behind a name with brackets and spaces', () => {
  const proc = tempDir();
  mkdirSync(join(proc, '7'));
  const fields = ['S', ...Array.from({ length: 10 }, () => '1'), '250', '50', '0'];
  writeFileSync(join(proc, '7/stat'), `7 (a ) b) ${fields.join(' ')}\n`);
  writeFileSync(join(proc, '7/status'), 'VmHWM:\t 4096 kB\nVmRSS:\t    2048 kB\n');
  writeFileSync(join(proc, '7/io'), 'wchar: 9\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n');
  const host = new MachineHost({ proc, thermal: proc });
  assert.deepEqual(host.processFigures(7), {
    rssBytes: 2_097_152,
    rssPeakBytes: 4_194_304,
    cpuS: 3,
    writtenBytes: 4_096,
  });
});

test('a process that may open no file knows nothing of itself, and lives on', () => {
  const rss = vi.spyOn(process.memoryUsage, 'rss').mockImplementation(() => {
    throw systemError('EMFILE', 'uv_resident_set_memory');
  });
  onTestFinished(() => rss.mockRestore());
  const nowhere = join(tempDir(), 'nowhere');
  assert.equal(new MachineHost({ proc: nowhere, thermal: nowhere }).processFigures(), undefined);
});

test('the warmest zone counts, and a zone that cannot be read does not', () => {
  const dir = tempDir();
  for (const [zone, text] of [
    ['0', '41000'],
    ['1', '52500'],
    ['2', ''],
  ] as const) {
    mkdirSync(join(dir, `thermal_zone${zone}`));
    writeFileSync(join(dir, `thermal_zone${zone}/temp`), text === '' ? 'broken' : `${text}\n`);
  }
  mkdirSync(join(dir, 'cooling_device0'));
  assert.equal(new MachineHost({ proc: dir, thermal: dir }).figures(dir).cpuTempC, 52.5);
  const without = new MachineHost({ proc: dir, thermal: join(dir, 'nowhere') }).figures(dir);
  assert.ok(!('cpuTempC' in without));
});
