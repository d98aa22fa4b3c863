import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SimLinks, simDevice, simTable } from '../../../../src/platform/sim/links.ts';
import { LinkTracker } from '../../../../src/uplink/links/link-tracker.ts';
import { START_MS } from '../../../support/made/batches.ts';
import { KeptLog } from '../../../support/simulated/uplink-world.ts';

const eth = simDevice('eth0');
const wlan = simDevice('wlan0', { isWireless: true });

function rig(table?: ReturnType<typeof simTable>, override?: 'satellite') {
  const clock = new SimClock(START_MS);
  const links = new SimLinks(clock, table);
  const options = { links, host: 'region.example', clock, log: new KeptLog(), override };
  const tracker = new LinkTracker(options);
  const changes: string[] = [];
  tracker.onChange((change) => changes.push(change));
  return { clock, links, tracker, changes };
}

test('a link is up after two answers within thirty seconds, not before', async () => {
  const { clock, tracker } = rig(simTable(eth));
  assert.equal(tracker.view().state, 'found');
  tracker.answered();
  assert.equal(tracker.view().state, 'found');
  await clock.advance(30_001);
  tracker.answered();
  assert.equal(tracker.isUp, false, 'too far apart');
  await clock.advance(29_000);
  tracker.answered();
  assert.equal(tracker.view().state, 'up');
});

test('one failure is bad luck, two are a link that is not proven any more', () => {
  const { tracker } = rig(simTable(eth));
  tracker.answered();
  tracker.answered();
  tracker.failed();
  assert.ok(tracker.isUp);
  tracker.failed();
  assert.equal(tracker.view().state, 'found');
  tracker.answered();
  assert.ok(!tracker.isUp);
});

test('routes that come, go and change are told, and proof does not pass to another device', async () => {
  const { clock, links, tracker, changes } = rig({ devices: [eth], routes: [] });
  assert.equal(tracker.view().state, 'absent');
  assert.ok(!tracker.isThere);
  links.set(simTable(eth));
  await clock.advance(1_000);
  assert.deepEqual(changes, ['appeared']);
  tracker.answered();
  tracker.answered();
  links.set(simTable(wlan, eth));
  await clock.advance(1_000);
  assert.deepEqual(changes, ['appeared', 'appeared']);
  assert.deepEqual(tracker.view(), { state: 'found', kind: 'wifi', costClass: 1, device: 'wlan0' });
  links.set({ devices: [eth, wlan], routes: [] });
  await clock.advance(1_000);
  assert.deepEqual(changes, ['appeared', 'appeared', 'gone']);
  tracker.close();
});

test('what makes no difference to the way is not told', async () => {
  const { clock, links, changes } = rig(simTable(eth));
  links.set(simTable(eth, wlan));
  await clock.advance(1_000);
  assert.deepEqual(changes, []);
});

test('behind a captive portal nothing is tried until it is gone', async () => {
  const { clock, links, tracker, changes } = rig(simTable({ ...wlan, connectivity: 'portal' }));
  assert.equal(tracker.view().state, 'portal');
  assert.ok(!tracker.isThere);
  links.set(simTable({ ...wlan, connectivity: 'full' }));
  await clock.advance(1_000);
  assert.ok(tracker.isThere);
  assert.deepEqual(changes, ['appeared']);
});

test('where the machine does not tell, everything is tried, at the price of a cellular link', () => {
  const { tracker } = rig();
  assert.ok(tracker.isThere);
  assert.deepEqual(tracker.view(), {
    state: 'found',
    kind: 'cellular',
    costClass: 2,
    device: undefined,
  });
});

test('the operator overrides what the kernel shows', () => {
  assert.deepEqual(rig(simTable(eth), 'satellite').tracker.view().costClass, 3);
});
