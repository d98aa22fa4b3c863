/** The uplink over the real journal: what it releases is receipted, and nothing is missed on the way. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { inlineCompressor } from '../../../src/batch/compression.ts';
import { Journal } from '../../../src/journal/journal.ts';
import { PLAIN_SEALER } from '../../../src/journal/sealer.ts';
import { encodeOpEntry } from '../../../src/model/entry.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { MachineClock, machineTimers } from '../../../src/platform/clock.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { Outbox } from '../../../src/uplink/outbox.ts';
import { HUB, SITE, stampedOps, START_MS } from '../../support/made/batches.ts';

test('batches follow the journal over its segments, and let it release them', async () => {
  const random = new SeededRandom(5);
  const files = new SimFiles({ random });
  files.makeDir('hub');
  const openJournal = (): Promise<Journal> =>
    Promise.resolve(
      Journal.open({
        files,
        dir: 'hub/journal',
        clock: new MachineClock(),
        timers: machineTimers,
        log: SILENT_LOG,
        random,
        segmentBytes: 64 << 10,
        totalBytesMax: 4 << 20,
        freeBytesMin: 0,
        sealer: PLAIN_SEALER,
      }),
    );
  const openOutbox = (journal: Journal): Outbox =>
    Outbox.open({
      journal,
      files,
      dir: 'hub/uplink',
      site: SITE,
      signer: HUB,
      compressor: inlineCompressor,
      clock: new SimClock(START_MS),
      timers: machineTimers,
      log: SILENT_LOG,
      sealLimits: { opsMax: 150, opBytesMax: 1 << 20 },
      spoolBytesMax: 1 << 20,
    });
  let journal = await openJournal();
  for (let from = 1; from <= 2_000; from += 100) {
    for (const { bytes, stamp } of stampedOps(from, from + 99)) {
      journal.append(encodeOpEntry(bytes, stamp), 0);
    }
    await journal.whenDurable(from + 99);
  }
  let outbox = openOutbox(journal);
  while (outbox.unsealed.scan());
  assert.equal(outbox.backlog()[TELEMETRY].ops, 2_000);
  let next = 1;
  for (let round = 0; outbox.backlog()[TELEMETRY].ops > 0; round++) {
    const batch = await outbox.seal(TELEMETRY);
    assert.ok(batch);
    const [range] = batch.manifest.ranges;
    assert.equal(range?.from, next, 'no op is left out');
    next = (range?.to ?? 0) + 1;
    outbox.receipted(batch.id);
    journal.release(outbox.receiptedLsn);
    if (round === 6) {
      await journal.close();
      journal = await openJournal();
      outbox = openOutbox(journal);
      while (outbox.unsealed.scan());
      assert.equal(outbox.backlog()[TELEMETRY].ops, 2_000 - next + 1);
    }
  }
  assert.equal(next, 2_001);
  assert.equal(outbox.receiptedLsn, 2_000);
  assert.ok(journal.firstLsn > 1_000, 'whole segments were released on the way');
  await journal.close();
});
