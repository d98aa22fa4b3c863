/**
 * Weather from a file: CSV with a head line, `time,ghi_wm2[,temp_c]` among its columns in any order, quoted or not, with
 * commas, semicolons or tabs between them (with the latter two, a number may have its comma). Times are ISO, with or without a zone (without: UTC), in any interval; each row speaks for the time up to it. Gaps, and what a
 * logger writes for "not measured", are filled with the same hour of the nearest day before, or behind; a trace that is
 * too short begins again, by whole days, so that noon stays at noon.
 */
import { HubError } from '../../base/errors.ts';
import { isoTime, wallMsOfIso } from '../../base/iso-time.ts';
import { placeOf } from '../../base/halving.ts';
import type { Sky } from '../../platform/sim/sky.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../scenario.ts';

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

interface Columns {
  readonly time: number;
  readonly ghiWm2: number;
  readonly separator: string;
  readonly count: number;
}

const SEPARATORS = [',', ';', '\t'];

/** A step this many times longer than the usual one is a gap. */
const GAP_FACTOR = 1.5;
const ROWS_MAX = 1_000_000;
/** Coarser than this, a day's row knows no noon. */
const STEP_MS_MAX = 6 * HOUR_MS;
/** Edges of clouds give half as much again as a clear sky; beyond this it is another unit. */
const GHI_WM2_MAX = 2_000;
/** No sky is brighter in kW/m², and none that has a sun is darker in W/m². */
const GHI_KWM2_MAX = 2;
/** A sensor's offset at night is a few watts; loggers write -99, -999 … for what was not measured. */
const GHI_WM2_MIN = -50;
const NOT_MEASURED = /^(|-|nan|na|n\/a|null|none)$/i;
const TIME =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(Z|[+-]\d{2}(?::?\d{2})?)?$/i;

/** Throws `pilot.trace-invalid` that names the line where the file is not such a trace, and what would be one. */
export function readTrace(csv: string, name: string): Trace {
  const rows = rowsOf(csv, name);
  const first = rows[0] as Row;
  const stepMs = usualStepMs(rows);
  const startMs = first.endMs - stepMs;
  const lengthMs = (rows.at(-1) as Row).endMs - startMs;
  if (stepMs > STEP_MS_MAX || lengthMs < DAY_MS) {
    const hours = (ms: number): string => `${(ms / HOUR_MS).toFixed(1)} h`;
    throw wrong(
      name,
      undefined,
      `${hours(lengthMs)} in steps of ${hours(stepMs)}: a trace has at least a day, in steps of at most 6 h`,
    );
  }
  const brightest = rows.reduce((most, { ghiWm2: it }) => Math.max(most, it), 0);
  if (brightest > 0 && brightest < GHI_KWM2_MAX) {
    throw wrong(name, undefined, `nothing is brighter than ${brightest} W/m²: are these kW/m²?`);
  }
  const gaps = rows.filter(
    (row, index) => index > 0 && row.endMs - (rows[index - 1] as Row).endMs > GAP_FACTOR * stepMs,
  ).length;
  const days = Math.floor(lengthMs / DAY_MS);
  const at = (day: number, ofDayMs: number): number | undefined =>
    rowCovering(rows, startMs + day * DAY_MS + ofDayMs, GAP_FACTOR * stepMs)?.ghiWm2;
  const ghiWm2 = (wallMs: number): number => {
    const sinceMs = wallMs - startMs;
    const day = modulo(Math.floor(sinceMs / DAY_MS), days);
    const ofDayMs = modulo(sinceMs, DAY_MS);
    for (let away = 0; away < days; away++) {
      const measured = at(day - away, ofDayMs) ?? (away > 0 ? at(day + away, ofDayMs) : undefined);
      if (measured !== undefined) return measured;
    }
    return 0;
  };
  return { sky: { ghiWm2 }, startMs, days: lengthMs / DAY_MS, gaps };
}

function rowsOf(csv: string, name: string): Row[] {
  const lines = csv.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  if (lines.length > ROWS_MAX) throw wrong(name, ROWS_MAX, `more than ${ROWS_MAX} rows`);
  let columns: Columns | undefined;
  const rows: Row[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    if (columns === undefined) columns = columnsOf(line, name, index + 1);
    else rows.push(...rowOf(line, columns, name, index + 1));
  }
  if (columns === undefined) throw wrong(name, 1, 'the file is empty');
  rows.sort((a, b) => a.endMs - b.endMs);
  if (rows.length < 24) throw wrong(name, lines.length, 'a trace has at least 24 rows');
  return rows;
}

function columnsOf(head: string, name: string, line: number): Columns {
  for (const separator of SEPARATORS) {
    const names = fieldsOf(head.toLowerCase(), separator);
    const [time, ghiWm2] = [names.indexOf('time'), names.indexOf('ghi_wm2')];
    if (time >= 0 && ghiWm2 >= 0) return { time, ghiWm2, separator, count: names.length };
  }
  const found = `not ${JSON.stringify(head.slice(0, 60))}`;
  throw wrong(
    name,
    line,
    `the first line names the columns time and ghi_wm2, with commas, semicolons or tabs between them, ${found}`,
  );
}

/** None where nothing was measured. */
function rowOf(text: string, columns: Columns, name: string, line: number): Row[] {
  const fields = fieldsOf(text, columns.separator);
  // 12,5 between commas would be read as 12.
  if (fields.slice(columns.count).some((field) => field !== '')) {
    const why = `${fields.length} fields where the first line names ${columns.count}; numbers with a comma need ; or a tab between fields`;
    throw wrong(name, line, why);
  }
  const time = fields[columns.time] ?? '';
  const endMs = timeOf(time);
  if (endMs === undefined)
    throw wrong(name, line, `"${time}" is not an ISO time such as 2026-03-01T06:00:00Z`);
  const ghi = fields[columns.ghiWm2] ?? '';
  if (NOT_MEASURED.test(ghi)) return [];
  const ghiWm2 = Number(columns.separator === ',' ? ghi : ghi.replace(',', '.'));
  if (!(ghiWm2 <= GHI_WM2_MAX))
    throw wrong(name, line, `"${ghi}" is not a number of W/m² up to ${GHI_WM2_MAX}`);
  return ghiWm2 < GHI_WM2_MIN ? [] : [{ endMs, ghiWm2: Math.max(0, ghiWm2) }];
}

function fieldsOf(line: string, separator: string): string[] {
  return line.split(separator).map((field) =>
    field
      .trim()
      .replace(/^"(.*)"$/, '$1')
      .trim(),
  );
}

function wrong(name: string, line: number | undefined, why: string): HubError {
  return new HubError(
    'pilot.trace-invalid',
    `${name}${line === undefined ? '' : `:${line}`}: ${why}`,
  );
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}

/** `2026-03-01T06:00`, `2026-03-01 06:00:00+02:00` …; hour 24 is the next day's 0. */
function timeOf(text: string): number | undefined {
  const [, day, hour, minute, second, zone] = TIME.exec(text) ?? [];
  if (day === undefined || hour === undefined) return undefined;
  const midnightMs = wallMsOfIso(`${day}T00:00:00Z`);
  const isDay = midnightMs !== undefined && isoTime(midnightMs).startsWith(day);
  if (!isDay || Number(hour) > 24 || Number(minute) > 59 || Number(second ?? 0) >= 61)
    return undefined;
  const inDayMs = (Number(hour) * 60 + Number(minute)) * MINUTE_MS + Number(second ?? 0) * 1_000;
  return midnightMs + inDayMs - zoneMs(zone ?? 'Z');
}

/** `Z`, `+02`, `+0200`, `+02:00`. */
function zoneMs(zone: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone) ?? [];
  const ms = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * MINUTE_MS;
  return sign === '-' ? -ms : ms;
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
  const at = placeOf(rows, ({ endMs }) => endMs <= wallMs);
  const row = rows[at];
  return row !== undefined && row.endMs - wallMs <= reachMs ? row : undefined;
}
