/**
 * Weather from a file: CSV with a head line, `time,ghi_wm2[,temp_c]` among its columns in any order. Times are ISO,
 * with or without a zone (without: UTC), in any interval; each row speaks for the time up to it. Gaps are filled
 * with the same hour of the day before, and a trace that is too short begins again.
 */
import { HubError } from '../../base/errors.ts';
import { wallMsOfIso } from '../../base/iso-time.ts';
import type { Sky } from '../../platform/sim/sky.ts';

export interface Trace {
  readonly sky: Sky;
  /** Where the first row's interval begins. */
  readonly startMs: number;
  readonly days: number;
  readonly gaps: number;
}

interface Row {
  readonly endMs: number;
  readonly ghiWm2: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A step this many times longer than the usual one is a gap. */
const GAP_FACTOR = 1.5;
const ROWS_MAX = 1_000_000;
const HAS_ZONE = /(Z|[+-]\d{2}:?\d{2})$/i;

/** Throws `config.invalid` that names the line where the file is not such a trace. */
export function readTrace(csv: string, name: string): Trace {
  const rows = rowsOf(csv, name);
  const first = rows[0] as Row;
  const stepMs = usualStepMs(rows);
  const startMs = first.endMs - stepMs;
  const lengthMs = (rows.at(-1) as Row).endMs - startMs;
  const gaps = rows.filter(
    (row, index) => index > 0 && row.endMs - (rows[index - 1] as Row).endMs > GAP_FACTOR * stepMs,
  ).length;
  const at = (wallMs: number, daysBack: number): number => {
    const offsetMs = (((wallMs - daysBack * DAY_MS - startMs) % lengthMs) + lengthMs) % lengthMs;
    const row = rowCovering(rows, startMs + offsetMs, GAP_FACTOR * stepMs);
    if (row !== undefined) return row.ghiWm2;
    return daysBack < 7 ? at(wallMs, daysBack + 1) : 0;
  };
  return {
    sky: { ghiWm2: (wallMs) => at(wallMs, 0) },
    startMs,
    days: lengthMs / DAY_MS,
    gaps,
  };
}

function rowsOf(csv: string, name: string): Row[] {
  const lines = csv.replace(/^\uFEFF/, '').split(/\r?\n/);
  const head = (lines[0] ?? '').split(',').map((field) => field.trim().toLowerCase());
  const timeAt = head.indexOf('time');
  const ghiAt = head.indexOf('ghi_wm2');
  const wrong = (line: number, why: string): HubError =>
    new HubError('config.invalid', `${name}:${line}: ${why}`);
  if (timeAt < 0 || ghiAt < 0) throw wrong(1, 'the first line names the columns time and ghi_wm2');
  if (lines.length > ROWS_MAX) throw wrong(ROWS_MAX, `more than ${ROWS_MAX} rows`);
  const rows: Row[] = [];
  for (const [index, line] of lines.entries()) {
    if (index === 0 || line.trim() === '' || line.startsWith('#')) continue;
    const fields = line.split(',').map((field) => field.trim());
    const endMs = timeOf(fields[timeAt] ?? '');
    if (endMs === undefined) throw wrong(index + 1, `"${fields[timeAt] ?? ''}" is not an ISO time`);
    const ghi = fields[ghiAt] ?? '';
    if (ghi === '') continue; // Not measured: a gap.
    const ghiWm2 = Number(ghi);
    if (!Number.isFinite(ghiWm2)) throw wrong(index + 1, `"${ghi}" is not a number of W/m²`);
    rows.push({ endMs, ghiWm2: Math.max(0, ghiWm2) });
  }
  rows.sort((a, b) => a.endMs - b.endMs);
  if (rows.length < 24) throw wrong(lines.length, 'a trace has at least 24 rows');
  return rows;
}

/** `2026-03-01T06:00`, `2026-03-01 06:00:00+02:00` …; hour 24 is the next day's 0. */
function timeOf(text: string): number | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})[T ](\d{2})(.*)$/.exec(text);
  if (match === null) return undefined;
  const [, day, hour, rest = ''] = match;
  const isMidnight = hour === '24';
  const time = `${day}T${isMidnight ? '00' : hour}${rest === '' ? ':00' : rest}`;
  const ms = wallMsOfIso(HAS_ZONE.test(time) ? time : `${time}Z`);
  if (ms === undefined) return undefined;
  return ms + (isMidnight ? DAY_MS : 0);
}

function usualStepMs(rows: readonly Row[]): number {
  const steps = rows
    .slice(1)
    .map((row, index) => row.endMs - (rows[index] as Row).endMs)
    .filter((step) => step > 0)
    .toSorted((a, b) => a - b);
  return steps[steps.length >> 1] ?? HOUR_MS;
}

/** The first row that ends after `wallMs`, where it does not end too late to speak for it. */
function rowCovering(rows: readonly Row[], wallMs: number, reachMs: number): Row | undefined {
  let low = 0;
  let high = rows.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] as Row).endMs > wallMs) high = middle;
    else low = middle + 1;
  }
  const row = rows[low] as Row;
  return row.endMs > wallMs && row.endMs - wallMs <= reachMs ? row : undefined;
}
