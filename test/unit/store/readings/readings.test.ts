import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { textOf, utf8 } from '../../../../src/base/bytes.ts';
import { LOG } from '../../../../src/model/class.ts';
import { PAGE_READINGS, type ReadingPoint } from '../../../../src/store/readings/readings.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { SqliteFile } from '../../../../src/store/database/sqlite.ts';
import { type Store } from '../../../../src/store/store.ts';
import { numbersIn } from '../../../../src/store/readings/summary.ts';
import { stampedOp } from '../../../support/made/ops.ts';
import { entriesOf, openStore, storeOptions } from '../../../support/memory/stores.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const KEY = 'meters/1';
const DAY_MS = 86_400_000;

function addReadings(
  store: Store,
  readings: readonly (readonly [atMs: number, payload: string])[],
): void {
  const from = store.digest().ops;
  const ops = readings.map(([atMs, payload], index) =>
    stampedOp({ seq: from + index + 1, atMs, body: utf8(payload) }),
  );
  store.apply(entriesOf(ops), from + ops.length);
}

function allPages(store: Store, stepMs: number): { points: ReadingPoint[]; pages: number } {
  const points: ReadingPoint[] = [];
  let pages = 0;
  for (let fromMs: number | undefined = 0; fromMs !== undefined;) {
    const page = store.readings({ key: KEY, fromMs, toMs: 1e12, stepMs });
    points.push(...page.points);
    pages += 1;
    fromMs = page.nextFromMs;
  }
  return { points, pages };
}

describe('readings', () => {
  it('come one by one with their payload, in order of time', () => {
    const store = openStore(tempDir());
    addReadings(store, [
      [3000, '{"t":3}'],
      [1000, '{"t":1}'],
      [2000, 'no json'],
    ]);
    const { points, nextFromMs } = store.readings({ key: KEY, fromMs: 1000, toMs: 3000 });
    assert.equal(nextFromMs, undefined);
    assert.deepEqual(
      points.map(({ atMs, count, payload }) => [atMs, count, textOf(payload ?? utf8(''))]),
      [
        [1000, 1, '{"t":1}'],
        [2000, 1, 'no json'],
      ],
    );
    assert.deepEqual(points[0]?.fields, { t: { min: 1, max: 1, mean: 1, last: 1, count: 1 } });
    assert.deepEqual(points[1]?.fields, {});
    assert.deepEqual(store.readings({ key: 'unknown', fromMs: 0, toMs: 9 }).points, []);
    store.close();
  });

  it('come in buckets with minimum, maximum, mean and last of each numeric field', () => {
    const store = openStore(tempDir());
    addReadings(store, [
      [1000, '{"t":4,"pv":{"w":10}}'],
      [1500, '{"t":1,"on":true}'],
      [1999, '{"t":1,"pv":{"w":20}}'],
      [2000, '7.5'],
    ]);
    const { points } = store.readings({ key: KEY, fromMs: 0, toMs: 1e9, stepMs: 1000 });
    assert.deepEqual(points, [
      {
        atMs: 1000,
        count: 3,
        fields: {
          t: { min: 1, max: 4, mean: 2, last: 1, count: 3 },
          'pv.w': { min: 10, max: 20, mean: 15, last: 20, count: 2 },
        },
      },
      {
        atMs: 2000,
        count: 1,
        fields: { value: { min: 7.5, max: 7.5, mean: 7.5, last: 7.5, count: 1 } },
      },
    ]);
    store.close();
  });

  it('come in pages that neither lose nor repeat any', () => {
    const store = openStore(tempDir());
    const count = 2 * PAGE_READINGS + 500;
    // Two of them in each millisecond.
    addReadings(
      store,
      Array.from({ length: count }, (_, i) => [Math.floor(i / 2), `${i}`] as const),
    );
    const single = allPages(store, 0);
    assert.equal(single.points.length, count);
    assert.ok(single.pages >= 3);
    const buckets = allPages(store, 100);
    assert.equal(new Set(buckets.points.map(({ atMs }) => atMs)).size, buckets.points.length);
    assert.equal(
      buckets.points.reduce((sum, point) => sum + point.count, 0),
      count,
    );
    const oneBucket = allPages(store, 1e9);
    assert.equal(
      oneBucket.points.reduce((sum, point) => sum + point.count, 0),
      count,
    );
    store.close();
  });

  it('come alike before and after they are written, plain or compact', () => {
    const store = openStore(tempDir());
    const payload = (i: number): string => JSON.stringify({ i, pad: 'x'.repeat(i % 300) });
    const ops = Array.from({ length: 500 }, (_, i) =>
      // Days apart, out of order, doubled moments.
      stampedOp({ seq: i + 1, atMs: (i * 7_919_000) % (3 * DAY_MS), body: utf8(payload(i)) }),
    );
    const all = (): unknown => allPages(store, 0).points;
    store.stage(entriesOf(ops), 500);
    const gathered = all();
    assert.equal((gathered as unknown[]).length, 500);
    store.flush(1, true);
    assert.deepEqual(all(), gathered);
    store.commit();
    assert.deepEqual(all(), gathered);
    store.clear();
    for (let at = 0; at < 500; at += 50) store.apply(entriesOf(ops.slice(at, at + 50)), at + 50);
    assert.deepEqual(all(), gathered);
    store.close();
  });

  it('take a row for each key and transaction, however many there were and whoever asks meanwhile', () => {
    const dir = tempDir();
    const store = openStore(dir);
    const ops = Array.from({ length: 2000 }, (_, i) =>
      stampedOp({ seq: i + 1, atMs: i, key: `k${i % 20}`, body: utf8(`{"n":${i}}`) }),
    );
    for (let at = 0; at < 2000; at += 100) {
      store.stage(entriesOf(ops.slice(at, at + 100)), at + 100);
      const newest = store.latest('k7').map(([, { body }]) => textOf(body));
      assert.deepEqual(newest, [`{"n":${at + 87}}`]);
    }
    const { digest } = store.digest();
    store.commit();
    assert.equal(store.digest().digest, digest);
    store.close();
    const { path } = storeOptions(dir);
    const file = SqliteFile.open({ path, files: machineFiles, durability: 'replayable' });
    assert.deepEqual(file.rows('SELECT count(*) AS n FROM readings'), [{ n: 20 }]);
    file.close();
  });

  it('of one key are written a few chunks at a time', () => {
    const store = openStore(tempDir());
    const ops = Array.from({ length: 300 }, (_, i) =>
      stampedOp({ seq: i + 1, atMs: i, body: utf8('x'.repeat(1000)) }),
    );
    store.stage(entriesOf(ops), 300);
    let parts = 1;
    while (!store.flush(2, true)) parts += 1;
    // 16 readings of 1,000 bytes make a chunk.
    assert.equal(parts, Math.ceil(300 / 16 / 2));
    store.close();
  });

  it('are not lost where a thousand of them share one moment', () => {
    const store = openStore(tempDir());
    addReadings(
      store,
      Array.from({ length: 2500 }, (_, i) => [5, `${i}`] as const),
    );
    assert.equal(allPages(store, 0).points.length, 2500);
    store.close();
  });

  it('larger than a chunk, and of many keys, are kept', () => {
    const store = openStore(tempDir());
    const big = 'x'.repeat(600_000);
    addReadings(store, [
      [1, big],
      [2, 'small'],
      [3, big],
      [4, big],
    ]);
    assert.deepEqual(
      allPages(store, 0).points.map(({ payload }) => payload?.length),
      [600_000, 5, 600_000, 600_000],
    );
    store.close();
  });

  it('include the lines of class log', () => {
    const store = openStore(tempDir());
    store.apply(entriesOf([stampedOp({ class: LOG, key: 'hub/log', body: utf8('{}') })]), 1);
    assert.equal(store.readings({ key: 'hub/log', fromMs: 0, toMs: 1e9 }).points.length, 1);
    store.close();
  });
});

describe('pruning', () => {
  it('removes what is older than the limit in bounded steps, and leaves the state alone', () => {
    const store = openStore(tempDir(), { readingsDays: 1 });
    // Ten chunks, the first six of them too old.
    for (let chunk = 0; chunk < 10; chunk++) {
      const atMs = chunk < 6 ? chunk : 5 * DAY_MS + chunk;
      addReadings(store, [
        [atMs, 'a'],
        [atMs, 'b'],
      ]);
    }
    const { digest } = store.digest();
    const gone: number[] = [];
    for (let count = store.prune(5 * DAY_MS, 4); count > 0; count = store.prune(5 * DAY_MS, 4)) {
      gone.push(count);
    }
    assert.deepEqual(gone, [4, 2]);
    assert.equal(allPages(store, 0).points.length, 8);
    assert.equal(store.digest().digest, digest);
    store.close();
  });

  it('removes the oldest when all together take too much space', () => {
    const store = openStore(tempDir(), { readingsDays: 1000, readingsBytesMax: 300_000 });
    addReadings(
      store,
      Array.from({ length: 3000 }, (_, i) => [i, `{"n":${i},"pad":"${'x'.repeat(100)}"}`] as const),
    );
    let steps = 0;
    while (store.prune(3000, 1) > 0) steps += 1;
    const { points } = allPages(store, 0);
    assert.ok(steps > 5 && points.length > 500 && points.length < 3000, `${points.length} left`);
    assert.equal(points.at(-1)?.atMs, 2999);
    store.close();
  });
});

describe('numbers in payloads', () => {
  const inText = (text: string): [string, number][] => [...numbersIn(utf8(text))];

  it('are those of JSON objects, nested ones by path, and bare numbers', () => {
    assert.deepEqual(inText('{"a":1,"b":{"c":{"d":2}},"e":"3","f":[4],"g":null}'), [
      ['a', 1],
      ['b.c.d', 2],
    ]);
    assert.deepEqual(inText(' -4.5e1'), [['value', -45]]);
  });

  it('are none in anything else', () => {
    for (const text of ['', 'on', '{"a":', '21.5 C', '[1]', '"1"', '\u0000', '1e999']) {
      assert.deepEqual(inText(text), [], text);
    }
    assert.deepEqual([...numbersIn(Uint8Array.of(0x31, 0xff))], []);
  });

  it('have a limit, and know names that objects bring along', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, i]));
    assert.equal(inText(JSON.stringify(many)).length, 64);
    const store = openStore(tempDir());
    addReadings(store, [[1, '{"constructor":1,"__proto__":2,"toString":3}']]);
    const { points } = store.readings({ key: KEY, fromMs: 0, toMs: 9, stepMs: 9 });
    assert.deepEqual(points[0]?.fields['constructor']?.last, 1);
    store.close();
  });
});
