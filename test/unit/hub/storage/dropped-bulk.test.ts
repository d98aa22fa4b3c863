import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { DroppedBulk, droppedIn } from '../../../../src/hub/storage/dropped-bulk.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';

const PATH = '/data/dropped';

function open(files: SimFiles): DroppedBulk {
  return DroppedBulk.open({ files, path: PATH, log: SILENT_LOG });
}

async function drop(book: DroppedBulk, ops: number): Promise<object[]> {
  const lines: object[] = [];
  const monitor = { append: (line: object) => lines.push(line) };
  const waiting = {
    receiptedLsnBut: () => 100,
    giveUp: (_classes: unknown, _throughLsn: number, release: () => boolean) =>
      Promise.resolve(release() ? { ops, bytes: 10 * ops } : undefined),
  };
  const droppable = book.droppable(waiting, { monitor } as never);
  assert.equal(await droppable.giveUp(100, () => false), false);
  assert.equal(await droppable.giveUp(100, () => true), true);
  return lines;
}

test('what was dropped is counted over restarts, and each time told once', async () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('/data');
  const first = open(files);
  assert.equal(first.fault(1), undefined);
  assert.equal((await drop(first, 3)).length, 1);
  assert.equal((await drop(first, 0)).length, 0, 'log lines of the hub alone');
  const second = open(files);
  await drop(second, 2);
  assert.deepEqual(open(files).total, { ops: 5, bytes: 50 });
  assert.equal(second.fault(0.5)?.code, 'journal.bulk-dropped');
  assert.equal(second.fault(0.4), undefined);
});

test.each(['', '3', '-1 2\n', '1 2 3\n', 'x y\n'])('a file that says %j says nothing', (text) => {
  assert.deepEqual(droppedIn(utf8(text)), { ops: 0, bytes: 0 });
});
