import assert from 'node:assert/strict';
import { test } from 'vitest';

import { placeOfTrace } from '../../../../src/pilot/world/trace-place.ts';
import { SeededSky } from '../../../../src/platform/sim/sky.ts';

const START_MS = Date.parse('2026-01-01T00:00:00Z');

test.each([
  ['north', { latitude: 45, longitude: 8 }],
  ['south', { latitude: -30, longitude: 150 }],
  ['the equator', { latitude: 0, longitude: -78 }],
  ['clouds for a year', { latitude: 25, longitude: -80 }],
])('a year of sun tells where it was measured: %s', (_title, place) => {
  const found = placeOfTrace(new SeededSky(place, 4), START_MS, 365);
  assert.ok(Math.abs(found.latitude - place.latitude) <= 10, `latitude ${found.latitude}`);
  assert.ok(Math.abs(found.longitude - place.longitude) <= 4, `longitude ${found.longitude}`);
});

test('local times without a zone are a place of their own, where noon is at twelve', () => {
  const place = { latitude: -30, longitude: 0 };
  const local = new SeededSky(place, 9);
  const found = placeOfTrace(local, START_MS, 60);
  assert.ok(Math.abs(found.longitude) <= 4);
  assert.ok(found.latitude < -10, `latitude ${found.latitude}`);
});

test('a trace without any sun is no reason to fail', () => {
  const { latitude, longitude } = placeOfTrace({ ghiWm2: () => 0 }, START_MS, 30);
  assert.ok(Number.isFinite(latitude) && longitude === 0);
});
