/** Durations as people write and read them: `90s`, `15m`, `2h`, `3d`. */

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds; a bare number counts seconds. Undefined where the text is no duration. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)([smhd]?)$/.exec(text.trim());
  if (match === null) return undefined;
  return Number(match[1]) * UNIT_MS[(match[2] || 's') as keyof typeof UNIT_MS];
}

/** Two units at most, the smaller one dropped where it says little: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair(hours, 'h', minutes % 60, 'min');
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  const head = `${large} ${largeUnit}`;
  return small === 0 || large >= 10 ? head : `${head} ${small} ${smallUnit}`;
}
