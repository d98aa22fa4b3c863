/** What the region says it has of readings that were summed up for it. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { summaryKey } from '../../../src/hub/uplink/summaries.ts';
import { summariesOf } from '../../../src/region/summaries.ts';
import type { SiteStorage } from '../../../src/regional/site-storage.ts';
import { pageOf } from '../../../src/store/readings/readings.ts';
import { HUB_ID, START_MS } from '../../support/made/batches.ts';

const WINDOW_S = 900;
const START_S = Math.floor(START_MS / 1_000 / WINDOW_S) * WINDOW_S;
/** More than one page. */
const READINGS = 2_500;

const SUMMARY = {
  format: 1,
  class: 'telemetry',
  fromLsn: 1,
  throughLsn: READINGS,
  ops: READINGS,
  ranges: [[HUB_ID, 1, READINGS]],
  windowS: WINDOW_S,
  series: { m: { value: [[START_S, READINGS, 7, 7, 7, 7]] } },
  left: 0,
};

function storageWith(readings: number): SiteStorage {
  const atMs = (index: number): number => START_S * 1_000 + index * 100;
  const came = Array.from({ length: readings }, (_, index) => ({
    atMs: atMs(index),
    payload: utf8('7'),
  }));
  const summary = { atMs: atMs(READINGS), payload: utf8(JSON.stringify(SUMMARY)) };
  const storage: Pick<SiteStorage, 'hubs' | 'readings'> = {
    hubs: async () => [
      {
        hub: HUB_ID,
        software: undefined,
        heardMs: undefined,
        parked: [],
        hindrance: undefined,
        refusal: undefined,
      },
    ],
    readings: async ({ key, fromMs, toMs, stepMs = 0 }) => {
      const all = key === summaryKey(HUB_ID) ? [summary] : came;
      const found = all.filter((reading) => reading.atMs >= fromMs && reading.atMs < toMs);
      return pageOf(found, stepMs, toMs, toMs);
    },
  };
  return storage as SiteStorage;
}

test('the summary of a busy series gives way once all of its readings are here, and not before', async () => {
  const has = async (readings: number): Promise<string[] | undefined> =>
    (await summariesOf(storageWith(readings), HUB_ID, true))?.map((it) => it.has);
  assert.deepEqual(await has(READINGS - 1), ['summary']);
  assert.deepEqual(await has(READINGS), ['raw']);
});
