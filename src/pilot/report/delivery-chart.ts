/**
 * How long each class took to be stored upstream: the part of its ops that had arrived after a time, from a minute to
 * a week on a logarithmic scale, with the deadline of the class as a dot on its curve.
 */
import { CLASS_NAMES } from '../../model/class.ts';
import { DEADLINES_MS } from '../../power/backlog.ts';
import type { Books } from '../judging/books.ts';
import { frame, LEFT, type Panel, RIGHT, WIDTH, yOf } from './chart.ts';
import { SHOWN_CLASSES, type ShownClass } from './figures.ts';
import { CLASS_COLOURS } from './style.ts';

const PANEL: Panel = { top: 30, height: 170, y: { from: 0, to: 1 } };
const HEIGHT = 236;
const MINUTES_MAX = 7 * 24 * 60;
const MARKS: readonly (readonly [minutes: number, label: string])[] = [
  [1, '1 min'],
  [5, '5 min'],
  [15, '15 min'],
  [60, '1 h'],
  [360, '6 h'],
  [1_440, '1 d'],
  [4_320, '3 d'],
  [MINUTES_MAX, '7 d'],
];

export function deliveryChart(books: Books): string {
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((value) => ({ value, label: `${100 * value} %` }));
  const bottom = PANEL.top + PANEL.height;
  const marks = MARKS.map(([minutes, label]) => {
    const x = xOfMinutes(minutes).toFixed(1);
    return `<line class="day" x1="${x}" x2="${x}" y1="${PANEL.top}" y2="${bottom}"/><text class="tick" x="${x}" y="${bottom + 18}" text-anchor="middle">${label}</text>`;
  });
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Delivery time by class">`,
    frame(PANEL, 'Stored upstream within', ticks),
    ...marks,
    ...SHOWN_CLASSES.map((opClass) => curveOf(opClass, books)),
    '</svg>',
  ].join('');
}

function curveOf(opClass: ShownClass, books: Books): string {
  const points = books.delayCurve(opClass);
  if (points.length === 0) return '';
  const colour = CLASS_COLOURS[opClass];
  const deadlineMinutes = DEADLINES_MS[opClass] / 60_000;
  let share = 0;
  let shareAtDeadline = 0;
  let path = `M${LEFT} ${yOf(0, PANEL).toFixed(1)}`;
  for (const point of points) {
    const x = xOfMinutes(point.minutes).toFixed(1);
    path += `L${x} ${yOf(share, PANEL).toFixed(1)}L${x} ${yOf(point.share, PANEL).toFixed(1)}`;
    share = point.share;
    if (point.minutes <= deadlineMinutes) shareAtDeadline = share;
  }
  path += `L${WIDTH - RIGHT} ${yOf(share, PANEL).toFixed(1)}`;
  const x = xOfMinutes(deadlineMinutes).toFixed(1);
  const y = yOf(shareAtDeadline, PANEL).toFixed(1);
  const told = `${CLASS_NAMES[opClass]}: ${(100 * shareAtDeadline).toFixed(1)} % of what was stored came within its deadline`;
  return `<path class="line" stroke="${colour}" d="${path}"/><circle cx="${x}" cy="${y}" r="4.5" fill="${colour}"><title>${told}</title></circle>`;
}

/** A minute at the left edge, a week at the right one. */
function xOfMinutes(minutes: number): number {
  const part = Math.log(Math.max(1, minutes)) / Math.log(MINUTES_MAX);
  return LEFT + (WIDTH - LEFT - RIGHT) * Math.min(1, part);
}
