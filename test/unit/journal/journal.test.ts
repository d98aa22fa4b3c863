import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { Journal } from '../../../src/journal/journal.ts';
import { PLAIN_SEALER } from '../../../src/journal/sealer.ts';
import { machineFiles } from '../../../src/platform/machine-files.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { machineRandom } from '../../../src/platform/random.ts';

test('smoke', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'heliograph-journal-'));
  const options = {
    files: machineFiles,
    dir: join(dir, 'journal'),
    timers: machineTimers,
    log: SILENT_LOG,
    random: machineRandom,
    segmentBytes: 1 << 16,
    totalBytesMax: 1 << 24,
    freeBytesMin: 0,
    sealer: PLAIN_SEALER,
  };
  let lsn = 0;
  for (let run = 0; run < 5; run++) {
    const j = await Journal.open(options);
    for (let i = 0; i < 300; i++) {
      lsn = j.append(new Uint8Array(200).fill(lsn + 1), 0);
      if (i % 10 === 0) await j.whenDurable(lsn);
    }
    await j.whenDurable(lsn);
    const c = j.cursor(1);
    let n = 0;
    for (let e = c.next(); e !== undefined; e = c.next()) {
      n++;
      assert.equal(e.lsn, n);
      assert.equal(e.entry[0], n & 255);
    }
    assert.equal(n, lsn);
    if (run % 2) await j.close();
    else {
      await j.close();
    }
  }
  rmSync(dir, { recursive: true });
});
