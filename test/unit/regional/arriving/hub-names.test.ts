import assert from 'node:assert/strict';

import { test } from 'vitest';

import { briefTopic } from '../../../../src/batch/wire/topics.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { HubNames } from '../../../../src/regional/arriving/hub-names.ts';
import type { Site } from '../../../../src/regional/site.ts';
import { HUB_ID, SITE, START_MS } from '../../../support/made/batches.ts';

const NAME = briefTopic(HUB_ID).slice('hg/'.length);
const ADDRESS = { site: SITE, hub: HUB_ID };

test('who was greeted is known; who was greeted by others is looked for, once a second', async () => {
  const clock = new SimClock(START_MS);
  let looks = 0;
  const met: { hub: string }[] = [];
  const sites = async (): Promise<Site[]> => {
    looks += 1;
    return [{ name: SITE, storage: { hubs: async () => met } } as unknown as Site];
  };
  const names = new HubNames({ clock, sites });
  for (let i = 0; i < 100; i++) assert.equal(await names.of(NAME), undefined);
  assert.equal(looks, 1);
  met.push({ hub: HUB_ID });
  await clock.advance(1_000);
  assert.deepEqual(await names.of(NAME), ADDRESS);
  const greeting = new HubNames({ clock, sites });
  greeting.met(ADDRESS);
  assert.deepEqual(await greeting.of(NAME), ADDRESS);
  assert.equal(looks, 2);
});
