/** Pages count as the medium takes them: whole, and anew after each sync. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'vitest';

import { countWrites, type CountingFiles } from '../../../../src/platform/files/counting-files.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';

const PAGE = 4_096;
let nowMs: number;
let counted: CountingFiles<'log' | 'other'>;

beforeEach(() => {
  nowMs = 0;
  const files = new SimFiles({ random: new SeededRandom(1), capacityBytes: 1 << 24 });
  files.makeDir('/d/log');
  const causeOf = (path: string): 'log' | 'other' => (path.startsWith('/d/log/') ? 'log' : 'other');
  counted = countWrites(files, ['log', 'other'], causeOf, { monotonicMs: () => nowMs });
});

function appended(sizes: readonly number[], between: (sync: () => void) => void): number {
  const file = counted.files.open('/d/log/a', 'create');
  let offset = 0;
  for (const size of sizes) {
    file.writeAt(new Uint8Array(size), offset);
    offset += size;
    between(() => file.datasyncNow());
  }
  file.close();
  return counted.writtenBytes.log;
}

test('what shares a page before it goes down counts once', () => {
  assert.equal(
    appended([100, 100, 100], () => undefined),
    PAGE,
  );
});

test('a page that is written again after a sync counts again', () => {
  assert.equal(
    appended([100, 100, 100], (sync) => sync()),
    3 * PAGE,
  );
});

test('a write over the end of a page counts both, the first only where it is new', () => {
  assert.equal(
    appended([4_000, 200], () => undefined),
    2 * PAGE,
  );
  assert.equal(counted.writtenBytes.other, 0);
});

test('a page that nobody syncs goes down by itself after a while', () => {
  assert.equal(
    appended([10, 10, 10], () => (nowMs += 20_000)),
    2 * PAGE,
  );
});

test('a replaced file counts whole pages, on its own account', () => {
  counted.files.replace('/d/users.json', new Uint8Array(5_000));
  assert.deepEqual(counted.writtenBytes, { log: 0, other: 2 * PAGE });
});

test('reading, and writing nothing, costs nothing', () => {
  counted.files.replace('/d/log/a', new Uint8Array(1));
  const before = counted.writtenBytes.log;
  const file = counted.files.open('/d/log/a', 'update');
  file.readAt(new Uint8Array(1), 0);
  file.writeAt(new Uint8Array(0), 0);
  file.close();
  assert.equal(counted.writtenBytes.log, before);
});
