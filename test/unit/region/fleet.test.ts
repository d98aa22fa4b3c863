/** What the regional node remembers of the logs of its hubs: what the page of the fleet shows of each, and no more. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { Fleet } from '../../../src/region/fleet.ts';
import type { SiteStorage } from '../../../src/regional/site-storage.ts';
import { NOON_MS } from '../../support/made/status.ts';

const LINES = 200;

/** A site whose hubs have each said much today; counts what is read of their logs. */
class Site {
  readonly name = 'north';
  batch = 1;
  reads = 0;
  readonly hubs: readonly string[];

  constructor(count: number) {
    this.hubs = Array.from({ length: count }, (_, index) => `${index}`.padStart(16, '0'));
  }

  get storage(): SiteStorage {
    return {
      batches: () => Promise.resolve(this.batch),
      hubs: () => Promise.resolve(this.hubs.map((hub) => ({ hub, parked: [] }))),
      readings: () => {
        this.reads += 1;
        const points = Array.from({ length: LINES }, (_, index) => {
          const atMs = NOON_MS - LINES + index;
          const line = { at: new Date(atMs).toISOString(), event: 'decision', why: `why ${index}` };
          return { atMs, count: 1, fields: {}, payload: utf8(JSON.stringify(line)) };
        });
        return Promise.resolve({ points, nextFromMs: undefined });
      },
    } as unknown as SiteStorage;
  }
}

function fleetOf(site: Site): Fleet {
  return new Fleet({ clock: new SimClock(NOON_MS), sites: () => [site] });
}

test('a log is read once for each batch of its site, for the page and for whoever looks at it', async () => {
  const site = new Site(3);
  const fleet = fleetOf(site);
  const words = (await fleet.hubs()).map(({ why }) => why);
  assert.deepEqual(
    words,
    Array.from({ length: 3 }, () => `why ${LINES - 1}`),
  );
  await fleet.hubs();
  assert.equal(site.reads, 3);
  const [hub = ''] = site.hubs;
  for (let look = 0; look < 2; look++) {
    assert.equal((await fleet.lines('north', hub, undefined))?.length, LINES);
  }
  assert.equal(site.reads, 4);
  site.batch += 1;
  await fleet.hubs();
  assert.equal(site.reads, 7);
  assert.equal(await fleet.lines('north', 'nobody', undefined), undefined);
});
