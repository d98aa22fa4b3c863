/**
 * Texts of moments, pure: this reads no clock (the lint rule against `Date` is lifted for this file only).
 */

/** RFC 3339 in UTC with milliseconds: `2026-03-01T06:10:00.000Z`. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** To the minute, for people: `2026-03-01 06:10 UTC`. */
export function minuteText(wallMs: number): string {
  return `${isoTime(wallMs).slice(0, 16).replace('T', ' ')} UTC`;
}

/** Milliseconds since 1970, or undefined where the text is no RFC 3339 time. */
export function wallMsOfIso(text: string): number | undefined {
  const wallMs = Date.parse(text);
  return Number.isNaN(wallMs) ? undefined : wallMs;
}
