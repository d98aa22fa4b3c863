/** The uplink over links that come, go and lie, against a regional node in simulated time. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { TELEMETRY } from '../../../../src/model/class.ts';
import type { LinkTable } from '../../../../src/platform/links/links.ts';
import { simDevice, simTable } from '../../../../src/platform/sim/links.ts';
import { HUB_ID, stampedOps } from '../../../support/made/batches.ts';
import { UplinkWorld } from '../../../support/simulated/uplink-world.ts';

const eth = simDevice('eth0');
const wwan = simDevice('wwan0', { isModem: true });
const NOWHERE: LinkTable = { devices: [eth], routes: [] };

async function world(links: LinkTable): Promise<UplinkWorld> {
  const made = new UplinkWorld({ links });
  await made.startRegion();
  made.startHub();
  return made;
}

function opened(it: UplinkWorld): number {
  return it.syncLines.filter(({ event }) => event === 'session.open').length;
}

test('without a route nothing is tried; with one it is sent at once, proven by two greetings', async () => {
  const it = await world(NOWHERE);
  it.journal.append(...stampedOps(1, 20));
  await it.clock.advance(600_000);
  assert.equal(opened(it), 0);
  assert.equal(it.hubLink.messages, 0);
  it.links.set(simTable(eth));
  await it.clock.advance(10_000);
  assert.ok(it.isDelivered);
  assert.ok(it.tracker?.isUp);
  assert.equal(it.log.count('uplink.link.up'), 1);
  const first = it.hubLink.messages;
  it.journal.append(...stampedOps(21, 20));
  await it.deliver();
  assert.ok(it.hubLink.messages - first < first, 'the second session need not prove the link');
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('a link so slow that a greeting takes half a minute is proven, too', async () => {
  const it = await world(simTable(eth));
  it.hubLink.link.delayMs = 6_000;
  it.journal.append(...stampedOps(1, 20));
  await it.clock.advance(300_000);
  assert.ok(it.isDelivered);
  const messages = it.hubLink.messages;
  assert.ok(messages < 40, `${messages} messages: it did not greet again and again`);
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('a broker that answers without our region behind it is no backhaul', async () => {
  const it = new UplinkWorld({ links: simTable(eth) });
  it.startHub();
  it.journal.append(...stampedOps(1, 20));
  await it.clock.advance(120_000);
  assert.ok(opened(it) > 0);
  assert.equal(it.tracker?.view().state, 'found');
  assert.equal(it.uplink?.backlog()[TELEMETRY].ops, 20);
  await it.startRegion();
  await it.deliver();
  assert.equal(it.tracker?.view().state, 'up');
  await it.stop();
});

test('a session over a link that goes ends at once and goes on over the next one', async () => {
  const it = await world(simTable(eth, wwan));
  it.journal.append(...stampedOps(1, 5));
  await it.deliver();
  await it.clock.advance(10_000);
  it.hubLink.link.delayMs = 3_000;
  it.journal.append(...stampedOps(6, 50));
  while (it.uplink?.status().state !== 'sending') await it.clock.advance(100);
  it.hubLink.link.lossRatio = 1;
  // What is said over the old link goes nowhere now; no timeout is waited for.
  it.links.set(simTable({ ...eth, isUp: false }, wwan));
  Object.assign(it.hubLink.link, { delayMs: 100, lossRatio: 0 });
  const atMs = it.clock.monotonicMs();
  await it.deliver();
  assert.ok(it.clock.monotonicMs() - atMs < 20_000);
  assert.ok(it.syncLines.some(({ why }) => why === 'the link has changed'));
  await it.clock.advance(10_000);
  const { byLink } = it.uplink?.status() ?? {};
  assert.deepEqual(Object.keys(byLink ?? {}).toSorted(), ['cellular', 'ethernet']);
  assert.ok((byLink?.['ethernet']?.onMs ?? 0) > 9_000, 'time on the air is counted');
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('a link that appears ends the pause after failures on another', async () => {
  const it = await world(simTable(wwan));
  it.hubLink.link.isDown = true;
  it.journal.append(...stampedOps(1, 5));
  await it.clock.advance(3_600_000);
  it.hubLink.link.isDown = false;
  it.links.set(simTable(eth, wwan));
  await it.clock.advance(5_000);
  assert.ok(it.isDelivered);
  await it.stop();
});

test('where asking takes much, it is asked less often: a day of it stays within its bytes', async () => {
  const HOUR_MS = 3_600_000;
  for (const [perDay, sessions] of [
    [Infinity, 24],
    [8_000, 11],
  ] as const) {
    const uplink = { checkInMs: HOUR_MS, checkInBytesPerDay: perDay };
    const it = new UplinkWorld({ takesDown: true, uplink });
    await it.startRegion();
    it.startHub();
    it.journal.append(...stampedOps(1, 500));
    await it.deliver();
    const bytes = (): number => it.uplink?.status().byLink['ethernet']?.bytes ?? 0;
    // What went with data is no measure of what asking takes.
    for (let seconds = 0; seconds < 7_200 && opened(it) < 2; seconds += 60) {
      await it.clock.advance(60_000);
    }
    const [openedBefore, bytesBefore] = [opened(it), bytes()];
    assert.equal(openedBefore, 2, 'within the hour');
    await it.clock.advance(24 * HOUR_MS);
    const asked = opened(it) - openedBefore;
    assert.ok(Math.abs(asked - sessions) <= sessions / 4, `${asked} sessions`);
    assert.ok(bytes() - bytesBefore <= 1.1 * perDay, `${bytes() - bytesBefore} bytes`);
    await it.stop();
  }
});

test('an idle day costs less than 50 KB upstream', async () => {
  const it = await world(simTable(eth));
  it.journal.append(...stampedOps(1, 5));
  await it.deliver();
  await it.clock.advance(60_000);
  const bytes = (): number => it.uplink?.status().byLink['ethernet']?.bytes ?? 0;
  const before = bytes();
  const messages = it.hubLink.messages;
  await it.clock.advance(86_400_000);
  assert.ok(bytes() - before <= 50_000, `${bytes() - before} bytes`);
  assert.ok(it.hubLink.messages - messages <= 100);
  await it.stop();
});

test('a login that is refused counts against the link, each time', async () => {
  let isRefusing = true;
  const isHub = (clientId: string): boolean => clientId === `heliograph-${HUB_ID}`;
  const it = new UplinkWorld({
    links: simTable(eth),
    accepts: ({ clientId }) => !(isRefusing && isHub(clientId)),
  });
  await it.startRegion();
  it.startHub();
  it.journal.append(...stampedOps(1, 20));
  await it.clock.advance(300_000);
  const closed = it.syncLines.filter(({ event }) => event === 'session.close');
  assert.ok(closed.length >= 3, `${closed.length} attempts`);
  assert.ok(closed.every(({ bytes = 0 }) => bytes > 20));
  const { bytesToday, byLink } = it.uplink?.status() ?? assert.fail('it runs');
  const attempts = closed.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  assert.equal(bytesToday, attempts);
  assert.equal(byLink['ethernet']?.bytes, attempts);
  isRefusing = false;
  await it.deliver();
  await it.stop();
  assert.deepEqual(it.fatal, []);
});
