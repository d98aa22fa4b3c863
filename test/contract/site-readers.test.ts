/** Those who read a fleet's tables for hours, as `pg_dump` does, and what comes and goes meanwhile. */
import assert from 'node:assert/strict';

import { afterAll, beforeAll } from 'vitest';

import { batchOf, stampedOp, START_MS } from '../support/made/batches.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { connect } from '../support/machine/postgres.ts';
import {
  keepBatch,
  type PgPlace,
  postgresByClock,
  STORAGES,
} from '../support/memory/site-storages.ts';

const DAY_MS = 86_400_000;
/** Of a hundred days, so that months are over that are not kept. */
const LATER_MS = START_MS + 100 * DAY_MS;
/** A wait for a lock that is given up costs half a second. */
const LONG_MS = 8_000;

beforeAll(() => STORAGES.start());
afterAll(() => STORAGES.stop());

/** A batch with a reading of this moment, by a clock that is set. */
async function bring({ site }: PgPlace, seq: number, atMs: number): Promise<void> {
  const { stamp, ...stamped } = stampedOp(seq, { hlc: { ms: atMs, counter: 0 } });
  const op = { ...stamped, stamp: { ...stamp, hlc: { ms: atMs, counter: 1 } } };
  const place = { fromLsn: seq, throughLsn: seq, createdMs: atMs };
  assert.equal((await keepBatch(site, await batchOf([op], place))).kind, 'kept');
}

async function months({ database }: PgPlace, table: 'reading' | 'batch'): Promise<string[]> {
  const rows = await database.query(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'heliograph.${table}'::regclass AND c.relname ~ '_[0-9]{6}$' ORDER BY 1`,
  );
  return rows.map(({ name }) => name as string);
}

async function quickly(what: string, work: () => Promise<void>): Promise<void> {
  const startMs = performance.now();
  await work();
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < LONG_MS, `${what} took ${Math.round(tookMs)} ms`);
}

testWithPeers(
  'who reads for hours holds up neither what comes nor what goes',
  ['postgres', 'initdb'],
  async () => {
    const it = await postgresByClock(START_MS);
    await bring(it, 1, START_MS);
    const reader = await connect(it.url, 1);
    const reading = await reader.begin();
    await reading.query('SELECT FROM heliograph.reading');
    await reading.query('SELECT FROM heliograph.batch');
    it.clock.jumpWall(LATER_MS, 'ntp');
    await quickly('a batch of a new month', () => bring(it, 2, LATER_MS));
    await quickly('one more', () => bring(it, 3, LATER_MS));
    await quickly('letting go', () => it.storage.tidy());
    const other = await connect(it.url, 1);
    await quickly('another reader', async () => {
      assert.equal((await other.query('SELECT FROM heliograph.readings')).length, 3);
    });
    assert.deepEqual(await months(it, 'reading'), ['reading_202605']);

    await reading.commit();
    await it.storage.tidy();
    assert.deepEqual(await months(it, 'reading'), ['reading_202609']);
    const [left] = await it.database.query('SELECT count(*) AS n FROM heliograph.reading_default');
    assert.equal(Number(left?.['n']), 0, 'all is where it belongs');
    for (const database of [reader, other]) await database.close();
    await it.close();
  },
);

testWithPeers('a month is there a week before it begins', ['postgres', 'initdb'], async () => {
  const it = await postgresByClock(START_MS);
  const atMs = Date.UTC(2026, 5, 25, 12);
  it.clock.jumpWall(atMs, 'ntp');
  await bring(it, 1, atMs);
  await it.storage.tidy();
  assert.deepEqual(await months(it, 'reading'), ['reading_202606', 'reading_202607']);
  assert.deepEqual((await months(it, 'batch')).slice(-2), ['batch_202606', 'batch_202607']);
  await it.close();
});
