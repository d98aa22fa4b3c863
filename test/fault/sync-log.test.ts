/** The sync log through crashes: wherever the process or the machine dies, lines are whole, in order, and go on. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { SyncLog } from '../../src/power/log/sync-log.ts';
import { SimClock } from '../../src/platform/sim/clock.ts';
import { SimCrash, SimFiles } from '../../src/platform/sim/files.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';

const LINES = 60;
const FILE_BYTES = 900;
const FILES_MAX = 3;

function logOn(files: SimFiles): SyncLog {
  const limits = { fileBytesMax: FILE_BYTES, filesMax: FILES_MAX };
  return SyncLog.open({ files, dir: '/log', clock: new SimClock(1_780_000_000_000), ...limits });
}

/** Writes until the crash; returns how many lines `append` took before it. */
async function writeLines(files: SimFiles): Promise<number> {
  let taken = 0;
  try {
    const log = logOn(files);
    // A card that refuses costs a line its place, so the log never says that the machine is dead.
    for (; taken < LINES && !files.crashed; taken++) {
      log.append({ event: 'decision', ops: taken, why: 'so it is' });
      await Promise.resolve(); // A full file is synced while lines go on.
    }
    log.close();
  } catch (error) {
    if (!(error instanceof SimCrash)) throw error;
  }
  return taken;
}

function diskWith(seed: number, crashAfter?: number): SimFiles {
  const files = new SimFiles({ random: new SeededRandom(seed) });
  files.faults.crashAfter = crashAfter;
  return files;
}

const whole = diskWith(0);
await writeLines(whole);

describe.each(['kill', 'powerCut'] as const)('%s', (how) => {
  test('after each operation: the lines that are left are whole and in order, and the log goes on', async () => {
    for (let crashAfter = 1; crashAfter <= whole.operations; crashAfter++) {
      const files = diskWith(crashAfter, crashAfter);
      const taken = await writeLines(files);
      assert.ok(files.crashed, `it died at operation ${crashAfter}`);
      files[how]();
      const log = logOn(files);
      const before = log.lines().map(({ ops }) => ops as number);
      const place = `${how} after operation ${crashAfter}: ${before.join()}`;
      assert.deepEqual(
        before,
        before.toSorted((a, b) => a - b),
        place,
      );
      assert.equal(new Set(before).size, before.length, place);
      // The page cache outlives a process. The line that it died over may be there or not.
      if (how === 'kill' && taken > 0) assert.ok((before.at(-1) ?? -1) >= taken - 2, place);
      for (let more = 0; more < 20; more++) log.append({ event: 'decision', ops: 1_000 + more });
      const after = logOn(files).lines();
      assert.equal(after.at(-1)?.ops, 1_019, place);
      const names = files.list('/log');
      assert.ok(names.length <= FILES_MAX, `${place}: ${names.join()}`);
      for (const name of names) assert.ok((files.read(`/log/${name}`)?.length ?? 0) <= FILE_BYTES);
    }
  });
});
