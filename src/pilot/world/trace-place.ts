/**
 * Where a trace was measured, by its sun: the hub forecasts for a place, and a trace whose times have no zone, or from
 * the other half of the earth, would be forecast with the sun of another. Noon tells the longitude (of the trace's own
 * clock), the length of the days and the height of the sun the latitude, as far as the season lets them.
 */
import { cloudlessWm2, type Place, type Sky, sunHeightSine } from '../../platform/sim/sky.ts';
import { DAY_MS, HOUR_MS } from '../scenario.ts';

const STEP_MS = HOUR_MS / 2;
const LATITUDE_MAX = 65;
const LATITUDE_STEP = 5;
const DAYS_MAX = 365;
/** Less is twilight or an offset of the sensor. */
const DAYLIGHT_WM2 = 5;
/** A clear noon in so many days tells how high the sun stands. */
const CLEAR_QUANTILE = 0.9;

export function placeOfTrace(sky: Sky, startMs: number, traceDays: number): Place {
  const days = Math.max(1, Math.min(DAYS_MAX, Math.floor(traceDays)));
  const longitude = longitudeOf(sky, startMs, days);
  const latitudes: number[] = [];
  for (let it = -LATITUDE_MAX; it <= LATITUDE_MAX; it += LATITUDE_STEP) latitudes.push(it);
  const scored = latitudes.map((latitude) => ({
    latitude,
    score: misfit(sky, startMs, days, { latitude, longitude }),
  }));
  const best = scored.reduce((least, it) => (it.score < least.score ? it : least));
  return { latitude: best.latitude, longitude };
}

/** Direction of the mean sun over the 24 hours, as an angle: robust against clouds, which know no hour. */
function longitudeOf(sky: Sky, startMs: number, days: number): number {
  let east = 0;
  let north = 0;
  for (let at = STEP_MS / 2; at < days * DAY_MS; at += STEP_MS) {
    const wallMs = startMs + at;
    const angle = (2 * Math.PI * (wallMs % DAY_MS)) / DAY_MS;
    const wm2 = sky.ghiWm2(wallMs);
    east += wm2 * Math.sin(angle);
    north += wm2 * Math.cos(angle);
  }
  if (east === 0 && north === 0) return 0;
  const noonHours = ((Math.atan2(east, north) / (2 * Math.PI)) * 24 + 24) % 24;
  const longitude = (12 - noonHours) * 15;
  return Math.round(longitude * 10) / 10;
}

/** Part of the time in which day and night disagree, and how far clear noons are from what they should be. */
function misfit(sky: Sky, startMs: number, days: number, place: Place): number {
  let wrong = 0;
  let steps = 0;
  const noons: number[] = [];
  for (let day = 0; day < days; day++) {
    let measured = 0;
    let possible = 0;
    for (let at = STEP_MS / 2; at < DAY_MS; at += STEP_MS) {
      const wallMs = startMs + day * DAY_MS + at;
      const wm2 = sky.ghiWm2(wallMs);
      steps += 1;
      if (wm2 > DAYLIGHT_WM2 !== sunHeightSine(wallMs, place) > 0) wrong += 1;
      measured = Math.max(measured, wm2);
      possible = Math.max(possible, cloudlessWm2(wallMs, place));
    }
    noons.push(possible === 0 ? 2 : measured / possible);
  }
  noons.sort((a, b) => a - b);
  const clear = noons[Math.floor(CLEAR_QUANTILE * (noons.length - 1))] as number;
  return wrong / steps + 0.25 * Math.abs(clear - 1);
}
