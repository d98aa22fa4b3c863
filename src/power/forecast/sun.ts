/**
 * Irradiance under a cloudless sky, W/m² on the flat, by Haurwitz: 1098·cosZ·exp(−0.059/cosZ). No air data,
 * no tilt: what a site makes of it is learned (forecast.ts).
 */
import { getPosition } from 'suncalc';

export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

const HOUR_MS = 3_600_000;
const RADIANS = Math.PI / 180;

export function clearSkyWm2(wallMs: number, place: Place): number {
  // oxlint-disable-next-line no-restricted-globals -- A moment that was given, not a clock that is read.
  const { altitude } = getPosition(new Date(wallMs), place.latitude, place.longitude);
  const cosZenith = Math.sin(altitude * RADIANS);
  return cosZenith <= 0.005 ? 0 : 1_098 * cosZenith * Math.exp(-0.059 / cosZenith);
}

/** Hours since 1970 by the sun of the place: its day begins at its own midnight, whatever the time zone. */
export function solarHours(wallMs: number, place: Place): number {
  return wallMs / HOUR_MS + place.longitude / 15;
}
