/** Times of clocks that were not set, or set wrong (merge/MERGE.md §11), in each storage of a regional node. */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

import { textOf, utf8 } from '../../src/base/bytes.ts';
import { encodePatch } from '../../src/merge/patch.ts';
import { RECORD } from '../../src/model/class.ts';
import { encodeOp, type Op, PATCH, type StampedOp } from '../../src/model/op.ts';
import type { Origin } from '../../src/model/origin.ts';
import { migrate } from '../../src/regional/postgres/schema/migrations.ts';
import type { SiteStorage } from '../../src/regional/site-storage.ts';
import { batchOf, HUB_ID, REGION, stampedOp, START_MS } from '../support/made/batches.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { connect } from '../support/machine/postgres.ts';
import { folderInto, makeSite } from '../support/memory/folded-site.ts';
import { keepBatch, placeOf, STORAGES } from '../support/memory/site-storages.ts';

const KEY = 'meters/1';
const BOOT_MS = START_MS - 3_600_000;
const YEAR_MS = 365 * 86_400_000;

beforeAll(() => STORAGES.start());
afterAll(() => STORAGES.stop());

test.skipIf(STORAGES.hasPostgres)('PostgreSQL (skipped: needs postgres)', () => undefined);

/** Accepted by a hub whose own clock is right. */
function accepted(op: Op): StampedOp {
  const stamp = { hub: HUB_ID, hlc: { ms: START_MS, counter: 0 }, authority: 1, rosterEpoch: 0 };
  return { bytes: encodeOp(op), op, stamp };
}

/** A reading by a clock that came up in 1970, and one by a clock that is years behind. */
function lost(seq: number, monotonicMs: number, parts: Partial<Op> = {}): StampedOp {
  const clock = { quality: 'unknown', bootId: 7, monotonicMs } as const;
  const op = { key: KEY, hlc: { ms: 1000 + seq, counter: 0 }, clock, body: utf8(String(seq)) };
  return accepted(stampedOp(seq, { ...op, ...parts }).op);
}

function doubtful(seq: number, monotonicMs: number): StampedOp {
  const hlc = { ms: BOOT_MS - 3 * YEAR_MS + monotonicMs, counter: 0 };
  return lost(seq, monotonicMs, { hlc, clock: { quality: 'rtc', bootId: 7, monotonicMs } });
}

/** One that was made when the time had arrived. */
function found(seq: number, monotonicMs: number, parts: Partial<Op> = {}): StampedOp {
  const hlc = { ms: BOOT_MS + monotonicMs, counter: 0 };
  const clock = { quality: 'ntp', bootId: 7, monotonicMs } as const;
  return lost(seq, monotonicMs, { hlc, clock, ...parts });
}

async function timesIn(site: SiteStorage): Promise<(readonly [number, string | undefined])[]> {
  const { points } = await site.readings({ key: KEY, fromMs: 0, toMs: START_MS * 2 });
  return points.map(({ atMs, payload }) => [atMs, textOf(payload ?? utf8(''))] as const);
}

describe.each(STORAGES.kinds)('times in a site: %s', (_name, make) => {
  test('readings move to where they belong once their boot is known, whichever comes first', async () => {
    const place = await placeOf(await make());
    await keepBatch(place.site, await batchOf([lost(1, 5_000), doubtful(2, 6_000)]));
    const [first] = await timesIn(place.site);
    assert.deepEqual(first, [1001, '1']);
    const { digest } = await place.site.digest();
    const after = await place.reopen();
    await keepBatch(after.site, await batchOf([found(3, 8_000)], { fromLsn: 3, throughLsn: 3 }));
    await keepBatch(after.site, await batchOf([lost(4, 7_000)], { fromLsn: 4, throughLsn: 4 }));
    assert.deepEqual(await timesIn(after.site), [
      [BOOT_MS + 5_000, '1'],
      [BOOT_MS + 6_000, '2'],
      [BOOT_MS + 7_000, '4'],
      [BOOT_MS + 8_000, '3'],
    ]);
    assert.notEqual((await after.site.digest()).digest, digest);
    await after.close();
  });

  test('of one batch too, and a boot of a million years moves nothing', async () => {
    const place = await placeOf(await make());
    const far = { quality: 'ntp', bootId: 8, monotonicMs: 2 ** 53 - 1 } as const;
    const ops = [lost(1, 5_000), found(2, 8_000), found(3, 9_000, { clock: far })];
    assert.equal((await keepBatch(place.site, await batchOf(ops))).kind, 'kept');
    assert.deepEqual(await timesIn(place.site), [
      [BOOT_MS + 5_000, '1'],
      [BOOT_MS + 8_000, '2'],
      [BOOT_MS + 9_000, '3'],
    ]);
    await place.close();
  });
});

testWithPeers('views tell repaired times of edits', ['postgres', 'initdb'], async () => {
  const { server } = STORAGES;
  assert.ok(server !== undefined);
  const database = await connect(server.url(await server.create()));
  await migrate(database, REGION.publicKey);
  const take = folderInto(database, await makeSite(database, 'demo'));
  const edit = {
    kind: PATCH,
    class: RECORD,
    key: 'pump',
    body: encodePatch({ note: 'a' }),
  } as const;
  const other = { ...edit, origin: 'bbbbbbbbbbbbbbbb' as Origin };
  await take([lost(1, 5_000, edit), found(1, 6_000, other)]);
  const history = 'SELECT at, clock FROM heliograph.record_history ORDER BY op';
  const shown = async (sql: string): Promise<string[]> =>
    (await database.query(sql)).map(
      ({ at, clock }) => `${Number(new Date(at as string))} ${(clock as string | null) ?? 'good'}`,
    );
  assert.deepEqual((await shown(history)).toSorted(), ['1001 unknown', `${BOOT_MS + 6_000} good`]);
  const rank = "SELECT encode(rank, 'hex') AS rank FROM heliograph.record_write ORDER BY rank";
  const ranks = await database.query(rank);
  await take([found(2, 8_000, { ...edit, body: encodePatch({ other: 1 }) })]);
  assert.deepEqual((await shown(history)).toSorted(), [
    `${BOOT_MS + 5_000} repaired`,
    `${BOOT_MS + 6_000} good`,
    `${BOOT_MS + 8_000} good`,
  ]);
  assert.deepEqual((await database.query(rank)).slice(0, 1), ranks.slice(0, 1), 'order stays');
  const changed = "SELECT changed_at AS at FROM heliograph.records WHERE field = 'note'";
  assert.deepEqual(await shown(changed), [`${BOOT_MS + 6_000} good`]);
  await database.close();
});
