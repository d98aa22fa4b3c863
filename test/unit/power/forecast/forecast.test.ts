import assert from 'node:assert/strict';
import { test } from 'vitest';

import { cloudlessWm2, SeededSky, type Sky } from '../../../../src/platform/sim/sky.ts';
import { forecastStateOf, SolarForecast } from '../../../../src/power/forecast/forecast.ts';
import { clearSkyWm2 } from '../../../../src/power/forecast/sun.ts';
import { HOUR_MS, MINUTE_MS } from '../support.ts';

const PLACE = { latitude: 25, longitude: -80 };
const SITE = { ...PLACE, panelWatts: 30, baseLoadWatts: 3.2 };
/** Midnight by the sun of the place. */
const START_MS = Date.parse('2026-03-01T05:20:00Z');
const DAY_MS = 24 * HOUR_MS;

const CLEAR: Sky = { ghiWm2: (wallMs) => cloudlessWm2(wallMs, PLACE) };

/** Lives through days of a sky with a panel of `watts` per 1,000 W/m². */
function learned(
  sky: Sky,
  days: number,
  more: { watts?: number; curtailedAt?: (hour: number) => boolean } = {},
): SolarForecast {
  const forecast = new SolarForecast(SITE);
  for (let wallMs = START_MS; wallMs < START_MS + days * DAY_MS; wallMs += 5 * MINUTE_MS) {
    const hour = Math.floor((wallMs - START_MS) / HOUR_MS) % 24;
    const curtailed = more.curtailedAt?.(hour) ?? false;
    const pvWatts = curtailed ? 3 : ((more.watts ?? 20) * sky.ghiWm2(wallMs)) / 1_000;
    forecast.observe({ wallMs, pvWatts, curtailed });
  }
  return forecast;
}

function dayWh(forecast: SolarForecast, day: number): { median: number; low: number } {
  const ahead = forecast.ahead(START_MS + day * DAY_MS, 24);
  return {
    median: ahead.reduce((sum, it) => sum + it.medianWatts, 0),
    low: ahead.reduce((sum, it) => sum + it.lowWatts, 0),
  };
}

function trueWh(sky: Sky, day: number, watts = 20): number {
  let sum = 0;
  for (let at = 0; at < DAY_MS; at += 5 * MINUTE_MS) {
    sum += (watts * sky.ghiWm2(START_MS + day * DAY_MS + at)) / 12_000;
  }
  return sum;
}

test('Haurwitz: no sun at night, about 1,035 W/m² overhead', () => {
  assert.equal(clearSkyWm2(START_MS, PLACE), 0);
  const noonAtEquator = Date.parse('2026-03-20T12:07:00Z');
  const overhead = clearSkyWm2(noonAtEquator, { latitude: 0, longitude: 0 });
  assert.ok(Math.abs(overhead - 1_035) < 3, `${overhead} W/m²`);
});

test('from day one there is a guess by the rating of the panel', () => {
  const { median, low } = dayWh(new SolarForecast(SITE), 0);
  assert.ok(median > 50 && median < 130, `${median} Wh`);
  assert.ok(low < median);
});

test('a fortnight of clear days teaches what the panel gives', () => {
  const { median } = dayWh(learned(CLEAR, 14), 14);
  const truth = trueWh(CLEAR, 14);
  assert.ok(Math.abs(median / truth - 1) < 0.1, `${median} of ${truth} Wh`);
});

test('curtailed hours teach nothing: a battery that is always full at noon hides no panel', () => {
  const forecast = learned(CLEAR, 14, { curtailedAt: (hour) => hour >= 11 && hour < 15 });
  const { median } = dayWh(forecast, 14);
  const truth = trueWh(CLEAR, 14);
  assert.ok(median > 0.8 * truth, `${median} of ${truth} Wh`);
});

test('without any panel data the rise of the battery tells', () => {
  const forecast = new SolarForecast(SITE);
  let storedWh = 100;
  for (let wallMs = START_MS; wallMs < START_MS + 10 * DAY_MS; wallMs += 5 * MINUTE_MS) {
    const pv = (20 * CLEAR.ghiWm2(wallMs)) / 1_000;
    storedWh += (pv - 3.2) / 12;
    forecast.observe({ wallMs, storedWh });
    if ((wallMs - START_MS) % DAY_MS === 0) storedWh = 100;
  }
  const truth = trueWh(CLEAR, 10);
  assert.ok(Math.abs(dayWh(forecast, 10).median / truth - 1) < 0.15);
});

test('on real-looking weather the low guess is missed on few days, and the median is near', () => {
  let missed = 0;
  let counted = 0;
  let error = 0;
  let total = 0;
  for (const seed of [1, 2, 3, 4, 5, 6, 11, 14]) {
    const sky = new SeededSky(PLACE, seed);
    const forecast = new SolarForecast(SITE);
    for (let day = 0; day < 40; day++) {
      const guess = dayWh(forecast, day);
      const truth = trueWh(sky, day);
      if (day >= 14) {
        error += Math.abs(guess.median - truth);
        total += truth;
        counted += 1;
        if (truth < guess.low) missed += 1;
      }
      for (let at = 0; at < DAY_MS; at += 10 * MINUTE_MS) {
        const wallMs = START_MS + day * DAY_MS + at;
        forecast.observe({ wallMs, pvWatts: (20 * sky.ghiWm2(wallMs)) / 1_000, curtailed: false });
      }
    }
  }
  assert.ok(error / total < 0.24, `mean error ${error / total}`);
  assert.ok(missed < 0.33 * counted, `${missed} of ${counted} days below the low guess`);
});

test('a dark morning darkens the rest of the day, not tomorrow', () => {
  const forecast = learned(CLEAR, 14);
  const noonMs = START_MS + 14 * DAY_MS + 11 * HOUR_MS;
  const before = forecast.ahead(noonMs, 36);
  for (let wallMs = START_MS + 14 * DAY_MS; wallMs < noonMs; wallMs += 5 * MINUTE_MS) {
    forecast.observe({ wallMs, pvWatts: (4 * CLEAR.ghiWm2(wallMs)) / 1_000, curtailed: false });
  }
  const after = forecast.ahead(noonMs, 36);
  const sum = (hours: typeof after): number =>
    hours.reduce((total, it) => total + it.medianWatts, 0);
  assert.ok(sum(after.slice(0, 8)) < 0.7 * sum(before.slice(0, 8)));
  assert.ok(sum(after.slice(14)) > 0.9 * sum(before.slice(14)));
});

test('the state is small, survives JSON, and what is damaged is refused', () => {
  const forecast = learned(new SeededSky(PLACE, 3), 40);
  forecast.observe({ wallMs: START_MS + 40 * DAY_MS + MINUTE_MS, pvWatts: 0 }); // Closes the day.
  const text = JSON.stringify(forecast.state);
  assert.ok(text.length < 100 * 1_024);
  const again = new SolarForecast(SITE, forecastStateOf(JSON.parse(text)));
  assert.deepEqual(dayWh(again, 41), dayWh(forecast, 41));
  for (const bad of [
    undefined,
    null,
    {},
    { ...forecast.state, response: [1] },
    { ...forecast.state, version: 2 },
    { ...forecast.state, errors: [] },
  ]) {
    assert.equal(forecastStateOf(bad), undefined);
  }
});

test('a clock that jumps is a gap, not a hundred dark days', () => {
  const forecast = learned(CLEAR, 14);
  const before = dayWh(forecast, 200).median;
  forecast.observe({ wallMs: START_MS + 200 * DAY_MS, pvWatts: 0, curtailed: false });
  forecast.observe({ wallMs: 0, pvWatts: 0, curtailed: false });
  assert.ok(dayWh(forecast, 200).median > 0.9 * before);
});
