/** When summaries are made: only in need, once for each stretch, over restarts. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { parseSummary, type Summary } from '../../../../src/batch/summary.ts';
import { Summaries, summaryKey } from '../../../../src/hub/uplink/summaries.ts';
import { perClass, RECORD, TELEMETRY } from '../../../../src/model/class.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import type { Permission } from '../../../../src/power/govern/decision.ts';
import { START_MS, stampedOps } from '../../../support/made/batches.ts';
import { MemoryJournal } from '../../../support/memory/memory-journal.ts';
import { KeptLog } from '../../../support/simulated/uplink-world.ts';

const HUB = 'a1b2c3d4e5f60718';

class Rig {
  readonly clock = new SimClock(START_MS);
  readonly journal = new MemoryJournal();
  readonly files = new SimFiles({ random: new SeededRandom(1) });
  readonly made: Summary[] = [];
  readonly fatal: unknown[] = [];
  telemetry: Permission = 'no';
  record: Permission = 'ride';
  receiptedLsn = 0;
  #summaries = this.#open();

  restart(): void {
    this.#summaries.close();
    this.#summaries = this.#open();
  }

  #open(): Summaries {
    this.files.makeDir('hub');
    return Summaries.open({
      journal: this.journal,
      hub: HUB,
      decision: () => ({
        permissions: perClass((opClass) =>
          opClass === TELEMETRY ? this.telemetry : opClass === RECORD ? this.record : 'now',
        ),
      }),
      waiting: () => ({
        ops: this.journal.lastLsn - this.receiptedLsn,
        receiptedLsn: this.receiptedLsn,
      }),
      journalOp: (key, body) => {
        assert.equal(key, summaryKey(HUB));
        const summary = parseSummary(body);
        assert.ok(summary);
        this.made.push(summary);
      },
      files: this.files,
      path: 'hub/summed-up',
      clock: this.clock,
      timers: this.clock,
      turns: this.clock,
      log: new KeptLog(),
      onFatal: (error) => this.fatal.push(error),
    });
  }
}

const MINUTES_20 = 20 * 60_000;

test('readings that may not go are summed up once, when their window is over', async () => {
  const it = new Rig();
  it.journal.append(...stampedOps(1, 300));
  await it.clock.advance(2 * 60_000);
  assert.equal(it.made.length, 0, 'the window is still open');
  await it.clock.advance(MINUTES_20);
  assert.deepEqual(
    it.made.map(({ ops, fromLsn, throughLsn }) => [ops, fromLsn, throughLsn]),
    [[300, 1, 300]],
  );
  it.restart();
  await it.clock.advance(MINUTES_20);
  assert.equal(it.made.length, 1, 'not again, also after a restart');
  assert.deepEqual(it.fatal, []);
});

test('while telemetry may ride, or records may not go either, nothing is summed up', async () => {
  const it = new Rig();
  it.journal.append(...stampedOps(1, 300));
  it.telemetry = 'ride';
  await it.clock.advance(MINUTES_20);
  it.telemetry = 'no';
  it.record = 'no';
  await it.clock.advance(MINUTES_20);
  assert.equal(it.made.length, 0);
});

test('what has its receipt is not summed up, and a few readings are not worth it', async () => {
  const it = new Rig();
  it.journal.append(...stampedOps(1, 300));
  it.receiptedLsn = 270;
  await it.clock.advance(MINUTES_20);
  assert.deepEqual(
    it.made.map(({ fromLsn, ops }) => [fromLsn, ops]),
    [[271, 30]],
  );
  it.receiptedLsn = 290;
  it.restart();
  await it.clock.advance(MINUTES_20);
  assert.equal(it.made.length, 1);
});
