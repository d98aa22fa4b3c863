import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { SyncLog, type SyncLogLine } from '../../../../src/power/log/sync-log.ts';

const START_MS = 1_780_000_000_000;

function rig(): { clock: SimClock; files: SimFiles; open: () => SyncLog } {
  const clock = new SimClock(START_MS);
  const files = new SimFiles({ random: new SeededRandom(1) });
  const limits = { fileBytesMax: 1_000, filesMax: 3 };
  return { clock, files, open: () => SyncLog.open({ files, dir: '/log', clock, ...limits }) };
}

test('a line is stamped, kept and read back after a restart', () => {
  const { open } = rig();
  const log = open();
  const line = log.append({ event: 'state', state: 'saver', socPct: 41, why: 'files wait' });
  assert.deepEqual(line, {
    at: '2026-05-28T20:26:40.000Z',
    clock: 'ntp',
    event: 'state',
    state: 'saver',
    socPct: 41,
    why: 'files wait',
  });
  log.close();
  assert.deepEqual(open().lines(), [line]);
});

test('files rotate by size and the oldest go: the log never grows beyond its limit', () => {
  const { open, files } = rig();
  const log = open();
  for (let i = 0; i < 200; i++) log.append({ event: 'decision', ops: i });
  assert.equal(files.list('/log').length, 3);
  const bytes = files.list('/log').map((name) => files.read(`/log/${name}`)?.length ?? 0);
  for (const size of bytes) assert.ok(size <= 1_000);
  assert.ok(log.bytes <= 3_000);
  const ops = log.lines().map((line) => line.ops);
  assert.equal(ops.at(-1), 199);
  assert.deepEqual(
    ops,
    Array.from(ops, (_, i) => 200 - ops.length + i),
    'newest lines, without a gap',
  );
});

test('lines since a moment, and no more than asked for, the newest of them', async () => {
  const { open, clock } = rig();
  const log = open();
  for (let i = 0; i < 40; i++) {
    log.append({ event: 'decision', ops: i });
    await clock.advance(1_000);
  }
  const since = log.lines({ sinceMs: START_MS + 35_000 });
  assert.deepEqual(
    since.map((line) => line.ops),
    [35, 36, 37, 38, 39],
  );
  assert.deepEqual(
    log.lines({ limit: 2 }).map((line) => line.ops),
    [38, 39],
  );
});

test('a torn last line is cut when the log opens again; a damaged one in the middle is left out', () => {
  const { open, files } = rig();
  const log = open();
  for (let i = 0; i < 3; i++) log.append({ event: 'decision', ops: i });
  log.close();
  const path = '/log/sync-00000001.jsonl';
  const whole = Buffer.from(files.read(path) ?? []);
  files.replace(path, Buffer.concat([whole, Buffer.from('{"at":"2026-0')]));
  const again = open();
  again.append({ event: 'decision', ops: 3 });
  assert.deepEqual(
    again.lines().map((line) => line.ops),
    [0, 1, 2, 3],
  );
  again.close();
  const damaged = Buffer.from(files.read(path) ?? []);
  damaged[damaged.indexOf('\n') + 5] = 0xff;
  files.replace(path, damaged);
  assert.deepEqual(
    open()
      .lines()
      .map((line) => line.ops),
    [0, 2, 3],
  );
});

test('a card that refuses loses the line on it, never the hub; the next line goes where it belongs', () => {
  const { open, files } = rig();
  const log = open();
  log.append({ event: 'decision', ops: 0 });
  files.faults.failWrites = new Map([[files.writes + 1, 'ENOSPC']]);
  const heard: SyncLogLine[] = [];
  log.follow((line) => heard.push(line));
  log.append({ event: 'decision', ops: 1 });
  assert.equal(heard.length, 1, 'whoever follows still hears it');
  log.append({ event: 'decision', ops: 2 });
  log.close();
  assert.deepEqual(
    open()
      .lines()
      .map((line) => line.ops),
    [0, 2],
  );
});

test('a listener hears lines until it cancels', () => {
  const { open } = rig();
  const log = open();
  const heard: SyncLogLine[] = [];
  const cancel = log.follow((line) => heard.push(line));
  log.append({ event: 'fault' });
  cancel();
  log.append({ event: 'fault' });
  assert.equal(heard.length, 1);
});
