/** `heliograph pilot` before and beside the month itself: what it refuses, and what it leaves behind. */
import assert from 'node:assert/strict';
import { beforeEach, expect, test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { EXIT } from '../../../../src/cli/io.ts';
import { progressText } from '../../../../src/cli/pilot/pilot.ts';
import { sumOf } from '../../../../src/cli/pilot/pilot-measures.ts';
import { machineTimers } from '../../../../src/platform/clock.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { CliWorld } from '../../../support/simulated/cli.ts';

let world: CliWorld;
/** The light model lets the machine's events through. */
const timers = machineTimers;

beforeEach(() => {
  world = new CliWorld();
});

test.each([
  ['--days 0', /--days/],
  ['--days 400', /--days.*366/],
  ['--devices 0', /--devices/],
  ['--policy wrong', /--policy is one of never, .*not "wrong"/],
  ['--faults kill,rain', /--faults is all, none, or some of/],
  ['--trace /none.csv', /there is no file \/none\.csv/],
  ['--out /none/r.html', /there is no folder \/none/],
  ['--policy hourly --out /r.html', /--out needs the whole program/],
  ['--measures --out /r.html', /--out needs the whole program/],
])('pilot %s is refused before the first day', async (options, advice) => {
  const { code, stdout, stderr } = await world.run(`pilot ${options}`);
  assert.deepEqual([code, stdout], [EXIT.usage, '']);
  assert.match(stderr, advice);
});

test('a folder is no place for a report, and told before the first day', async () => {
  const dir = tempDir();
  const change = { files: machineFiles };
  const { code, stderr } = await world.run(`pilot --out ${dir}`, change);
  assert.equal(code, EXIT.usage);
  assert.match(stderr, /is a folder; name a file in it/);
});

test.each([
  ['', /the file is empty/],
  ['time,ghi_wm2\n', /at least 24 rows/],
  ['time,ghi_wm2\n2026-03-01T06:00:00Z,12\n', /at least 24 rows/],
  ['when;sun\n', /names the columns time and ghi_wm2/],
])('a trace that is none is refused: %j', async (csv, advice) => {
  world.files.replace('/t.csv', utf8(csv));
  const { code, stderr } = await world.run('pilot --trace /t.csv');
  assert.equal(code, EXIT.usage);
  assert.match(stderr, advice);
});

test('of the measures that are missed, those are counted apart that nobody else holds', () => {
  assert.equal(sumOf(300, 0, 0), '300 of 300 measures hold.');
  const all = 'that perfect foresight and the fewest sessions miss, too';
  assert.equal(sumOf(300, 2, 2), `298 of 300 measures hold; 2 ${all}.`);
  assert.equal(sumOf(300, 3, 2), `297 of 300 measures hold; 2 ${all}, 1 missed by ours alone.`);
});

test('one policy alone, for a day', async () => {
  const { code, stdout } = await world.run('pilot --days 1 --policy hourly --json', { timers });
  assert.equal(code, EXIT.done);
  const { policies, pilot } = JSON.parse(stdout) as { policies: unknown[]; pilot?: unknown };
  expect(policies).toMatchObject([{ policy: 'hourly' }]);
  assert.equal(pilot, undefined);
});

test.each(['--policy all', '--measures'])('interrupted, pilot %s ends', async (options) => {
  const { code, stdout, stderr } = await world.run(`pilot ${options}`, {
    timers,
    signal: AbortSignal.abort(),
  });
  assert.deepEqual([code, stdout], [EXIT.failed, '']);
  assert.match(stderr, /Interrupted: nothing is proven/);
});

test('on a terminal a month says how far it is', () => {
  assert.equal(progressText(1, 30, 3_000), 'day 1 of 30, 1 min to go');
  assert.equal(progressText(20, 30, 60_000), 'day 20 of 30, 30 s to go');
  assert.equal(progressText(30, 30, 90_000), 'day 30 of 30, sending what is left');
});
