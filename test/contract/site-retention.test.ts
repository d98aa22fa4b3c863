/** How long things stay in each storage of a regional node, whatever the clocks say. */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import { textOf, utf8 } from '../../src/base/bytes.ts';
import type { StampedOp } from '../../src/model/op.ts';
import { machineTimers } from '../../src/platform/clock.ts';
import { machineFiles } from '../../src/platform/files/machine-files.ts';
import { SimClock } from '../../src/platform/sim/clock.ts';
import { EmbeddedStorage } from '../../src/regional/embedded/embedded-storage.ts';
import { RetentionClock } from '../../src/regional/history/retention-clock.ts';
import type { SiteStorage } from '../../src/regional/site-storage.ts';
import { Store } from '../../src/store/store.ts';
import { batchOf, stampedOp, START_MS } from '../support/made/batches.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';
import {
  keepBatch,
  type PgPlace,
  type Place,
  placeOf,
  postgresByClock,
  STORAGES,
} from '../support/memory/site-storages.ts';

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const KEEP_DAYS = 30;
const KEY = 'meters/1';

beforeAll(() => STORAGES.start());
afterAll(() => STORAGES.stop());

/** By a clock that NTP has set, and accepted at once. */
function reading(seq: number, atMs: number): StampedOp {
  const { op } = stampedOp(seq, {
    key: KEY,
    body: utf8(String(seq)),
    hlc: { ms: atMs, counter: 0 },
  });
  return restamped(stampedOp(seq, op), atMs);
}

/** By a clock that came up in 1970. */
function lost(seq: number): StampedOp {
  const clock = { quality: 'unknown', bootId: 9, monotonicMs: seq } as const;
  return stampedOp(seq, { key: KEY, body: utf8(String(seq)), hlc: { ms: seq, counter: 0 }, clock });
}

function restamped(stamped: StampedOp, ms: number): StampedOp {
  return { ...stamped, stamp: { ...stamped.stamp, hlc: { ms, counter: 1 } } };
}

/** Brings the ops, in a batch that the hub sealed at a moment by a clock that is set. */
async function bring(
  site: SiteStorage,
  ops: readonly StampedOp[],
  createdMs: number,
): Promise<void> {
  const [fromLsn, throughLsn] = [ops[0]?.op.seq ?? 0, ops.at(-1)?.op.seq ?? 0];
  const kept = await keepBatch(site, await batchOf(ops, { fromLsn, throughLsn, createdMs }));
  assert.equal(kept.kind, 'kept');
}

async function held(site: SiteStorage): Promise<string[]> {
  const { points } = await site.readings({ key: KEY, fromMs: 0, toMs: START_MS * 2 });
  return points.map(({ payload }) => textOf(payload ?? utf8('')) ?? '');
}

interface Region extends Place {
  readonly clock: SimClock;
}

async function embedded(): Promise<Region> {
  const [clock, dir] = [new SimClock(START_MS), tempDir()];
  const place = await placeOf(
    async () =>
      new EmbeddedStorage({
        files: machineFiles,
        dir,
        clock,
        timers: machineTimers,
        log: SILENT_LOG,
        openStore: (path) =>
          Store.open({
            path,
            files: machineFiles,
            log: SILENT_LOG,
            durability: 'each-commit',
            readingsDays: KEEP_DAYS,
          }),
      }),
  );
  return { ...place, clock };
}

async function count({ database }: PgPlace, table: string): Promise<number> {
  const [row] = await database.query(`SELECT count(*) AS count FROM heliograph.${table}`);
  return Number(row?.['count']);
}

describe('the clock of retention', () => {
  test('is the earlier of what the node and its hubs say, and of nobody where none is set', () => {
    const clock = new SimClock(START_MS, 'ntp');
    const retention = new RetentionClock(clock);
    assert.equal(
      retention.nowMs(),
      undefined,
      'a node that has just started takes no word but of hubs',
    );
    retention.note({ createdMs: 2 * START_MS, quality: 'unknown' });
    retention.note({ createdMs: Number.MAX_SAFE_INTEGER, quality: 'ntp' });
    assert.equal(retention.nowMs(), undefined);
    retention.note({ createdMs: START_MS - 5, quality: 'rtc' });
    assert.equal(retention.nowMs(), START_MS - 5);
    clock.jumpWall(START_MS + 10 * YEAR_MS, 'rtc');
    assert.equal(retention.nowMs(), START_MS - 5, 'ahead');
    clock.jumpWall(0, 'unknown');
    assert.equal(retention.nowMs(), undefined, 'in 1970');
    assert.equal(retention.likelyMs(), START_MS - 5);
  });

  test('is the own clock alone after a day without a word', async () => {
    const clock = new SimClock(START_MS, 'ntp');
    const retention = new RetentionClock(clock);
    await clock.advance(DAY_MS);
    assert.equal(retention.nowMs(), START_MS + DAY_MS);
  });
});

describe('retention in files and SQLite', () => {
  test('old readings go with what comes, those that wait for their time stay', async () => {
    const region = await embedded();
    await bring(region.site, [lost(1), reading(2, START_MS)], START_MS);
    const laterMs = START_MS + (KEEP_DAYS + 2) * DAY_MS;
    region.clock.jumpWall(laterMs, 'ntp');
    assert.deepEqual(await held(region.site), ['1', '2']);
    await bring(region.site, [reading(3, laterMs)], laterMs);
    assert.deepEqual(await held(region.site), ['1', '3']);
    await region.close();
  });

  test('a clock that jumps ten years ahead makes nothing old', async () => {
    const region = await embedded();
    await bring(region.site, [reading(1, START_MS)], START_MS);
    region.clock.jumpWall(START_MS + 10 * YEAR_MS, 'rtc');
    await bring(region.site, [reading(2, START_MS + 1_000)], START_MS + 1_000);
    assert.deepEqual(await held(region.site), ['1', '2']);
    await region.close();
  });
});

const PEERS = ['postgres', 'initdb'] as const;

testWithPeers(
  'PostgreSQL: a clock that jumps ten years ahead makes nothing old',
  [...PEERS],
  async () => {
    const region = await postgresByClock(START_MS);
    await bring(region.site, [reading(1, START_MS)], START_MS);
    region.clock.jumpWall(START_MS + 10 * YEAR_MS, 'rtc');
    await bring(region.site, [reading(2, START_MS + 1_000)], START_MS + 1_000);
    await region.storage.tidy();
    assert.deepEqual(await held(region.site), ['1', '2']);
    assert.equal(await count(region, 'batch'), 2);
    region.clock.jumpWall(START_MS + 100 * DAY_MS, 'ntp');
    await bring(region.site, [reading(3, START_MS + 100 * DAY_MS)], START_MS + 100 * DAY_MS);
    await region.storage.tidy();
    assert.deepEqual(await held(region.site), ['3'], 'time that hubs tell, too, does');
    await region.close();
  },
);

testWithPeers(
  'PostgreSQL: what has no month of its own goes by when it came',
  [...PEERS],
  async () => {
    const region = await postgresByClock(START_MS);
    const late = START_MS - 400 * DAY_MS;
    await bring(region.site, [lost(1), reading(2, late), reading(3, START_MS)], START_MS);
    assert.equal(await count(region, 'reading_default'), 2);
    await region.storage.tidy();
    assert.deepEqual(
      await held(region.site),
      ['1', '2', '3'],
      'a month that is over goes not with it',
    );
    const days = `interval '${KEEP_DAYS + 1} days'`;
    await region.database.query(
      `UPDATE heliograph.reading_default SET kept_at = to_timestamp($1::float8 / 1000) - ${days}`,
      [START_MS],
    );
    await region.database.query(
      `UPDATE heliograph.node SET made_at = made_at - interval '9 years'`,
    );
    await region.storage.tidy();
    assert.deepEqual(await held(region.site), ['3']);
    assert.equal(await count(region, 'reading_default'), 0);
    await region.close();
  },
);

testWithPeers(
  'PostgreSQL: a node in 1970 keeps all, and sorts it in once it knows the time',
  [...PEERS],
  async () => {
    const region = await postgresByClock(START_MS);
    region.clock.jumpWall(5_000, 'unknown');
    const early = await batchOf([reading(1, START_MS)], { createdMs: 7_000, quality: 'unknown' });
    assert.equal((await keepBatch(region.site, early)).kind, 'kept');
    assert.equal(await count(region, 'reading_default'), 1);
    await region.database.query('UPDATE heliograph.reading_default SET kept_at = to_timestamp(5)');
    await region.storage.tidy();
    assert.deepEqual(await held(region.site), ['1'], 'who does not know the time lets nothing go');
    region.clock.jumpWall(START_MS + 40 * DAY_MS, 'ntp');
    await bring(region.site, [reading(2, START_MS + 40 * DAY_MS)], START_MS + 20 * DAY_MS);
    await region.storage.tidy();
    assert.deepEqual(await held(region.site), ['1', '2']);
    assert.equal(await count(region, 'reading_default'), 0);
    await region.close();
  },
);
