import assert from 'node:assert/strict';
import { test } from 'vitest';

import { systemError } from '../../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { Quarantine } from '../../../../src/journal/recovery/quarantine.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';

test('ranges are in the order of their numbers, also after a restart', () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('journal');
  const first = new Quarantine(files, 'journal', SILENT_LOG);
  for (const fromLsn of [22, 125, 9]) {
    first.keep({ segment: 1, fromLsn, toLsn: fromLsn + 1 }, () => new Uint8Array(4));
  }
  const again = new Quarantine(files, 'journal', SILENT_LOG);
  assert.deepEqual(
    again.ranges.map(({ fromLsn }) => fromLsn),
    [9, 22, 125],
  );
});

test('a folder that cannot be listed may hold a segment, and ends nothing', () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('journal');
  const quarantine = new Quarantine(files, 'journal', SILENT_LOG);
  assert.equal(quarantine.holdsSegments, false);
  files.list = () => {
    throw systemError('EIO', 'scandir journal/quarantine');
  };
  assert.equal(quarantine.holdsSegments, true);
});
