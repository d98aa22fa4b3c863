/** The file of what this hub was told that it lacks. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { textOf, utf8 } from '../../../../src/base/bytes.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { holesIn, keepHoles } from '../../../../src/hub/storage/hole-file.ts';
import { HoleBook } from '../../../../src/ingest/door/hole-book.ts';
import { RECORD } from '../../../../src/model/class.ts';
import { laneOf } from '../../../../src/model/origin.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { DEVICE_A } from '../../../support/made/ops.ts';

const LANE = laneOf(DEVICE_A, RECORD);
const VECTOR = new Map([[LANE, 99]]);
const clock = new SimClock(1_800_000_000_000);

function open(files: SimFiles): HoleBook {
  const book = new HoleBook();
  keepHoles(book, VECTOR, { files, path: '/data/holes', timers: clock, log: SILENT_LOG });
  return book;
}

describe('what devices and peers have told', () => {
  test('is there after a power cut: of devices all, what came since a moment later', async () => {
    const files = new SimFiles({ random: new SeededRandom(1) });
    files.makeDir('/data');
    const book = open(files);
    book.tell(LANE, 1, 50, 1_000, 'tablet of Lena');
    files.powerCut();
    assert.equal(
      textOf(files.read('/data/holes') ?? new Uint8Array(0)),
      `${DEVICE_A} 2 1-50 1000 open tablet of Lena\n`,
    );
    assert.deepEqual(open(files).told, book.told);
    book.fill(LANE, 7);
    book.tell(LANE, 60, 61, 2_000);
    book.close(({ from }) => from === 60, 0);
    await clock.advance(1_000);
    files.powerCut();
    assert.deepEqual(open(files).told, book.told);
    assert.equal(book.told.length, 3);
  });

  test('is there but for the line that the card has damaged', () => {
    const lines = [1, 2, 3].map((n) => `${DEVICE_A} 2 ${n}-${n} 1000 open ana\n`).join('');
    const bytes = utf8(lines);
    bytes[lines.indexOf('2-2')] = 0xff;
    assert.deepEqual(
      holesIn(bytes).map(({ from }) => from),
      [1, 3],
    );
  });

  test('that cannot be written down is told in the log, and the hub works on', () => {
    const files = new SimFiles({ random: new SeededRandom(1) });
    files.makeDir('/data');
    files.faults.failWrites = new Map([[files.writes + 1, 'ENOSPC']]);
    const book = open(files);
    assert.ok(book.tell(LANE, 1, 50, 1_000, 'tablet'));
    assert.ok(book.has(LANE, 3));
  });

  test('is read line by line, and what is none is passed over', () => {
    const lines = `x\n${DEVICE_A} 7 1-2 0 open \n${DEVICE_A} 2 1-2 0 closed \n`;
    assert.deepEqual(
      holesIn(utf8(lines)).map(({ isClosed, device }) => [isClosed, device]),
      [[true, undefined]],
    );
    assert.deepEqual(holesIn(Uint8Array.of(0xff)), []);
    assert.deepEqual(holesIn(undefined), []);
  });
});
