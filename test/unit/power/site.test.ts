import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SeededSky, sunHeightSine } from '../../../src/platform/sim/sky.ts';
import { type SiteOptions, SimSite } from '../../../src/platform/sim/site.ts';

const HOUR_MS = 3_600_000;
const MIDNIGHT_MS = Date.parse('2026-03-20T00:00:00Z');

function siteOf(ghiWm2: number, more: Partial<SiteOptions> = {}): SimSite {
  const options = {
    sky: { ghiWm2: () => ghiWm2 },
    panelWatts: 50,
    capacityWh: 100,
    nominalVolts: 12,
    baseWatts: 4,
    radioWatts: 10,
    startRatio: 0.5,
    ...more,
  };
  return new SimSite(options, MIDNIGHT_MS);
}

test('without sun the load empties the battery, hour by hour, and the radio more', () => {
  const site = siteOf(0);
  site.advance(MIDNIGHT_MS + 5 * HOUR_MS);
  assert.ok(Math.abs(site.socRatio - 0.3) < 1e-9);
  site.radio(true);
  site.advance(MIDNIGHT_MS + 6 * HOUR_MS);
  assert.ok(Math.abs(site.socRatio - 0.16) < 1e-9);
});

test('what sync spends is taken once', () => {
  const site = siteOf(0);
  site.spend(10);
  site.advance(MIDNIGHT_MS + HOUR_MS);
  site.advance(MIDNIGHT_MS + 2 * HOUR_MS);
  assert.ok(Math.abs(site.socRatio - (0.5 - 0.08 - 0.1)) < 1e-9);
});

test('what sync spends is no flash, however often somebody looks', () => {
  const site = siteOf(0, { baseWatts: 0 });
  site.spend(0.1);
  const watts: number[] = [];
  for (let second = 1; second <= 90; second++) {
    site.advance(MIDNIGHT_MS + second * 1_000);
    watts.push(site.measure().loadWatts);
  }
  assert.ok(Math.max(...watts) < 6.001, `${Math.max(...watts)} W`);
  assert.ok(Math.abs(site.socRatio - 0.499) < 1e-9);
});

test('charging loses a little; a full battery holds the panel back and says so', () => {
  const site = siteOf(1_000);
  site.advance(MIDNIGHT_MS + HOUR_MS / 2);
  assert.ok(Math.abs(site.socRatio - (0.5 + ((40 - 4) / 2 / 100) * 0.96)) < 1e-6);
  assert.equal(site.measure().curtailed, false);
  site.advance(MIDNIGHT_MS + 12 * HOUR_MS);
  const full = site.measure();
  assert.ok(full.socRatio > 0.99);
  assert.equal(full.curtailed, true);
  assert.ok(full.pvWatts < 8 && full.batteryVolts > 13.5);
  assert.ok(site.totals.curtailedWh > 100);
});

test('empty: the battery cuts off, and comes back only when the sun has filled it a bit', () => {
  const dark = siteOf(0);
  dark.advance(MIDNIGHT_MS + 24 * HOUR_MS);
  assert.equal(dark.on, false);
  assert.ok(dark.socRatio > 0.04, 'nothing drains a battery that is cut off');
  assert.ok(dark.totals.downMs > 10 * HOUR_MS);
  const dawn = siteOf(1_000, { startRatio: 0.04 });
  dawn.advance(MIDNIGHT_MS + 60_000);
  assert.equal(dawn.on, false);
  dawn.advance(MIDNIGHT_MS + HOUR_MS);
  assert.equal(dawn.on, true);
});

test('the sun stands highest at noon of the place, and the same seed gives the same weather', () => {
  const place = { latitude: 25, longitude: -90 };
  const heights = Array.from({ length: 24 }, (_, hour) =>
    sunHeightSine(MIDNIGHT_MS + hour * HOUR_MS, place),
  );
  assert.equal(heights.indexOf(Math.max(...heights)), 18);
  const month = (seed: number): number[] => {
    const sky = new SeededSky(place, seed);
    return Array.from({ length: 720 }, (_, hour) => sky.ghiWm2(MIDNIGHT_MS + hour * HOUR_MS));
  };
  assert.deepEqual(month(3), month(3));
  assert.notDeepEqual(month(3), month(4));
  const days = Array.from({ length: 30 }, (_, day) =>
    month(3)
      .slice(day * 24, day * 24 + 24)
      .reduce((a, b) => a + b),
  );
  assert.ok(Math.min(...days) < 0.45 * Math.max(...days), 'there are dark days and bright ones');
});
