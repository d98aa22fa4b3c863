/**
 * Charts as SVG text: a plot area over the pilot's days with lines, areas, bars and bands. No library: the report
 * is one file that must open in any browser in ten years.
 */
import { isoTime } from '../../base/iso-time.ts';
import { DAY_MS } from '../scenario.ts';

export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface Panel {
  /** In pixels of the drawing. */
  readonly top: number;
  readonly height: number;
  readonly y: Range;
}

export const WIDTH = 1_160;
export const LEFT = 68;
export const RIGHT = 12;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;

export function xOf(atMs: number, time: Range): number {
  return LEFT + (PLOT_WIDTH * (atMs - time.from)) / (time.to - time.from);
}

export function yOf(value: number, { top, height, y }: Panel): number {
  const part = (value - y.from) / (y.to - y.from);
  return top + height * (1 - Math.min(1, Math.max(0, part)));
}

/** Frame, grid lines with their labels, and the title of a panel. */
export function frame(
  panel: Panel,
  title: string,
  ticks: readonly { readonly value: number; readonly label: string }[],
): string {
  const lines = ticks.map(({ value, label }) => {
    const y = yOf(value, panel).toFixed(1);
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/><text class="tick" x="${LEFT - 8}" y="${y}" text-anchor="end" dominant-baseline="middle">${label}</text>`;
  });
  return `<text class="title" x="${LEFT}" y="${panel.top - 8}">${title}</text>${lines.join('')}`;
}

/** Days along the bottom: as many labels as have room. */
export function days(time: Range, top: number, bottom: number): string {
  const count = Math.round((time.to - time.from) / DAY_MS);
  const every = Math.max(1, Math.ceil(count / 16));
  const first = Math.ceil(time.from / DAY_MS) * DAY_MS;
  const marks: string[] = [];
  for (let day = 0; first + day * DAY_MS < time.to; day++) {
    const x = xOf(first + day * DAY_MS, time).toFixed(1);
    marks.push(`<line class="day" x1="${x}" x2="${x}" y1="${top}" y2="${bottom}"/>`);
    if (day % every !== 0) continue;
    const label = isoTime(first + day * DAY_MS).slice(5, 10);
    marks.push(
      `<text class="tick" x="${x}" y="${bottom + 16}" text-anchor="middle">${label}</text>`,
    );
  }
  return marks.join('');
}

export interface Point {
  readonly atMs: number;
  readonly value: number;
}

function linePath(points: readonly Point[], time: Range, panel: Panel): string {
  return points
    .map(({ atMs, value }, index) => {
      const command = index === 0 ? 'M' : 'L';
      return `${command}${xOf(atMs, time).toFixed(1)} ${yOf(value, panel).toFixed(1)}`;
    })
    .join('');
}

export function line(points: readonly Point[], time: Range, panel: Panel, colour: string): string {
  return `<path class="line" stroke="${colour}" d="${linePath(points, time, panel)}"/>`;
}

export function area(points: readonly Point[], time: Range, panel: Panel, colour: string): string {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return '';
  const base = yOf(panel.y.from, panel).toFixed(1);
  const path = linePath(points, time, panel);
  return `<path class="area" fill="${colour}" d="${path}L${xOf(last.atMs, time).toFixed(1)} ${base}L${xOf(first.atMs, time).toFixed(1)} ${base}Z"/>`;
}

/** A coloured stretch of time behind or between the lines. */
export function band(
  { from, to }: Range,
  time: Range,
  { top, height }: Pick<Panel, 'top' | 'height'>,
  attributes: string,
): string {
  const x = xOf(Math.max(from, time.from), time);
  const width = Math.max(0.6, xOf(Math.min(to, time.to), time) - x);
  return `<rect ${attributes} x="${x.toFixed(1)}" y="${top}" width="${width.toFixed(1)}" height="${height}"/>`;
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
